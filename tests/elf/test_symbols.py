from __future__ import annotations

import struct

import pytest

from lkm.elf.constants import SHN_ABS, SHN_UNDEF, SHT_SYMTAB_SHNDX, STB_GLOBAL, STB_WEAK, STT_FUNC
from lkm.elf.file import ElfFile
from lkm.elf.symbols import read_symbols
from lkm.errors import FormatError
from tests.builders.elf import FUNC, LOCAL, WEAK, ASection, ASymbol, an_elf

KINDS = [(64, "<"), (64, ">"), (32, "<"), (32, ">")]
SYMBOLS = [
    ASymbol("here", ".text", 4, 9, bind=LOCAL, type=FUNC),
    ASymbol("printk"),
    ASymbol("maybe", bind=WEAK),
    ASymbol("__crc_here", SHN_ABS, 0xDEADBEEF),
]


def a_file(bits: int = 64, order: str = "<") -> bytes:
    return an_elf([ASection(".text", bytes(16))], SYMBOLS, bits=bits, order=order)


@pytest.mark.parametrize(("bits", "order"), KINDS)
def test_symbols_are_read_in_either_width_and_byte_order(bits: int, order: str) -> None:
    symbols = read_symbols(ElfFile.from_bytes(a_file(bits, order)))

    names = ["", "here", "printk", "maybe", "__crc_here"]
    assert [symbol.name for symbol in symbols] == names
    assert [symbol.index for symbol in symbols] == [0, 1, 2, 3, 4]
    _, here, printk, maybe, crc = symbols
    assert (here.value, here.size, here.type, here.section_index) == (4, 9, STT_FUNC, 1)
    assert (printk.section_index, printk.bind) == (SHN_UNDEF, STB_GLOBAL)
    assert maybe.bind == STB_WEAK
    assert (crc.value, crc.section_index, crc.visibility) == (0xDEADBEEF, SHN_ABS, 0)


def test_a_file_without_symbol_table_has_no_symbols() -> None:
    data = bytearray(an_elf([ASection(".text", bytes(16))]))
    (table,) = struct.unpack_from("<Q", data, 40)
    struct.pack_into("<I", data, table + 2 * 64 + 4, 1)  # .symtab becomes SHT_PROGBITS

    assert read_symbols(ElfFile.from_bytes(bytes(data))) == ()


def test_section_numbers_too_large_for_a_symbol_stand_in_a_section_of_their_own() -> None:
    numbers = struct.pack("<5I", 0, 0, 70_000, 0, 0)
    extended = ASection(".symtab_shndx", numbers, SHT_SYMTAB_SHNDX, flags=0, link=".symtab")
    symbols = [*SYMBOLS[:1], ASymbol("far", 0xFFFF), *SYMBOLS[2:]]
    elf = ElfFile.from_bytes(an_elf([ASection(".text", bytes(16)), extended], symbols))

    assert [symbol.section_index for symbol in read_symbols(elf)] == [0, 1, 70_000, 0, SHN_ABS]


@pytest.mark.parametrize(
    ("field", "code", "value", "problem"),
    [
        (32, "<Q", 25, "no whole number of entries"),
        (40, "<I", 99, "symbol names in section 99"),
        (24, "<Q", 1 << 50, ".symtab of"),
    ],
)
def test_a_symbol_table_that_lies_is_a_format_error(
    field: int, code: str, value: int, problem: str
) -> None:
    data = bytearray(a_file())
    (table,) = struct.unpack_from("<Q", data, 40)
    struct.pack_into(code, data, table + 2 * 64 + field, value)

    with pytest.raises(FormatError) as caught:
        read_symbols(ElfFile.from_bytes(bytes(data)))
    assert problem in str(caught.value)


def test_a_symbol_name_outside_the_strings_is_a_format_error() -> None:
    data = bytearray(a_file())
    table = ElfFile.from_bytes(bytes(data)).sections[2]
    struct.pack_into("<I", data, table.offset + 24, 0xFFFF_FFFF)

    with pytest.raises(FormatError, match="a name at 4294967295"):
        read_symbols(ElfFile.from_bytes(bytes(data)))
