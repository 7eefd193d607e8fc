"""Which place of a module each entry of its ``__ksymtab`` exports.

The first relocation of an entry leads to what is exported, the next one to its name; the file
itself holds nothing but zeros there. Source: include/linux/export.h; lkm.module.symbols.
"""

from __future__ import annotations

from collections.abc import Sequence

from lkm.elf.file import ElfFile
from lkm.elf.relocations import relocations_of
from lkm.elf.strings import StringTable
from lkm.elf.symbols import Symbol
from lkm.errors import FormatError
from lkm.loader.facts import ModuleFacts
from lkm.module.symbols import EXPORT_SECTIONS

_TABLE = "__ksymtab"
_STRINGS = "__ksymtab_strings"

Exported = tuple[str, int, int]
"""A name, the index of the section that it is exported from, and the offset in it."""


def export_addresses(module: ModuleFacts) -> dict[str, int]:
    """Return where what *module* exports came to lie, as far as its tables tell; by name."""
    placed = module.placed
    if placed is None:
        return {}
    found: dict[str, int] = {}
    mask = (1 << (64 if module.is_64bit else 32)) - 1
    for table in EXPORT_SECTIONS:
        for name, index, offset in table_exports(module.elf, module.symbols, table):
            if index in placed.addresses:
                found.setdefault(name, (placed.addresses[index] + offset) & mask)
    return found


def plain_exports(elf: ElfFile, symbols: Sequence[Symbol]) -> frozenset[Exported]:
    """Return what the module *elf* exports to every module, GPL-compatible or not.

    Raises ``FormatError`` for tables that point outside the file.
    """
    return table_exports(elf, symbols, _TABLE)


def table_exports(elf: ElfFile, symbols: Sequence[Symbol], name: str) -> frozenset[Exported]:
    """Return what the module *elf* exports by the table in the section *name*; raises as above."""
    table, strings = elf.section(name), elf.section(_STRINGS)
    if table is None or strings is None or not table.size:
        return frozenset()
    names = StringTable(elf.contents(strings), elf.what)
    found: set[Exported] = set()
    place: tuple[int, int] | None = None
    for _offset, index, addend in sorted(
        [(each.offset, each.symbol_index, each.addend) for each in relocations_of(elf, table)]
    ):
        if index >= len(symbols):
            raise FormatError(elf.what, f"{name} points at symbol {index}, not there")
        symbol = symbols[index]
        if symbol.section_index != strings.index:
            place = (symbol.section_index, symbol.value + addend)
        elif place is not None:  # the name; after it there may be a namespace
            found.add((names.text(symbol.value + addend), *place))
            place = None
    return frozenset(found)
