from __future__ import annotations

import errno
import lzma
import os
from pathlib import Path

import pytest

from lkm.elf.file import ElfFile
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
    UnknownSymbolError,
)
from lkm.kernel.live import COMPRESSED_FILE, LiveKernel
from lkm.kernel.protocol import FORCE, IGNORE_MODVERSIONS, IGNORE_VERMAGIC
from lkm.module.facts import Module
from lkm.module.file import ModuleImage, read_image
from lkm.names import ModuleName
from tests.builders.elf import a_module

TINY = ModuleName("tiny")


class RecordedSyscalls:
    """System calls that do nothing but remember, and answer what the test wants."""

    def __init__(self, *, finit: int = 0, init: int = 0, delete: int = 0) -> None:
        self.finit, self.init, self.delete = finit, init, delete
        self.calls: list[tuple[object, ...]] = []

    def init_module(self, image: bytes, params: bytes) -> int:
        self.calls.append(("init_module", image, params))
        return self.init

    def finit_module(self, descriptor: int, params: bytes, flags: int) -> int:
        self.calls.append(("finit_module", os.pread(descriptor, 4, 0), params, flags))
        return self.finit

    def delete_module(self, name: bytes, flags: int) -> int:
        self.calls.append(("delete_module", name, flags))
        return self.delete


def a_root(tmp_path: Path, *, lines: str = "", folders: dict[str, dict[str, str]]) -> str:
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / "proc/version").write_text("Linux version 6.1.0-test\n")
    (tmp_path / "proc/cmdline").write_text("quiet ro\n")
    (tmp_path / "proc/sys/kernel/osrelease").write_text("6.1.0-test\n")
    (tmp_path / "proc/modules").write_text(lines)
    for name, files in folders.items():
        folder = tmp_path / "sys/module" / name
        folder.mkdir(parents=True)
        for file, text in files.items():
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_text(text)
    return str(tmp_path)


def a_file(tmp_path: Path, name: str = "tiny.ko", data: bytes | None = None) -> ModuleImage:
    path = tmp_path / name
    path.write_bytes(a_module() if data is None else data)
    return read_image(str(path))


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


def test_a_folder_without_a_refcnt_has_none(tmp_path: Path) -> None:
    line = "loop 1 1 - Live 0xffffffffc0201000\n"
    kernel = LiveKernel(a_root(tmp_path, lines=line, folders={"loop": {"coresize": "40960\n"}}))

    (module,) = kernel.modules()

    assert (module.size, module.refcnt, module.state) == (40960, None, "coming")


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


def test_a_damaged_list_names_its_file(tmp_path: Path) -> None:
    kernel = LiveKernel(a_root(tmp_path, lines="half a line", folders={}))

    with pytest.raises(FormatError) as caught:
        kernel.modules()

    assert caught.value.path == f"{tmp_path}/proc/modules"


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
    kernel = LiveKernel(syscalls=RecordedSyscalls(finit=-number))

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


def test_no_permission_is_explained(tmp_path: Path) -> None:
    kernel = LiveKernel(syscalls=RecordedSyscalls(finit=-errno.EPERM))

    with pytest.raises(NotPermittedError) as caught:
        kernel.insert(a_file(tmp_path))

    assert "needs root" in caught.value.remedy


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


def forced_bytes(image: ModuleImage, flags: int) -> bytes:
    calls = RecordedSyscalls()
    LiveKernel(syscalls=calls).insert(image, flags=flags)
    data = calls.calls[0][1]
    assert isinstance(data, bytes)
    return data


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [32, 64])
def test_without_flags_the_crcs_are_hidden_from_the_kernel(bits: int, order: str) -> None:
    image = ModuleImage(TINY, a_module(versions={"module_layout": 1}, bits=bits, order=order))

    section = ElfFile.from_bytes(forced_bytes(image, IGNORE_MODVERSIONS)).section("__versions")

    assert section is not None
    assert not section.flags & 2
    changed = [one != two for one, two in zip(forced_bytes(image, 1), image.data, strict=True)]
    assert sum(changed) == 1


def test_without_flags_the_vermagic_is_overwritten() -> None:
    image = ModuleImage(TINY, a_module(versions={"module_layout": 1}))
    changed = forced_bytes(image, IGNORE_VERMAGIC)

    assert Module(ModuleImage(TINY, changed)).vermagic is None
    assert len(changed) == len(image.data)


def test_a_vermagic_that_is_not_there_cannot_be_ignored() -> None:
    image = ModuleImage(TINY, a_module(vermagic=None))

    with pytest.raises(KernelError) as caught:
        LiveKernel(syscalls=RecordedSyscalls()).insert(image, flags=IGNORE_VERMAGIC)

    assert caught.value.errno == errno.ENODATA


def test_bytes_that_are_no_elf_file_cannot_be_forced() -> None:
    image = ModuleImage(TINY, b"no module", path="")

    with pytest.raises(FormatError):
        LiveKernel(syscalls=RecordedSyscalls()).insert(image, flags=IGNORE_VERMAGIC)


def test_this_machines_kernel_is_asked_without_a_traceback() -> None:
    kernel = LiveKernel()
    if os.path.exists("/proc/modules"):
        assert len(kernel.modules()) == len(Path("/proc/modules").read_text().splitlines())
    else:
        with pytest.raises((NoModuleSupportError, FileError)):
            kernel.modules()
