from __future__ import annotations

import errno
import lzma
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lkm.errors import (
    AlreadyLoadedError,
    BadModuleFormatError,
    FileError,
    FormatError,
    InUseError,
    KernelError,
    NoModuleSupportError,
    NotLoadedError,
    NotPermittedError,
    NoUnloadingError,
    UnknownSymbolError,
)
from lkm.kernel.live import COMPRESSED_FILE, LiveKernel
from lkm.kernel.protocol import FORCE, IGNORE_VERMAGIC
from lkm.kernel.sysfs import loaded_folders
from lkm.module.file import ModuleImage, unread_image
from lkm.names import ModuleName
from tests.builders.elf import a_module
from tests.kernel.live import TINY, Meanwhile, RecordedSyscalls, a_file, a_root


def test_sizes_counts_and_holders_are_those_of_sysfs(tmp_path: Path) -> None:
    files = {"coresize": "20480\n", "refcnt": "3\n", "initstate": "live\n", "holders/snd-x": ""}
    line = "snd 16384 1 - Live 0xffffffffc0201000 (OE)\n"
    kernel = LiveKernel(a_root(tmp_path, lines=line, folders={"snd": files}))

    (module,) = kernel.modules()

    assert (module.size, module.refcnt, module.holders) == (20480, 3, ("snd_x",))
    assert (module.state, module.taints) == ("live", "OE")


def test_a_module_that_sysfs_does_not_have_is_shown_as_proc_has_it(tmp_path: Path) -> None:
    line = "snd 16384 1 snd_x, Live 0xffffffffc0201000\n"
    kernel = LiveKernel(a_root(tmp_path, lines=line, folders={}))

    (module,) = kernel.modules()

    assert (module.size, module.refcnt, module.holders) == (16384, 1, ("snd_x",))


TWO = "b 2 0 - Live 0xffffffffc0206000\na 1 0 - Live 0xffffffffc0201000\n"
FILES = {"coresize": "20480\n", "initstate": "live\n", "refcnt": "1\n", "holders/x": ""}


def gone(folder: Path) -> None:
    shutil.rmtree(folder)


def replaced(folder: Path) -> None:
    folder.rename(folder.parent.parent / "gone")
    shutil.copytree(folder.parent / "a", folder)


def going(folder: Path) -> None:
    """Leave the folder, as the kernel does for a moment."""
    for path in folder.iterdir():
        if path.is_file():
            path.unlink()


@pytest.mark.parametrize("change", [gone, replaced, going])
@pytest.mark.parametrize("name", ["holders", "coresize", "refcnt", "initstate"])
def test_a_module_that_changes_while_it_is_read_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, change: Callable[[Path], None]
) -> None:
    root = a_root(tmp_path, lines=TWO, folders={"a": FILES, "b": FILES})
    kernel, folder = LiveKernel(root), tmp_path / "sys/module/b"
    hook = Meanwhile(f"module/b/{name}", lambda: change(folder))
    monkeypatch.setattr(os, "open", hook)

    modules = kernel.modules()

    assert hook.done
    assert [(each.name, each.size, each.refcnt, each.state) for each in modules] == [
        ("a", 20480, 1, "live")
    ]


@pytest.mark.parametrize("change", [gone, replaced, going])
def test_a_snapshot_has_no_module_that_changes_after_it_was_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    root = a_root(tmp_path, lines=TWO, folders={"a": FILES, "b": FILES})
    kernel, folder = LiveKernel(root), tmp_path / "sys/module/b"
    assert kernel.snapshot()[0] == kernel.modules()
    monkeypatch.setattr(os, "open", Meanwhile("/sys/module", lambda: change(folder)))

    modules, folders = kernel.snapshot()

    assert [each.name for each in modules] == ["a"]
    assert folders is not None
    assert "a" in folders


def test_rows_read_while_modules_come_and_go_are_each_of_one_module(tmp_path: Path) -> None:
    listed = 77
    kernel = LiveKernel(a_root(tmp_path, lines=f"b {listed} 0 - Live 0x0\n", folders={"b": {}}))
    folder, stop = tmp_path / "sys/module/b", threading.Event()

    def change() -> None:
        number = 100
        while not stop.is_set():
            number += 1
            shutil.rmtree(folder)
            (folder / "parameters").mkdir(parents=True)
            for name in ("parameters/p", "coresize", "refcnt"):
                (folder / name).write_text(f"{number}\n")
            (folder / "initstate").write_text("live\n")

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(300):
            modules, folders = kernel.snapshot()
            for module in modules:
                assert folders is not None
                values = loaded_folders(folders, ["b"])["b"].parameters.values()
                numbers = {int(value) for value in values if value}
                # What says nothing is a file that is made, or filled, in this moment.
                assert len((numbers | {module.refcnt, module.size}) - {listed, None}) <= 1
            for module in kernel.modules():
                assert len({module.refcnt, module.size} - {listed, None}) <= 1
    finally:
        stop.set()
        thread.join()


