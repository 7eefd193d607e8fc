"""What binutils' readelf says of the same files."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lkm.elf.constants import SHT_NOTE, SHT_REL, SHT_RELA, STT_SECTION
from lkm.elf.file import ElfFile
from lkm.elf.notes import parse_notes
from lkm.elf.relocations import read_relocations
from lkm.elf.symbols import read_symbols
from tests.builders.elf import EM_PPC, EM_S390, EM_X86_64, AnExport, a_module
from tests.conftest import missing
from tests.module.modules import an_i386_exporter

pytestmark = pytest.mark.oracle

_SECTION = re.compile(
    r"\[ *(\d+)\] (\S*) +(\S+) +([0-9a-f]{8,16}) ([0-9a-f]{6,}) ([0-9a-f]{6,}) ([0-9a-f]{2,})"
    r" +([A-Za-z]*) +(\d+) +(\d+) +(\d+)$",
    re.MULTILINE,
)
_SYMBOL = re.compile(
    r"^ +(\d+): ([0-9a-f]+) +(\d+|0x[0-9a-f]+) +(\S+) +(\S+) +\S+ +(?:\[.*?\] +)?(\S+) ?(.*)$",
    re.MULTILINE,
)
_RELOCATION = re.compile(
    r"^([0-9a-f]{8,16}) +([0-9a-f]{8,16}) R_\S+ .*?(?: ([+-]) ([0-9a-f]+))?$", re.MULTILINE
)
_BUILD_ID = re.compile(r"Build ID: ([0-9a-f]+)")


@pytest.fixture(scope="session")
def readelf() -> str:
    found = shutil.which("readelf")
    if found is None:
        missing("oracle", "readelf of binutils is not installed")
    assert found is not None
    return found


def compare(readelf: str, path: Path) -> None:
    command = [readelf, "-W", "-S", "-s", "-r", "-n", str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    elf = ElfFile.from_bytes(path.read_bytes())

    assert [
        (each.index, each.name, each.address, each.offset, each.size, each.entsize)
        for each in elf.sections
    ] == [
        (int(row[0]), row[1], *(int(field, 16) for field in row[3:7]))
        for row in _SECTION.findall(said)
    ]
    assert [(each.link, each.info, each.addralign) for each in elf.sections] == [
        tuple(map(int, row[8:])) for row in _SECTION.findall(said)
    ]
    compare_symbols(elf, said)
    compare_relocations(elf, said)
    notes = [
        note.description.hex()
        for section in elf.sections
        if section.type == SHT_NOTE
        for note in parse_notes(elf.contents(section), elf.order)
        if (note.name, note.type) == ("GNU", 3)
    ]
    assert notes == _BUILD_ID.findall(said)


def compare_symbols(elf: ElfFile, said: str) -> None:
    kinds = ["NOTYPE", "OBJECT", "FUNC", "SECTION", "FILE"]
    binds = ["LOCAL", "GLOBAL", "WEAK"]
    places = {0: "UND", 0xFFF1: "ABS", 0xFFF2: "COM"}
    assert [
        (
            each.index,
            each.value,
            each.size,
            kinds[each.type],
            binds[each.bind],
            places.get(each.section_index, str(each.section_index)),
            elf.sections[each.section_index].name if each.type == STT_SECTION else each.name,
        )
        for each in read_symbols(elf)
    ] == [(int(row[0]), int(row[1], 16), int(row[2], 0), *row[3:]) for row in _SYMBOL.findall(said)]


def compare_relocations(elf: ElfFile, said: str) -> None:
    shift = 32 if elf.is_64bit else 8
    ours = [
        (each.offset, each.symbol_index << shift | each.type, each.addend)
        for section in elf.sections
        if section.type in {SHT_REL, SHT_RELA}
        for each in read_relocations(elf, section)
    ]
    theirs = [
        (int(offset, 16), int(info, 16), int(sign + (addend or "0"), 16))
        for offset, info, sign, addend in _RELOCATION.findall(said)
    ]
    assert ours == theirs


@pytest.mark.parametrize(("bits", "order"), [(64, "<"), (64, ">"), (32, "<"), (32, ">")])
def test_readelf_reads_the_same_in_a_module_that_we_built(
    readelf: str, tmp_path: Path, bits: int, order: str
) -> None:
    machine = {(64, "<"): EM_X86_64, (32, ">"): EM_PPC, (64, ">"): EM_S390}.get((bits, order), 3)
    path = tmp_path / "m.ko"
    path.write_bytes(
        a_module(
            exports=[AnExport(name="a", crc=1), AnExport(name="b", gpl_only=True)],
            imports=["printk"],
            weak_imports=["maybe"],
            bits=bits,
            order=order,
            machine=machine,
        )
    )

    compare(readelf, path)


def test_readelf_reads_the_same_relocations_without_addends(readelf: str, tmp_path: Path) -> None:
    path = tmp_path / "m.ko"
    path.write_bytes(an_i386_exporter([AnExport(name="a", crc=1), AnExport(name="b", crc=2)]))

    compare(readelf, path)


@pytest.mark.debian
def test_readelf_reads_the_same_in_real_modules(readelf: str, debian_root: Path) -> None:
    modules = sorted(debian_root.glob("lib/modules/*/kernel/**/*.ko"))
    assert modules
    for path in modules[:: len(modules) // 15]:
        compare(readelf, path)
