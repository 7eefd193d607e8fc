from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lkm.cache import FileIdentity
from lkm.elf.file import ElfFile
from lkm.errors import FormatError
from lkm.module.quick_elf import identity_at
from lkm.module.quick_scan import quick_facts
from lkm.module.scan import scan_file
from tests.builders.elf import ASection, ASymbol, a_module
from tests.module.test_scan import KINDS, a_full_module

if TYPE_CHECKING:
    from lkm.module.scanned import Facts, Identity

QUICK = (64, "<")


def written(folder: Path, data: bytes) -> str:
    path = folder / "m.ko"
    path.write_bytes(data)
    return str(path)


def quickly(path: str) -> Facts | None:
    found = quick_facts(path)
    return None if found is None else found[1]


def test_the_quick_way_and_the_general_one_say_the_same(tmp_path: Path) -> None:
    path = written(tmp_path, a_full_module(*QUICK))

    quick = quickly(path)

    assert quick == scan_file(path).facts
    assert quick is not None
    assert quick[2] == b"printk\0kfree\0maybe\0module_layout"


def test_it_tells_which_state_of_the_file_it_has_read(tmp_path: Path) -> None:
    path = written(tmp_path, a_full_module(*QUICK))

    quick = quick_facts(path)

    assert quick is not None
    assert FileIdentity.of(path) == identity_of(quick[0])
    assert quick[0] == identity_at(path)
    assert identity_at(str(tmp_path / "none")) is None


def identity_of(identity: Identity) -> FileIdentity:
    device, inode, size, mtime, ctime = identity
    return FileIdentity(device, inode, size, mtime, ctime)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != QUICK])
def test_other_classes_and_byte_orders_are_left_to_the_general_way(
    tmp_path: Path, kind: tuple[int, str]
) -> None:
    assert quick_facts(written(tmp_path, a_full_module(*kind))) is None


def test_what_is_no_such_file_is_left_to_the_general_way(tmp_path: Path) -> None:
    assert quick_facts(str(tmp_path / "none.ko")) is None
    assert quick_facts(str(tmp_path)) is None
    assert quick_facts(written(tmp_path, b"")) is None
    assert quick_facts(written(tmp_path, b"\x1f\x8b" + bytes(100))) is None


def test_a_file_cut_anywhere_is_left_to_the_general_way(tmp_path: Path) -> None:
    data = a_full_module(*QUICK)
    for size in range(len(data)):
        assert quick_facts(written(tmp_path, data[:size])) is None


def test_with_any_byte_changed_it_says_what_the_general_way_says_or_nothing(tmp_path: Path) -> None:
    data = a_full_module(*QUICK)
    answered = 0
    for index in range(len(data)):
        changed = bytearray(data)
        changed[index] ^= 0xFF
        path = written(tmp_path, bytes(changed))
        quick = quickly(path)
        if quick is not None:
            answered += 1
            assert quick == scan_file(path).facts
    assert 0 < answered < len(data)


def test_an_undefined_symbol_among_the_local_ones_is_found(tmp_path: Path) -> None:
    data = a_module(extra_symbols=[ASymbol("hidden", bind=0)], imports=["seen"])

    path = written(tmp_path, data)

    assert quickly(path) == scan_file(path).facts
    assert set(scan_file(path).needs) == {"seen", "hidden"}


@pytest.mark.debian
def test_on_a_real_kernel_it_answers_for_every_module(debian_root: Path) -> None:
    paths = [str(path) for path in debian_root.rglob("*.ko")]

    assert len(paths) > 1000
    for path in paths:
        assert quickly(path) == scan_file(path).facts


def test_the_general_way_refuses_what_the_quick_one_left(tmp_path: Path) -> None:
    with pytest.raises(FormatError):
        scan_file(written(tmp_path, a_full_module(*QUICK)[:200]))


def test_names_that_overlap_are_refused_in_both_ways(tmp_path: Path) -> None:
    name = "n" * 3000
    whole = written(tmp_path, a_module(imports=[name]))
    assert quick_facts(whole) is not None
    data = bytearray(a_module(imports=[name, *[f"x{number}" for number in range(500)]]))
    elf = ElfFile.from_bytes(bytes(data), what="module")
    table, strings = elf.section(".symtab"), elf.section_data(".strtab")
    assert table is not None
    assert strings is not None
    at = strings.index(name.encode())
    for entry in range(24, table.size, 24):
        data[table.offset + entry : table.offset + entry + 4] = at.to_bytes(4, "little")
    path = written(tmp_path, bytes(data))

    assert quick_facts(path) is None
    with pytest.raises(FormatError, match="overlap"):
        scan_file(path)


def test_a_hole_is_not_read_as_a_section(tmp_path: Path) -> None:
    data = a_full_module(*QUICK)
    elf = ElfFile.from_bytes(data, what="module")
    start = len(data) - 64 * len(elf.sections)
    place = next(n for n, each in enumerate(elf.sections) if each.name == ".modinfo")
    changed = bytearray(data)
    size = start + place * 64 + 32
    changed[size : size + 8] = (1 << 32).to_bytes(8, "little")
    path = written(tmp_path, bytes(changed))
    os.truncate(path, 1 << 33)

    assert quick_facts(path) is None
    with pytest.raises(FormatError, match="of 4294967296 bytes"):
        scan_file(path)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (a_module(modinfo=["alias=x"] * 33000), "more than 32768 entries in .modinfo"),
        (
            a_module(extra=[ASection("__ksymtab_strings", b"a\0" * 66000)]),
            "more than 65536 names in __ksymtab_strings",
        ),
    ],
    ids=["entries", "exports"],
)
def test_more_than_any_module_has_is_refused_in_both_ways(
    tmp_path: Path, data: bytes, problem: str
) -> None:
    path = written(tmp_path, data)

    assert quick_facts(path) is None
    with pytest.raises(FormatError, match=problem):
        scan_file(path)
