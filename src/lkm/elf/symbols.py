"""Read the symbol table of an ELF file.

    ELF32   u32 name, u32 value, u32 size, u8 info, u8 other, u16 shndx        16 bytes
    ELF64   u32 name, u8 info, u8 other, u16 shndx, u64 value, u64 size        24 bytes

A shndx of 0xffff means that the section's number stands in SHT_SYMTAB_SHNDX.

Source: System V ABI, chapter 4, "Symbol Table"; elf(5).
"""

from __future__ import annotations

import struct

from lkm._value import Value
from lkm.elf.constants import SHN_XINDEX, SHT_SYMTAB, SHT_SYMTAB_SHNDX
from lkm.elf.strings import StringTable
from lkm.errors import FormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from lkm.elf.file import ElfFile, Section

ENTRY_CODES = {False: "IIIBBH", True: "IBBHQQ"}
ENTRY_SIZES = {False: 16, True: 24}


class Symbol(Value):
    """One entry of the symbol table.

    *value* is an offset into its section in a relocatable file; *section_index* is that section's
    number, or one of the ``SHN_`` constants; *bind*, *type* and *visibility* are the ``STB_``,
    ``STT_`` and ``STV_`` numbers.
    """

    __slots__ = ("bind", "index", "name", "section_index", "size", "type", "value", "visibility")

    def __init__(
        self,
        *,
        index: int,
        name: str,
        value: int,
        size: int,
        info: int,
        other: int,
        section_index: int,
    ) -> None:
        self.index: Final = index
        self.name: Final = name
        self.value: Final = value
        self.size: Final = size
        self.bind: Final = info >> 4
        self.type: Final = info & 15
        self.visibility: Final = other & 3
        self.section_index: Final = section_index


def symbol_table(elf: ElfFile) -> Section | None:
    """Return the section that holds the symbol table."""
    return next((section for section in elf.sections if section.type == SHT_SYMTAB), None)


def read_symbols(elf: ElfFile) -> tuple[Symbol, ...]:
    """Return every symbol of *elf*, that of index 0 included; none without a symbol table.

    Raises ``FormatError`` for a table that is not made of whole entries, or whose names lie
    outside their string table.
    """
    section = symbol_table(elf)
    if section is None:
        return ()
    table = elf.contents(section)
    if len(table) % ENTRY_SIZES[elf.is_64bit]:
        raise FormatError(elf.what, "a symbol table that is no whole number of entries")
    names = elf.section_at(section.link)
    if names is None:
        raise FormatError(elf.what, f"symbol names in section {section.link}, which is not there")
    strings = StringTable(elf.contents(names), elf.what)
    extended = _extended_indexes(elf, section)
    rows = struct.iter_unpack(elf.order + ENTRY_CODES[elf.is_64bit], table)
    symbols = []
    for index, row in enumerate(rows):
        if elf.is_64bit:
            name, info, other, where, value, size = row
        else:
            name, value, size, info, other, where = row
        if where == SHN_XINDEX and index < len(extended):
            where = extended[index]
        symbols.append(
            Symbol(
                index=index,
                name=strings.text(name) if name else "",
                value=value,
                size=size,
                info=info,
                other=other,
                section_index=where,
            )
        )
    return tuple(symbols)


def _extended_indexes(elf: ElfFile, table: Section) -> tuple[int, ...]:
    for section in elf.sections:
        if section.type == SHT_SYMTAB_SHNDX and section.link == table.index:
            data = elf.contents(section)
            return struct.unpack(f"{elf.order}{len(data) // 4}I", data[: len(data) // 4 * 4])
    return ()
