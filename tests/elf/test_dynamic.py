from __future__ import annotations

import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

from lkm.elf.dynamic import Dynamic, read_dynamic
from lkm.elf.file import ElfFile
from lkm.errors import FormatError
from tests.builders.elf import ASection, an_elf
from tests.conftest import missing

NAMES = b"\0libc.so.6\0$ORIGIN/lib:/opt/lib\0libmine.so\0/old\0"
EMPTY = Dynamic("", (), ())


def a_program(
    entries: list[tuple[int, int]], *, bits: int = 64, order: Literal["<", ">"] = "<"
) -> bytes:
    word = order + ("QQ" if bits == 64 else "II")
    table = b"".join(struct.pack(word, *entry) for entry in entries)
    sections = [
        ASection(".interp", b"/lib64/ld-linux-x86-64.so.2\0"),
        ASection(".dynstr", NAMES, type=3),
        ASection(".dynamic", table, type=6),
    ]
    return an_elf(sections, bits=bits, order=order)


def at(name: bytes) -> int:
    return NAMES.index(name)


@pytest.mark.parametrize("bits", [64, 32])
@pytest.mark.parametrize("order", ["<", ">"])
def test_what_is_needed_and_where_to_look_is_read(bits: int, order: Literal["<", ">"]) -> None:
    entries = [
        (1, at(b"libmine.so")),
        (1, at(b"libc.so.6")),
        (15, at(b"/old")),
        (29, at(b"$ORIGIN")),
        (14, at(b"libmine.so")),
        (0, 0),
        (1, at(b"/old")),  # behind the end
    ]
    found = read_dynamic(ElfFile.from_bytes(a_program(entries, bits=bits, order=order)))

    assert found == Dynamic(
        "/lib64/ld-linux-x86-64.so.2",
        ("libmine.so", "libc.so.6"),
        ("$ORIGIN/lib", "/opt/lib"),
    )


def test_the_older_list_of_folders_counts_where_there_is_no_newer_one() -> None:
    assert read_dynamic(ElfFile.from_bytes(a_program([(15, at(b"/old"))]))).folders == ("/old",)


def test_a_name_outside_the_table_is_none() -> None:
    found = read_dynamic(ElfFile.from_bytes(a_program([(1, len(NAMES)), (1, 1 << 63)])))

    assert found.needed == ()


def test_what_is_static_needs_nothing() -> None:
    assert read_dynamic(ElfFile.from_bytes(an_elf())) == EMPTY


def test_cut_anywhere_it_is_a_format_error_or_read() -> None:
    data = a_program([(1, at(b"libc.so.6")), (0, 0)])
    whole = read_dynamic(ElfFile.from_bytes(data))
    for end in range(len(data)):
        try:
            found = read_dynamic(ElfFile.from_bytes(data[:end]))
        except FormatError:
            continue
        assert found in (whole, EMPTY)


def test_with_any_byte_changed_it_is_a_format_error_or_read() -> None:
    data = a_program([(1, at(b"libc.so.6")), (0, 0)])
    for place in range(len(data)):
        for value in (0, 0x7F, 0xFF):
            changed = bytearray(data)
            changed[place] = value
            try:
                read_dynamic(ElfFile.from_bytes(bytes(changed)))
            except FormatError:
                continue


@pytest.mark.oracle
@pytest.mark.parametrize("program", [sys.executable, "/bin/sh", "/bin/ls", "/usr/bin/ld.bfd"])
def test_readelf_reads_the_same(program: str) -> None:
    readelf = shutil.which("readelf")
    if readelf is None or not Path(program).exists():
        missing("oracle", f"there is no readelf, or no {program}")
    done = subprocess.run(
        [str(readelf), "-W", "-d", "-l", program], capture_output=True, text=True, check=True
    )
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", done.stdout)
    interpreter = re.findall(r"program interpreter: (.*)\]", done.stdout)
    folders = re.findall(r"\((?:RUNPATH|RPATH)\).*\[(.*)\]", done.stdout)

    found = read_dynamic(ElfFile.from_bytes(Path(program).read_bytes()))
    assert list(found.needed) == needed
    assert [found.interpreter] == (interpreter or [""])
    assert ":".join(found.folders) == ":".join(folders)
