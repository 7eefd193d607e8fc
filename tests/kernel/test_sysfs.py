from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lkm.kernel.live import LiveKernel
from lkm.kernel.sysfs import (
    SysFolder,
    SysModule,
    builtin_folders,
    generations,
    loaded_folders,
    read_folders,
)
from tests.kernel.live import Meanwhile
from tests.kernel.trees import a_sandbox, module_file

FILES = {
    "coresize": "16384\n",
    "initsize": "4096\n",
    "initstate": "live\n",
    "refcnt": "1\n",
    "taint": "OE\n",
    "uevent": "never shown\n",
    "version": "1.2\n",
    "srcversion": "ABC\n",
    "scmversion": "g123\n",
    "parameters/debug": "Y\n",
    "parameters/text": "two\nlines\n\n",
    "sections/.text": "0xffffffffc0201000\n",
    "sections/.hidden": "0x0000000000000000\n",
    "sections/.odd": "what\n",
    "notes/.note.gnu.build-id": "\x04",
    "more/inside": "hello\n",
    "more/deeper/still": "there",
}


def a_folder(place: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return place


def shown(sys: Path, *loaded: str) -> dict[str, SysModule]:
    folders = read_folders(str(sys))
    assert folders is not None
    return loaded_folders(folders, loaded)


def test_all_of_a_modules_folder_is_told(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "snd", FILES)
    (folder / "drivers").mkdir()
    (folder / "drivers/pci:snd").symlink_to("../../bus/pci/drivers/snd")
    (folder / "holders").mkdir()
    (folder / "holders/other").symlink_to("../../other")
    (folder / "more/link").symlink_to("inside")

    module = shown(tmp_path, "snd")["snd"]

    assert (module.name, module.initsize) == ("snd", 4096)
    assert (module.version, module.srcversion) == ("1.2", "ABC")
    assert module.parameters == {"debug": "Y", "text": "two\nlines\n"}
    assert module.sections == {".text": 0xFFFFFFFFC0201000, ".hidden": None, ".odd": None}
    assert (module.notes, module.drivers) == ({".note.gnu.build-id": b"\x04"}, ("pci:snd",))
    assert module.attributes == {"scmversion": "g123"}
    assert module.folders == {
        "more": {"inside": "hello", "deeper": {"still": "there"}, "link": None}
    }
    assert module.links == {
        "drivers/pci:snd": "../../bus/pci/drivers/snd",
        "holders/other": "../../other",
        "more/link": "inside",
    }
    assert module.unreadable == {}


def test_what_the_kernel_refuses_is_marked() -> None:
    folder: SysFolder = {
        "uevent": errno.EACCES,
        "version": errno.EIO,
        "parameters": {"secret": errno.EPERM, "open": b"1\n"},
        "sections": {".text": errno.EACCES},
        "notes": {".note.a": errno.EACCES},
        "more": {"deeper": {"x": errno.EIO}},
    }

    module = loaded_folders({"snd": folder}, ["snd"])["snd"]

    assert module.unreadable == {
        "version": errno.EIO,
        "parameters/secret": errno.EPERM,
        "notes/.note.a": errno.EACCES,
        "more/deeper/x": errno.EIO,
    }
    assert module.notes == {".note.a": None}
    assert module.folders == {"more": {"deeper": {"x": None}}}
    assert module.parameters == {"secret": None, "open": "1"}
    assert module.sections == {".text": None}


def test_parts_of_the_kernel_are_told_apart_from_modules(tmp_path: Path) -> None:
    a_folder(tmp_path / "printk", {"parameters/time": "N\n", "uevent": ""})
    a_folder(tmp_path / "snd", FILES)
    a_folder(tmp_path / "just_loaded", {"initstate": "coming\n"})
    (tmp_path / "compression").write_text("zstd\n")

    folders = read_folders(str(tmp_path))

    assert folders is not None
    (builtin,) = builtin_folders(folders, ["snd"])
    assert (builtin.name, builtin.parameters) == ("printk", {"time": "N"})
    assert folders["compression"] == b"zstd\n"


def test_without_sysfs_nothing_is_told(tmp_path: Path) -> None:
    assert read_folders(str(tmp_path / "nowhere")) is None
    assert LiveKernel(str(tmp_path)).sys_module() is None


def gone(folder: Path) -> None:
    folder.rename(folder.parent.parent / "gone")


def replaced(folder: Path) -> None:
    gone(folder)
    a_folder(folder, {**FILES, "refcnt": "7\n"})


def half_gone(folder: Path) -> None:
    """Take its files away one after the other, as the kernel does; the folder is left."""
    for path in folder.rglob("*"):
        if path.is_file():
            path.unlink()


@pytest.mark.parametrize("change", [gone, replaced, half_gone])
@pytest.mark.parametrize("name", ["coresize", "parameters/debug", "sections/.text", "version"])
def test_a_module_that_changes_while_it_is_read_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, change: Callable[[Path], None]
) -> None:
    sys = tmp_path / "module"
    folder = a_folder(sys / "snd", FILES)
    a_folder(sys / "stays", FILES)
    monkeypatch.setattr(os, "open", Meanwhile(f"snd/{name}", lambda: change(folder)))

    assert list(shown(sys, "snd", "stays")) == ["stays"]


def test_a_module_loaded_anew_is_not_the_one_of_before(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "module/snd", FILES)
    since = generations(str(tmp_path / "module"))
    replaced(folder)

    assert read_folders(str(tmp_path / "module"), since) == {}
    assert read_folders(str(tmp_path / "module"), generations(str(tmp_path / "module"))) != {}


def test_an_errno_that_a_parameter_gives_is_no_sign_that_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_folder(tmp_path / "snd", FILES)

    def refuse() -> None:
        raise OSError(errno.ENODEV, "no device")

    monkeypatch.setattr(os, "open", Meanwhile("parameters/debug", refuse))

    assert shown(tmp_path, "snd")["snd"].unreadable == {"parameters/debug": errno.ENODEV}


def test_a_holder_that_goes_takes_nothing_with_it(tmp_path: Path) -> None:
    holders = tmp_path / "module/snd/holders"
    a_folder(tmp_path / "module/snd", FILES)
    holders.mkdir()
    (holders / "other").symlink_to(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        before = os.readlink

        def readlink(path: str, *, dir_fd: int | None = None) -> str:
            (holders / "other").unlink()
            return before(path, dir_fd=dir_fd)

        patch.setattr(os, "readlink", readlink)
        assert list(shown(tmp_path / "module", "snd")) == ["snd"]


def test_the_sandbox_shows_its_own_folders(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    sandbox.insert(module_file(root, "base"))

    folders = sandbox.sys_module()

    assert folders is not None
    base = loaded_folders(folders, ["base"])["base"]
    assert base.initsize == 0
    assert base.sections
    assert base.sections[".text"] == sandbox.modules()[0].address
    assert base.unreadable == {}
    sandbox.insert(module_file(root, "middle"))
    folders = sandbox.sys_module()
    assert folders is not None
    base = loaded_folders(folders, ["base"])["base"]
    assert base.links == {"holders/middle": "../../middle"}
    names = set(sandbox.listing("/sys/module")) - {"middle"}
    assert names == {"base", *(each.name for each in builtin_folders(folders, ["base", "middle"]))}
