from __future__ import annotations

import errno
from pathlib import Path

import pytest

from lkm.errors import FileError
from lkm.names import ModuleName
from tests.builders.elf import AnExport, ASection
from tests.kernel.trees import (
    IN_TREE,
    LAYOUT_CRC,
    RELEASE,
    SIGNATURE,
    a_sandbox,
    a_signed,
    an_image,
    module_file,
)
from tests.loader.parameter_modules import DECLARED, a_parameter_module

BASE, MIDDLE, TOP = map(ModuleName, ("base", "middle", "top"))


def test_the_files_of_a_module_are_the_kernels(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    sandbox.insert(module_file(root, "base"))
    sandbox.insert(
        an_image(
            a_signed("mine", modinfo=("version=1.2", "srcversion=AB"), imports=("plain",)), "mine"
        )
    )

    read = {
        name: sandbox.read(f"/sys/module/mine/{name}")
        for name in sandbox.listing("/sys/module/mine")
        if name not in {"holders", "sections", "uevent"}
    }

    assert read == {
        "coresize": b"12288\n",
        "initsize": b"0\n",
        "initstate": b"live\n",
        "refcnt": b"0\n",
        "srcversion": b"AB\n",
        "taint": b"O\n",
        "version": b"1.2\n",
    }
    assert sandbox.listing("/sys/module/base/holders") == ("mine",)
    assert sandbox.read("/sys/module/base/holders/mine/version") == b"1.2\n"
    assert sandbox.read("/sys/module/base/refcnt") == b"1\n"
    assert sandbox.read("/sys/module/base/taint") == b"\n"
    assert "version" not in sandbox.listing("/sys/module/base")


def test_the_kernels_own_files_are_there(tmp_path: Path) -> None:
    sandbox, _root = a_sandbox(tmp_path, command_line="quiet")

    assert sandbox.read("/proc/cmdline") == b"quiet\n"
    assert sandbox.read("/proc/sys/kernel/osrelease") == f"{RELEASE}\n".encode()
    assert sandbox.read("/proc/version").startswith(f"Linux version {RELEASE} ".encode())
    assert sandbox.read("/proc/sys/kernel/tainted") == b"0\n"
    assert sandbox.read("/proc//sys/../modules") == b""
    assert sandbox.listing("/") == ("proc", "sys")
    assert sandbox.read("/sys/module") == b""
    assert sandbox.read("/proc") == b"cmdline\nkallsyms\nmodules\nsys\nversion\n"


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("/proc/nothing", errno.ENOENT),
        ("/sys/module/base/refcnt", errno.ENOENT),
        ("/proc/modules/more", errno.ENOTDIR),
        ("/etc/passwd", errno.ENOENT),
        ("/proc/../../../etc/passwd", errno.ENOENT),
    ],
)
def test_what_is_not_there_is_a_file_error(tmp_path: Path, path: str, number: int) -> None:
    sandbox, _root = a_sandbox(tmp_path)

    with pytest.raises(FileError) as caught:
        sandbox.read(path)

    assert caught.value.errno == number


def test_a_file_has_no_listing(tmp_path: Path) -> None:
    sandbox, _root = a_sandbox(tmp_path)

    with pytest.raises(FileError) as caught:
        sandbox.listing("/proc/modules")

    assert caught.value.errno == errno.ENOTDIR


def test_the_list_of_modules_is_the_kernels_to_the_byte(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    for name in (BASE, MIDDLE, TOP):
        sandbox.insert(module_file(root, name))

    # The first module lands where a kernel without address randomisation puts it, the next behind
    # it and a guard page, as recorded on the real kernel.
    assert sandbox.read("/proc/modules").decode() == (
        "top 12288 0 - Live 0xffffffffc020b000\n"
        "middle 16384 1 top, Live 0xffffffffc0206000\n"
        "base 16384 2 top,middle, Live 0xffffffffc0201000\n"
    )


def test_a_name_that_is_not_utf_8_is_kept_byte_for_byte(tmp_path: Path) -> None:
    data = a_signed("tiny").replace(b"tiny\0", b"t\xe9ny\0")
    sandbox, _root = a_sandbox(tmp_path)

    sandbox.insert(an_image(data))

    assert sandbox.read("/proc/modules").startswith(b"t\xe9ny 12288 ")
    assert sandbox.listing("/sys/module") == ("t\udce9ny",)


def test_the_sections_of_a_module_show_where_they_lie(tmp_path: Path) -> None:
    sandbox, _root = a_sandbox(tmp_path)
    note = ASection(".note.Linux", b"\4\0\0\0", type=7, align=4)
    empty = ASection(".data.empty", flags=3)
    sandbox.insert(an_image(a_signed("tiny", extra=(note, empty))))

    sections = {
        name: sandbox.read(f"/sys/module/tiny/sections/{name}").decode()
        for name in sandbox.listing("/sys/module/tiny/sections")
    }

    assert sections == {
        ".text": "0xffffffffc0201000\n",
        ".exit.text": "0xffffffffc0201010\n",
        ".note.Linux": "0xffffffffc0202000\n",
        ".gnu.linkonce.this_module": "0xffffffffc0203000\n",
        # What is for init lies behind a page that is free.
        ".init.text": "0xffffffffc0206000\n",
        ".symtab": "0xffffffffc0207000\n",
        ".strtab": sections[".strtab"],
    }
    assert sandbox.read("/sys/module/tiny/notes/.note.Linux") == b"\4\0\0\0"


def test_parameters_are_shown_as_they_were_set(tmp_path: Path) -> None:
    operations = sorted({ops for ops, _m, _f in DECLARED.values() if ops.startswith("param_")})
    base = a_signed("base", exports=[AnExport(name=name, crc=7) for name in operations])
    versions = {"module_layout": LAYOUT_CRC} | dict.fromkeys(operations, 7)
    data = a_parameter_module(modinfo=IN_TREE, versions=versions) + SIGNATURE
    sandbox, root = a_sandbox(tmp_path, modules={"base": base, "tiny": data})
    sandbox.insert(module_file(root, "base"))

    sandbox.insert(module_file(root, "tiny"), 'num=7 list=1,2,3 name="x y" yes=0')

    folder = "/sys/module/tiny/parameters"
    assert sandbox.listing(folder) == tuple(sorted(set(DECLARED) - {"hidden"}))
    assert sandbox.read(f"{folder}/num") == b"7\n"
    assert sandbox.read(f"{folder}/list") == b"1,2,3\n"
    assert sandbox.read(f"{folder}/name") == b"x y\n"
    assert sandbox.read(f"{folder}/yes") == b"N\n"
    for name, number in (("secret", errno.EACCES), ("own", errno.ENODATA)):
        with pytest.raises(FileError) as caught:
            sandbox.read(f"{folder}/{name}")
        assert caught.value.errno == number


def test_what_can_only_be_written_cannot_be_read(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    sandbox.insert(module_file(root, "base"))

    assert "uevent" in sandbox.listing("/sys/module/base")
    with pytest.raises(FileError) as caught:
        sandbox.read("/sys/module/base/uevent")
    assert caught.value.errno == errno.EACCES


def test_a_removed_module_leaves_no_file(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    sandbox.insert(module_file(root, "base"))
    sandbox.remove(BASE)
    sandbox.insert(module_file(root, "alone"))

    assert sandbox.listing("/sys/module") == ("alone",)
    assert b"[base]" not in sandbox.read("/proc/kallsyms")
