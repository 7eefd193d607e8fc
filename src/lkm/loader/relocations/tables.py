"""A module's relocations as the loader goes through them, and what they are reckoned from.

The loader goes through the sections in their order. Of one that holds relocations, sh_info names
the section that they change. Where that has no memory among the module's areas, as per-CPU data has
not, they are passed over. Source: kernel/module/main.c, apply_relocations and simplify_symbols.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from lkm.elf.constants import SHN_UNDEF, SHT_REL, SHT_RELA
from lkm.elf.file import Section
from lkm.elf.symbols import Symbol
from lkm.loader.facts import KernelFacts, ModuleFacts
from lkm.loader.memory.layout import Layout
from lkm.loader.relocations.columns import LOW, Columns, read_columns
from lkm.loader.symbols.resolving import AS_THEY_ARE

WORD = 1 << 64

_LOWEST_AREA = 1 << 32
# User-mode Linux puts modules behind its memory, which begins where its host pleases.
_BEHIND_UML = (1 << 30, 1 << 40)
_HOLDING = frozenset({SHT_REL, SHT_RELA})


class Span(NamedTuple):
    """Where a symbol lies whose address is not known: from *low* to *high*, as signed numbers."""

    low: int
    high: int
    name: str


Value = int | Span
"""The address of a symbol, of 64 bits and unsigned, or what is known of it."""


class Entry(NamedTuple):
    """One relocation of a 64-bit machine: *offset* in the section that it changes."""

    offset: int
    type: int
    symbol: int
    addend: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A *section* of relocations and the *target* that they change, which lies at *address*.

    *contents* are the target's bytes in the file, none where memory begins as zeros.
    """

    section: Section
    target: Section
    address: int
    contents: bytes
    columns: Columns

    def entries(self) -> Iterator[Entry]:
        """Yield the relocations in the order of the file."""
        for offset, info, addend in zip(*self.columns, strict=True):
            yield Entry(offset, info & LOW, info >> 32, addend)


def tables(module: ModuleFacts, laid_out: Layout) -> Iterator[Table]:
    """Yield the tables that the loader goes through. Raises ``FormatError`` as the reader does."""
    count = len(module.sections)
    addresses = {} if module.placed is None else module.placed.addresses
    contents: dict[int, bytes] = {}
    for section in module.sections[1:]:
        if section.type not in _HOLDING or section.info >= count:
            continue
        target = module.sections[section.info]
        if target.index not in laid_out.offsets:
            continue
        if target.index not in contents:
            contents[target.index] = module.elf.contents(target)
        yield Table(
            section=section,
            target=target,
            address=addresses.get(target.index, 0),
            contents=contents[target.index],
            columns=read_columns(module.elf, section),
        )


class Linked:
    """The addresses of a module's symbols once its undefined ones are looked up.

    *elsewhere* is where a symbol of the kernel or of a module lies whose address is not known;
    *copied* the same of one in a section that is not loaded, which is in the kernel's copy of the
    file. Where the kernel is *floating*, elsewhere from boot to boot, only the addresses of the
    module's own sections are known.
    """

    def __init__(
        self,
        module: ModuleFacts,
        kernel: KernelFacts,
        *,
        elsewhere: tuple[int, int],
        copied: tuple[int, int],
        floating: bool = False,
    ) -> None:
        self.count = len(module.symbols)
        self._module = module
        self._kernel = kernel
        self._elsewhere = elsewhere
        self._copied = copied
        self._floating = floating
        self._known: dict[int, Value] = {}

    def value(self, index: int) -> Value:
        """Return where the symbol of that *index*, which must be there, lies."""
        known = self._known.get(index)
        if known is None:
            known = self._known[index] = self._find(index)
        return known

    def _find(self, index: int) -> Value:
        symbol = self._module.symbols[index]
        where = symbol.section_index
        if not index or where in AS_THEY_ARE:
            return symbol.value
        if where == SHN_UNDEF:
            return self._imported(symbol)
        placed = self._module.placed
        start = None if placed is None else placed.addresses.get(where)
        if start is None:
            return Span(*self._copied, symbol.name or self._module.sections[where].name)
        if self._kernel.options.uml:
            return Span(*_BEHIND_UML, symbol.name or self._module.sections[where].name)
        if self._floating and start < _LOWEST_AREA:  # per-CPU data is behind the kernel's own
            return Span(*self._elsewhere, symbol.name or self._module.sections[where].name)
        return (start + symbol.value) % WORD

    def _imported(self, symbol: Symbol) -> Value:
        """Return the address of what *symbol* was found to be, its value where nobody has it."""
        found = self._module.imports.get(symbol.index)
        if found is None:
            return symbol.value
        if self._kernel.options.uml and found.owner:
            return Span(*_BEHIND_UML, symbol.name)
        if found.address is None or self._floating:
            return Span(*self._elsewhere, symbol.name)
        return found.address
