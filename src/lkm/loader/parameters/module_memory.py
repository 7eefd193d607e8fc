"""What lies in a module's sections once it is linked, as far as its file tells: bytes and pointers.

A pointer in a relocatable file is a relocation of the place where it will stand.
"""

from __future__ import annotations

from collections.abc import Sequence

from lkm._text import decode
from lkm.elf.constants import SHT_NOBITS, SHT_REL
from lkm.elf.file import ElfFile
from lkm.elf.relocations import read_relocations, relocation_sections
from lkm.elf.symbols import Symbol
from lkm.errors import FormatError

Place = tuple[int, int]
"""The index of a section, and an offset in it."""

_LONGEST_TEXT = 4096


class ModuleMemory:
    """The sections of the module *elf*, with *symbols* to tell where pointers lead.

    Every method raises ``FormatError`` for a place that is not there.
    """

    def __init__(self, elf: ElfFile, symbols: Sequence[Symbol]) -> None:
        self._elf = elf
        self._symbols = symbols
        self._pointers: dict[int, dict[int, tuple[Symbol, int]]] = {}
        self.pointer_size = 8 if elf.is_64bit else 4

    def number(self, place: Place, size: int, *, signed: bool = False) -> int:
        """Return the number of *size* bytes at *place*."""
        order = "little" if self._elf.order == "<" else "big"
        return int.from_bytes(self.data(place, size), order, signed=signed)  # type: ignore[arg-type]  # one of the two words

    def data(self, place: Place, size: int) -> bytes:
        """Return the *size* bytes at *place*."""
        index, offset = place
        section = self._elf.section_at(index)
        if section is None or not 0 <= offset <= section.size - size:
            raise FormatError("module", f"no {size} bytes at {offset} of section {index}")
        if section.type == SHT_NOBITS:
            return bytes(size)
        return self._elf.contents(section)[offset : offset + size]

    def text(self, place: Place) -> str:
        """Return the text at *place*, up to its NUL."""
        index, offset = place
        section = self._elf.section_at(index)
        if section is None or not 0 <= offset < section.size:
            raise FormatError("module", f"no text at {offset} of section {index}")
        data = self._elf.contents(section)[offset : offset + _LONGEST_TEXT]
        return decode(data.partition(b"\0")[0])

    def pointer(self, place: Place) -> Place | None:
        """Return where the pointer at *place* leads, None for a null pointer."""
        symbol, addend = self._target(place)
        return None if symbol is None else (symbol.section_index, symbol.value + addend)

    def is_elsewhere(self, place: Place) -> bool:
        """Tell whether *place* is in none of the module's sections, so not its own to tell."""
        return not place[0] or self._elf.section_at(place[0]) is None

    def symbol(self, place: Place) -> str:
        """Return the name of what the pointer at *place* leads to, empty for none."""
        symbol, _addend = self._target(place)
        return "" if symbol is None else symbol.name

    def _target(self, place: Place) -> tuple[Symbol | None, int]:
        index, offset = place
        if index not in self._pointers:
            self._pointers[index] = self._read(index)
        return self._pointers[index].get(offset, (None, 0))

    def _read(self, index: int) -> dict[int, tuple[Symbol, int]]:
        found: dict[int, tuple[Symbol, int]] = {}
        section = self._elf.section_at(index)
        if section is None:
            return found
        for table in relocation_sections(self._elf, section):
            for each in read_relocations(self._elf, table):
                if each.symbol_index >= len(self._symbols):
                    problem = f"{section.name} points at symbol {each.symbol_index}, not there"
                    raise FormatError("module", problem)
                addend = each.addend
                if table.type == SHT_REL:  # it stands in place
                    addend = self.number((index, each.offset), 4, signed=True)
                found[each.offset] = self._symbols[each.symbol_index], addend
        return found
