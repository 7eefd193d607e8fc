"""Read relocation sections of an ELF file.

    REL     word offset, word info               the addend stands at the place relocated
    RELA    word offset, word info, word addend (signed)
    info    symbol << 8 | type (ELF32), symbol << 32 | type (ELF64)

64-bit little-endian MIPS is the exception: its info is a 32-bit symbol, then four bytes of types.

Source: System V ABI, chapter 4, "Relocation"; elf(5); for MIPS binutils, elf64-mips.c.
"""

from __future__ import annotations

import struct

from lkm._value import Value
from lkm.elf.constants import EM_MIPS, SHT_REL, SHT_RELA
from lkm.errors import FormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from lkm.elf.file import ElfFile, Section

_CODES = {(False, False): "II", (False, True): "IIi", (True, False): "QQ", (True, True): "QQq"}


class Relocation(Value):
    """One relocation.

    *offset* is in the section that is relocated (in a relocatable file); *type* is the machine's
    own number; *addend* is 0 where it stands in place (``SHT_REL``).
    """

    __slots__ = ("addend", "offset", "symbol_index", "type")

    def __init__(self, offset: int, type: int, symbol_index: int, addend: int = 0) -> None:  # noqa: A002  # ELF's word
        self.offset: Final = offset
        self.type: Final = type
        self.symbol_index: Final = symbol_index
        self.addend: Final = addend


def read_relocations(elf: ElfFile, section: Section) -> tuple[Relocation, ...]:
    """Return the relocations in *section*, which is of type ``SHT_REL`` or ``SHT_RELA``.

    Raises ``FormatError`` for a section of another type, or one that is no whole number of
    entries.
    """
    if section.type not in {SHT_REL, SHT_RELA}:
        raise FormatError(elf.what, f"section {section.name} holds no relocations")
    code = struct.Struct(elf.order + _CODES[elf.is_64bit, section.type == SHT_RELA])
    data = elf.contents(section)
    if len(data) % code.size:
        raise FormatError(elf.what, f"{section.name} is no whole number of relocations")
    rows = code.iter_unpack(data)
    if not elf.is_64bit:
        return tuple([Relocation(row[0], row[1] & 0xFF, row[1] >> 8, *row[2:]) for row in rows])
    if elf.machine == EM_MIPS and elf.order == "<":
        return tuple([_little_mips(*row) for row in rows])
    return tuple([Relocation(row[0], row[1] & 0xFFFF_FFFF, row[1] >> 32, *row[2:]) for row in rows])


def _little_mips(offset: int, info: int, addend: int = 0) -> Relocation:
    types = (info >> 32).to_bytes(4, "little")
    return Relocation(offset, int.from_bytes(types, "big"), info & 0xFFFF_FFFF, addend)


def relocation_sections(elf: ElfFile, target: Section) -> tuple[Section, ...]:
    """Return the sections that hold the relocations of *target*; linkers make one at most.

    Raises ``FormatError`` if they are larger than the file, that is, lie over each other.
    """
    found = [
        section
        for section in elf.sections
        if section.info == target.index and section.type in {SHT_REL, SHT_RELA}
    ]
    if sum([section.size for section in found]) > len(elf.data):
        raise FormatError(elf.what, f"the relocations of {target.name} are larger than the file")
    return tuple(found)


def relocations_of(elf: ElfFile, target: Section) -> tuple[Relocation, ...]:
    """Return the relocations that apply to the section *target*, in file order."""
    return tuple(
        [
            relocation
            for section in relocation_sections(elf, target)
            for relocation in read_relocations(elf, section)
        ]
    )