def test_a_module_on_its_way_in_may_have_no_state_yet(tmp_path: Path) -> None:
    line = "b 2 1 - Loading 0xffffffffc0206000\n"
    kernel = LiveKernel(a_root(tmp_path, lines=line, folders={"b": {"refcnt": "1\n"}}))

    (module,) = kernel.modules()

    assert (module.state, module.refcnt, kernel.modules()) == ("coming", 1, kernel.snapshot()[0])


def test_without_a_list_the_folders_tell_what_is_there(tmp_path: Path) -> None:
    folders = {"b": FILES, "loop": {"parameters/x": "1\n"}}
    kernel = LiveKernel(a_root(tmp_path, lines="", folders=folders))
    (tmp_path / "proc/modules").unlink()

    (module,) = kernel.present()

    assert module == kernel.find(ModuleName("b"))
    assert (module.name, module.size, module.refcnt, module.state) == ("b", 20480, 1, "live")
    assert module.holders == ("x",)
    assert kernel.find(ModuleName("loop")) is kernel.find(ModuleName("none")) is None
    with pytest.raises(NoModuleSupportError):
        kernel.modules()


def test_a_built_in_with_a_folder_is_not_loaded(tmp_path: Path) -> None:
    lines = "a 1 0 - Live 0xffffffffc0201000\n"
    kernel = LiveKernel(a_root(tmp_path, lines=lines, folders={"loop": {"parameters/x": "1\n"}}))

    assert kernel.find(ModuleName("loop")) is None


def test_a_folder_without_a_refcnt_has_none(tmp_path: Path) -> None:
    line = "loop 1 1 - Live 0xffffffffc0201000\n"
    files = {"coresize": "40960\n", "initstate": "live\n"}
    kernel = LiveKernel(a_root(tmp_path, lines=line, folders={"loop": files}))

    (module,) = kernel.modules()

    assert (module.size, module.refcnt, module.state) == (40960, None, "live")


def test_a_module_is_found_by_its_name(tmp_path: Path) -> None:
    lines = "b 2 0 - Live 0xffffffffc0206000\na 1 0 - Live 0xffffffffc0201000\n"
    kernel = LiveKernel(a_root(tmp_path, lines=lines, folders={}))

    found = kernel.find(ModuleName("a"))

    assert found is not None
    assert found.size == 1
    assert kernel.find(ModuleName("c")) is None


def test_release_and_command_line_are_those_of_proc(tmp_path: Path) -> None:
    kernel = LiveKernel(a_root(tmp_path, folders={}))

    assert kernel.release() == "6.1.0-test"
    assert kernel.command_line() == "quiet ro"


@pytest.mark.parametrize(("text", "number"), [("12288\n", 12288), ("0\n", 0), ("?\n", None)])
def test_its_taints_are_those_of_proc(tmp_path: Path, text: str, number: int | None) -> None:
    kernel = LiveKernel(a_root(tmp_path, folders={}))
    assert kernel.tainted() is None

    (tmp_path / "proc/sys/kernel/tainted").write_text(text)

    assert kernel.tainted() == number


def test_a_kernel_without_module_support_says_what_helps(tmp_path: Path) -> None:
    root = a_root(tmp_path, folders={})
    (tmp_path / "proc/modules").unlink()

    with pytest.raises(NoModuleSupportError) as caught:
        LiveKernel(root).modules()

    assert "--on sandbox" in caught.value.remedy


def test_a_proc_that_is_not_mounted_is_not_taken_for_that(tmp_path: Path) -> None:
    with pytest.raises(FileError) as caught:
        LiveKernel(str(tmp_path)).modules()

    assert "mount /proc" in caught.value.remedy


def test_a_file_is_inserted_by_its_descriptor(tmp_path: Path) -> None:
    calls = RecordedSyscalls()

    LiveKernel(syscalls=calls).insert(a_file(tmp_path), "a=1", flags=IGNORE_VERMAGIC)

    assert calls.calls == [("finit_module", b"\x7fELF", b"a=1", IGNORE_VERMAGIC)]


def test_a_kernel_without_the_newer_call_gets_the_bytes(tmp_path: Path) -> None:
    calls = RecordedSyscalls(finit=-errno.ENOSYS)
    image = a_file(tmp_path)

    LiveKernel(syscalls=calls).insert(image, "a=1")

    assert calls.calls[-1] == ("init_module", image.data, b"a=1")


