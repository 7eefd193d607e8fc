"""kmod's text: lsmod's table, modinfo's lines."""

from __future__ import annotations

from pathlib import Path

from lkm.kernel.loaded import LoadedModule
from lkm.module.facts import Module
from lkm.names import ModuleName
from lkm.report import text
from lkm.tree.builtin import Builtin
from tests.builders.elf import ASection, a_module


def test_the_table_has_kmods_columns() -> None:
    modules = [
        LoadedModule(
            name=ModuleName("jbd2"),
            size=208896,
            refcnt=1,
            holders=(ModuleName("ocfs2"), ModuleName("ext4")),
        ),
        LoadedModule(name=ModuleName("loop"), size=40960, refcnt=None),
        LoadedModule(name=ModuleName("a_name_of_more_than_19_letters"), size=1, refcnt=0),
    ]

    assert text.lsmod_table(modules) == (
        "Module                  Size  Used by\n"
        "jbd2                  208896  1 ocfs2,ext4\n"
        "loop                   40960  -2\n"
        "a_name_of_more_than_19_letters        1  0\n"
    )


def a_file(folder: Path, **parts: object) -> Module:
    path = folder / "tiny.ko"
    path.write_bytes(a_module(**parts))
    return Module.open(str(path))


def test_a_long_key_is_followed_by_its_value_directly(tmp_path: Path) -> None:
    with a_file(tmp_path, modinfo=["averyveryverylongkey=v", "exactly15letter=w"]) as module:
        lines = text.modinfo_text(module, "/x/tiny.ko").splitlines()

    assert lines[:3] == [
        "filename:       /x/tiny.ko",
        "averyveryverylongkey:v",
        "exactly15letter:w",
    ]


def test_parameters_come_last_and_in_reverse_with_what_is_known_of_each(tmp_path: Path) -> None:
    modinfo = ["parm=a:Text of a", "parmtype=b:int", "parm=c:Text of c", "parmtype=c:bool"]
    with a_file(tmp_path, modinfo=modinfo) as module:
        lines = text.modinfo_text(module, "/x/tiny.ko").splitlines()

    assert lines[-3:] == [
        "parm:           c:Text of c (bool)",
        "parm:           b:int",
        "parm:           a:Text of a",
    ]
    assert not [line for line in lines[:-3] if line.startswith("parm")]


def test_the_parameter_field_has_its_own_form_without_a_text() -> None:
    entries = (("parm", "a:Text"), ("parmtype", "b:int"))

    assert text.parameter_lines(entries, as_field=True) == ["b: (int)", "a:Text"]


def test_null_ends_entries_as_key_and_value(tmp_path: Path) -> None:
    with a_file(tmp_path, modinfo=["author=A"], name="tiny") as module:
        entries = text.modinfo_text(module, "/x/tiny.ko", end="\0").split("\0")

    assert entries[:2] == ["filename:       /x/tiny.ko", "author=A"]
    assert entries[-1] == ""


def test_the_build_id_follows_the_entries(tmp_path: Path) -> None:
    note = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0" + bytes(range(20))
    section = ASection(".note.gnu.build-id", note, type=7)
    with a_file(tmp_path, extra=[section]) as module:
        lines = text.modinfo_text(module, "/x/tiny.ko").splitlines()

    digits = ":".join(f"{number:02X}" for number in range(20))
    assert lines[-1] == f"build-id:       {digits}"


def test_hexadecimal_text_breaks_after_twenty_bytes() -> None:
    shown = text.hex_text(bytes(21))

    assert shown == "00:" * 20 + "\n\t\t" + "00"


def test_a_builtin_has_a_name_and_no_file() -> None:
    builtin = Builtin(
        name=ModuleName("unix"),
        path="kernel/net/unix/unix.ko",
        modinfo=(("alias", "net-pf-1"), ("license", "GPL"), ("file", "net/unix/unix")),
    )

    assert text.builtin_text(builtin).splitlines() == [
        "name:           unix",
        "filename:       (builtin)",
        "alias:          net-pf-1",
        "license:        GPL",
        "file:           net/unix/unix",
    ]
