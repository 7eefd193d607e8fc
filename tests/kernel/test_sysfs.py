from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from lkm.kernel.live import LiveKernel
from lkm.kernel.sysfs import SysFolder, SysModule, builtin_folders, loaded_folders, read_folders
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
    "more/inside": "",
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
    (folder / "drivers/pci:snd").symlink_to(tmp_path)
    (folder / "holders").mkdir()
    (folder / "holders/other").symlink_to(tmp_path)

    module = shown(tmp_path, "snd")["snd"]

    assert (module.name, module.initsize) == ("snd", 4096)
    assert (module.version, module.srcversion) == ("1.2", "ABC")
    assert module.parameters == {"debug": "Y", "text": "two\nlines\n"}
    assert module.sections == {".text": 0xFFFFFFFFC0201000, ".hidden": None, ".odd": None}
    assert (module.notes, module.drivers) == ((".note.gnu.build-id",), ("pci:snd",))
    assert (module.attributes, module.folders) == ({"scmversion": "g123"}, {"more": ("inside",)})
    assert module.unreadable == {}


def test_what_the_kernel_refuses_is_marked() -> None:
    folder: SysFolder = {
        "uevent": errno.EACCES,
        "version": errno.EIO,
        "parameters": {"secret": errno.EPERM, "open": b"1\n"},
        "sections": {".text": errno.EACCES},
    }

    module = loaded_folders({"snd": folder}, ["snd"])["snd"]

    assert module.unreadable == {"version": errno.EIO, "parameters/secret": errno.EPERM}
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


class Vanishing:
    """Stands for ``os.open``: takes the folder away when the file of that name is opened."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self._open = os.open

    def __call__(self, path: str, flags: int, mode: int = 0o777) -> int:
        if path.endswith(self.name) and self.folder.exists():
            self.folder.rename(self.folder.parent.parent / "gone")
        return self._open(path, flags, mode)


@pytest.mark.parametrize("name", ["coresize", "parameters/debug", "sections/.text", "version"])
def test_a_module_that_vanishes_while_it_is_read_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    sys = tmp_path / "module"
    folder = a_folder(sys / "snd", FILES)
    a_folder(sys / "stays", FILES)
    monkeypatch.setattr(os, "open", Vanishing(folder, f"snd/{name}"))

    assert list(shown(sys, "snd", "stays")) == ["stays"]


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
    names = set(sandbox.listing("/sys/module"))
    assert names == {"base", *(each.name for each in builtin_folders(folders, ["base"]))}
