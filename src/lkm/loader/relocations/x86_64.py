"""How an x86-64 kernel applies a module's relocations.

    type                S is the symbol's address, A the addend, P the place    bytes   range
    0    NONE           nothing is written
    1    64             S + A                                                   8
    2, 4 PC32, PLT32    S + A - P                                               4       any: cut off
    10   32             S + A                                                   4       unsigned
    11   32S            S + A                                                   4       signed
    24   PC64           S + A - P                                               8

A place must hold zeros. Source: arch/x86/kernel/module.c, apply_relocate_add; the psABI of x86-64.
"""

from __future__ import annotations

import operator
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import compress

from lkm.loader.facts import KernelFacts, ModuleFacts
from lkm.loader.findings import Finding
from lkm.loader.releases import ZEROS_ASKED_LAST
from lkm.loader.relocations.columns import LOW, Columns
from lkm.loader.relocations.results import Memory, doubt, outside, refused, signed, where
from lkm.loader.relocations.tables import WORD, Entry, Linked, Span, Table, Value

NONE, ABS64, PC32, PLT32, ABS32, ABS32S, PC64 = 0, 1, 2, 4, 10, 11, 24

WIDTHS = {ABS64: 8, PC32: 4, PLT32: 4, ABS32: 4, ABS32S: 4, PC64: 8}
"""The bytes that each type writes."""

# Of the kernel's own symbols, per-CPU ones among them, as signed numbers; far from the ends of
# what 32 bits hold, as no addend is.
_ELSEWHERE = (-(1 << 31) + (1 << 24), 1 << 30)
# Of vmalloc's memory, where the copy of the file lies.
_COPIED = (-(1 << 56), -(1 << 40))
_RELATIVE = frozenset({PC32, PLT32, PC64})


class X8664:
    """Applies the relocations of *module* as *kernel* does."""

    def __init__(self, module: ModuleFacts, kernel: KernelFacts) -> None:
        self._name = module.name
        # What the kernel calls the file that this is in: user-mode Linux has it from elsewhere.
        self._from = "subarch" if kernel.options.uml else "module"
        self._zeros_last = kernel.has(ZEROS_ASKED_LAST)
        self._linked = Linked(module, kernel, elsewhere=_ELSEWHERE, copied=_COPIED)

    def settled(self, table: Table) -> bool:
        """Tell whether all of *table* can be applied, seen without going through it one by one.

        False says nothing: then each has to be applied.
        """
        distinct = set(table.columns.infos)
        types = {info & LOW for info in distinct}
        if NONE in types:
            types.discard(NONE)
            table = replace(table, columns=_without_none(table.columns, distinct))
        if not types:
            return max(distinct, default=0) >> 32 < self._linked.count
        return (
            types <= WIDTHS.keys() - {ABS32}
            and max(distinct) >> 32 < self._linked.count
            and (ABS32S not in types or self._all_fit(distinct, table.columns.addends))
            and _all_are_zeros(table, {WIDTHS[each] for each in types})
        )

    def apply(self, entry: Entry, table: Table, memory: Memory) -> Sequence[Finding]:
        """Write what *entry* asks for to *memory*, that of the table's target."""
        offset, kind, symbol, addend = entry
        if symbol >= self._linked.count:
            return (outside(entry, table, f"names symbol {symbol}, which is not there"),)
        if kind == NONE:
            return ()
        width = WIDTHS.get(kind)
        if width is None:
            text = f"{self._from}: {self._name}: Unknown rela relocation: {kind}"
            return (refused(self._name, f"{where(entry, table)} is of an unknown type", text),)
        if offset + width > table.target.size:
            return (outside(entry, table, "writes behind the section's end"),)
        value = _sum(self._linked.value(symbol), addend)
        found: list[Finding] = []
        if any(memory.read(offset, width)):
            found.append(self._not_zero(entry, table, value))
        if not _fits(kind, value):
            # Of two faults the kernel tells the one that it looks for first.
            found.insert(0 if self._zeros_last else 1, self._overflow(entry, table, value))
        if isinstance(value, int):
            place = table.address + offset if kind in _RELATIVE else 0
            memory.write(offset, ((value - place) % WORD).to_bytes(8, "little")[:width])
        return found

    def _not_zero(self, entry: Entry, table: Table, value: Value) -> Finding:
        if self._zeros_last and entry.type in _RELATIVE:
            value = _sum(value, -table.address - entry.offset)
        skipping = "Invalid" if self._zeros_last else "Skipping invalid"
        # For the place the kernel prints a hash, or this as long as it has no secret to hash by.
        text = (
            f"{self._from}: x86/modules: {skipping} relocation target, existing value is nonzero "
            f"for type {entry.type}, loc (____ptrval____), val {_shown(value)}"
        )
        return refused(self._name, f"{where(entry, table)} would change what is not zero", text)

    def _overflow(self, entry: Entry, table: Table, value: Value) -> Finding:
        if isinstance(value, Span) and _fits(entry.type, value) is None:
            return doubt(f"{where(entry, table)}: the address of {value.name} is not known")
        return refused(
            self._name,
            f"{where(entry, table)} has no room for {_shown(value)}",
            f"{self._from}: overflow in relocation type {entry.type} val {_shown(value)}",
            f"{self._from}: `{self._name}' likely not compiled with -mcmodel=kernel",
        )

    def _all_fit(self, distinct: set[int], addends: array[int]) -> bool:
        """Tell whether each symbol of type 32S may have any addend that is in the table."""
        low, high = min(addends), max(addends)
        return all(
            _fits(ABS32S, _sum(value, low)) and _fits(ABS32S, _sum(value, high))
            for info in distinct
            if info & LOW == ABS32S
            for value in (self._linked.value(info >> 32),)
        )