def test_an_image_without_a_file_goes_as_bytes() -> None:
    calls = RecordedSyscalls()
    image = ModuleImage(TINY, a_module())

    LiveKernel(syscalls=calls).insert(image)

    assert calls.calls == [("init_module", image.data, b"")]


@pytest.mark.parametrize(("unpacks", "expected"), [("xz", "finit_module"), ("", "init_module")])
def test_a_compressed_file_goes_to_a_kernel_that_unpacks_it(
    tmp_path: Path, unpacks: str, expected: str
) -> None:
    root = a_root(tmp_path / "root", folders={})
    if unpacks:
        (tmp_path / "root/sys/module").mkdir(parents=True)
        (tmp_path / "root/sys/module/compression").write_text(f"{unpacks}\n")
    calls = RecordedSyscalls()

    LiveKernel(root, syscalls=calls).insert(
        a_file(tmp_path, "tiny.ko.xz", lzma.compress(a_module()))
    )

    assert calls.calls[0][0] == expected
    if expected == "finit_module":
        assert calls.calls[0][-1] == COMPRESSED_FILE


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EEXIST, AlreadyLoadedError),
        (errno.ENOENT, UnknownSymbolError),
        (errno.ENOEXEC, BadModuleFormatError),
        (errno.EPERM, NotPermittedError),
        (errno.EINVAL, KernelError),
        (errno.ENOMEM, KernelError),
    ],
)
def test_what_insert_answers_has_a_meaning_of_its_own(
    tmp_path: Path, number: int, kind: type[KernelError]
) -> None:
    # Without a log, which tells more.
    root = a_root(tmp_path / "root", folders={})
    kernel = LiveKernel(root, syscalls=RecordedSyscalls(finit=-number))

    with pytest.raises(KernelError) as caught:
        kernel.insert(a_file(tmp_path))

    assert type(caught.value) is kind
    assert (caught.value.errno, caught.value.operation) == (number, "insert")


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOENT, NotLoadedError),
        (errno.EAGAIN, InUseError),
        (errno.EPERM, NotPermittedError),
        (errno.EBUSY, KernelError),
        (errno.ENOSYS, NoModuleSupportError),
    ],
)
def test_what_remove_answers_has_a_meaning_of_its_own(number: int, kind: type[KernelError]) -> None:
    kernel = LiveKernel(syscalls=RecordedSyscalls(delete=-number))

    with pytest.raises(KernelError) as caught:
        kernel.remove(TINY)

    assert type(caught.value) is kind
    assert (caught.value.errno, caught.value.subject) == (number, "tiny")


def test_neither_call_there_is_a_kernel_without_module_support(tmp_path: Path) -> None:
    calls = RecordedSyscalls(finit=-errno.ENOSYS, init=-errno.ENOSYS)

    with pytest.raises(NoModuleSupportError, match="no support for loadable modules"):
        LiveKernel(syscalls=calls).insert(a_file(tmp_path))


@pytest.mark.parametrize(("user", "told"), [(1000, "needs root"), (0, "not let either: ")])
def test_no_permission_is_explained_to_who_is_root_and_to_who_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int, told: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    kernel = LiveKernel(syscalls=RecordedSyscalls(finit=-errno.EPERM, delete=-errno.EPERM))

    with pytest.raises(NotPermittedError) as insert:
        kernel.insert(a_file(tmp_path))
    with pytest.raises(NotPermittedError) as remove:
        kernel.remove(TINY)

    assert told in insert.value.remedy
    assert told in remove.value.remedy


def a_log(root: str, *records: str) -> Path:
    path = Path(root) / "dev/kmsg"
    path.parent.mkdir()
    path.write_text("".join(f"{record}\n" for record in records))
    return path


def test_a_refused_insertion_has_what_the_kernel_logged_since_the_call(tmp_path: Path) -> None:
    root = a_root(tmp_path / "root", folders={})
    log = a_log(root, "4,1,1,-;before: it was called")

    def logged(_count: int) -> None:
        with log.open("a") as file:
            file.write("4,2,2,-;tiny: Unknown symbol a (err -2)\n")
            file.write("30,3,3,-;systemd[1]: of no interest\n")
            file.write("3,4,4,-;tiny: two\\x0alines\n SUBSYSTEM=x\n")

    calls = RecordedSyscalls(finit=(-errno.ENOENT, -errno.EINVAL, 0), meanwhile=logged)
    kernel = LiveKernel(root, syscalls=calls)

    with pytest.raises(UnknownSymbolError) as unknown:
        kernel.insert(a_file(tmp_path))
    with pytest.raises(KernelError) as invalid:
        kernel.insert(a_file(tmp_path))
    assert unknown.value.log == ("tiny: Unknown symbol a (err -2)", "tiny: two", "lines")
    assert invalid.value.log == unknown.value.log
    assert invalid.value.remedy.startswith("the lines that the kernel logged have the reason")
    before = os.listdir("/proc/self/fd")
    kernel.insert(a_file(tmp_path))
    assert os.listdir("/proc/self/fd") == before


def test_where_the_log_cannot_be_read_a_refusal_has_no_lines(tmp_path: Path) -> None:
    root = a_root(tmp_path / "root", folders={})
    kernel = LiveKernel(root, syscalls=RecordedSyscalls(finit=-errno.EINVAL))

    with pytest.raises(KernelError) as caught:
        kernel.insert(a_file(tmp_path))

    assert caught.value.log == ()
    assert "(dmesg) has the reason" in caught.value.remedy


def test_a_kernel_that_keeps_its_modules_is_not_taken_for_one_without(tmp_path: Path) -> None:
    root = a_root(tmp_path / "root", folders={})
    kernel = LiveKernel(root, syscalls=RecordedSyscalls(delete=-errno.ENOSYS))

    with pytest.raises(NoUnloadingError, match="CONFIG_MODULE_UNLOAD is off"):
        kernel.remove(TINY)

    os.unlink(f"{root}/proc/modules")
    with pytest.raises(NoModuleSupportError):
        kernel.remove(TINY)


def test_removal_never_waits_and_forces_only_when_told() -> None:
    calls = RecordedSyscalls()
    kernel = LiveKernel(syscalls=calls)

    kernel.remove(TINY)
    kernel.remove(TINY, flags=FORCE)

    assert calls.calls == [
        ("delete_module", b"tiny", os.O_NONBLOCK),
        ("delete_module", b"tiny", os.O_NONBLOCK | os.O_TRUNC),
    ]


def test_a_file_that_is_gone_is_a_file_error(tmp_path: Path) -> None:
    image = a_file(tmp_path)
    Path(image.path).unlink()

    with pytest.raises(FileError):
        LiveKernel(syscalls=RecordedSyscalls()).insert(image)


def test_a_file_that_the_kernel_takes_itself_is_not_read_before(tmp_path: Path) -> None:
    path = tmp_path / "tiny.ko.xz"
    path.write_bytes(lzma.compress(a_module())[:40])
    root = a_root(tmp_path / "root", folders={})
    (tmp_path / "root/sys/module").mkdir(parents=True)
    (tmp_path / "root/sys/module/compression").write_text("xz\n")
    calls = RecordedSyscalls()

    LiveKernel(root, syscalls=calls).insert(unread_image(str(path)))

    assert calls.calls == [("finit_module", b"\xfd7zX", b"", COMPRESSED_FILE)]


@pytest.mark.parametrize("name", ["tiny.ko", "tiny.ko.xz"])
def test_a_file_that_it_does_not_take_is_read_then(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(lzma.compress(a_module()) if name.endswith("xz") else a_module())
    calls = RecordedSyscalls(finit=-errno.ENOSYS)

    LiveKernel(a_root(tmp_path / "root", folders={}), syscalls=calls).insert(
        unread_image(str(path)), "a=1"
    )

    assert calls.calls[-1] == ("init_module", a_module(), b"a=1")


def test_a_damaged_file_that_must_be_read_is_a_format_error(tmp_path: Path) -> None:
    path = tmp_path / "tiny.ko.xz"
    path.write_bytes(lzma.compress(a_module())[:40])
    calls = RecordedSyscalls()

    with pytest.raises(FormatError):
        LiveKernel(a_root(tmp_path / "root", folders={}), syscalls=calls).insert(
            unread_image(str(path))
        )

    assert calls.calls == []


def test_a_file_too_short_to_tell_what_it_is_never_gets_to_the_kernel(tmp_path: Path) -> None:
    calls = RecordedSyscalls()

    with pytest.raises(KernelError) as caught:
        LiveKernel(syscalls=calls).insert(a_file(tmp_path, data=b"\x7fELF\1"))

    assert (caught.value.errno, calls.calls) == (errno.EINVAL, [])
    assert "too short" in caught.value.remedy


def test_this_machines_kernel_is_asked_without_a_traceback() -> None:
    kernel = LiveKernel()
    if os.path.exists("/proc/modules"):
        assert len(kernel.modules()) == len(Path("/proc/modules").read_text().splitlines())
    else:
        with pytest.raises((NoModuleSupportError, FileError)):
            kernel.modules()