def _without_none(columns: Columns, distinct: set[int]) -> Columns:
    """Return *columns*, which have the *distinct* infos, without what writes nothing."""
    writes = {info for info in distinct if info & LOW != NONE}.__contains__
    offsets, infos, addends = columns
    return Columns(
        array("Q", compress(offsets, map(writes, infos))),
        array("Q", filter(writes, infos)),
        array("q", compress(addends, map(writes, infos))),
    )


def _sum(value: Value, addend: int) -> Value:
    if isinstance(value, Span):
        return Span(value.low + addend, value.high + addend, value.name)
    return (value + addend) % WORD


def _fits(kind: int, value: Value) -> bool | None:
    """Tell whether *kind* has room for *value*, None where that is not known."""
    if kind not in {ABS32, ABS32S}:
        return True
    lowest, highest = (0, LOW) if kind == ABS32 else (-(1 << 31), (1 << 31) - 1)
    if isinstance(value, int):
        return lowest <= (value if kind == ABS32 else signed(value)) <= highest
    if lowest <= value.low and value.high <= highest:
        return True
    return None if value.low <= highest and value.high >= lowest else False


def _shown(value: Value) -> str:
    return f"{value:x}" if isinstance(value, int) else "(not known)"


def _all_are_zeros(table: Table, widths: set[int]) -> bool:
    """Tell whether all that *table* writes, *widths* of bytes, are zeros, and none twice."""
    offsets, infos, _addends = table.columns
    if len(widths) == 1:
        (width,) = widths
        return _apart(offsets, width) and _are_zeros(table, offsets, width)
    every = [WIDTHS[info & LOW] for info in infos]
    wide = array("Q", compress(offsets, [width == 8 for width in every]))
    narrow = array("Q", compress(offsets, [width == 4 for width in every]))
    return (
        _all_apart(zip(offsets, every, strict=True))
        and _are_zeros(table, wide, 8)
        and _are_zeros(table, narrow, 4)
    )


def _are_zeros(table: Table, offsets: array[int], width: int) -> bool:
    """Tell whether there are *width* bytes at each of *offsets*, all of them zeros."""
    if max(offsets) + width > table.target.size:
        return False
    contents = table.contents
    if contents.count(0) == len(contents):
        return True
    return {contents[offset : offset + width] for offset in offsets} == {bytes(width)}


def _apart(offsets: array[int], width: int) -> bool:
    """Tell whether no two of *offsets* are nearer to each other than *width* bytes."""
    places = sorted(offsets)
    distances: Callable[[int, int], int] = operator.sub
    return min(map(distances, places[1:], places), default=width) >= width


def _all_apart(places: Iterable[tuple[int, int]]) -> bool:
    """Tell whether no two of *places*, offset and width each, lie over each other."""
    stop = 0
    for offset, width in sorted(places):
        if offset < stop:
            return False
        stop = offset + width
    return True
