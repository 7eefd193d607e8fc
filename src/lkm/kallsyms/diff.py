"""Compare two symbol tables: what came, what went, what moved, by module.

A symbol is known by its module and its name. Of several with one name (static functions) those
that are the same on both sides are paired first, the rest in order; so one that went is told as
one that went, and not as all behind it having moved.

Where a side's addresses are hidden nothing has moved. A zero in a table that is not hidden is an
address as any other.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from lkm.kallsyms.table import Symbol, SymbolTable

_Item = TypeVar("_Item")

# What clang appends to a local symbol that it made global, a hash that each build changes.
_LLVM = re.compile(r"\.llvm\.\d+")


class Moved(NamedTuple):
    """A symbol at another address: *before* and *after*."""

    name: str
    type: str
    before: int
    after: int


class Retyped(NamedTuple):
    """A symbol with another type letter: *before* and *after*."""

    name: str
    address: int
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleChanges:
    """What differs in one module, or, where that is empty, in the kernel itself.

    *module_came* and *module_went* tell that one side has no symbol of it. A symbol may have moved
    and been retyped.
    """

    module: str
    module_came: bool
    module_went: bool
    added: tuple[Symbol, ...]
    removed: tuple[Symbol, ...]
    moved: tuple[Moved, ...]
    retyped: tuple[Retyped, ...]

    @property
    def shift(self) -> int | None:
        """By how many bytes all that moved did so, if by the same (KASLR), else None."""
        distances = {moved.after - moved.before for moved in self.moved}
        return distances.pop() if len(distances) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """Two tables compared: the *modules* that differ, the kernel itself first.

    *before_hidden* and *after_hidden* tell that this side has no addresses.
    """

    before_release: str
    after_release: str
    before_count: int
    after_count: int
    before_hidden: bool
    after_hidden: bool
    modules: tuple[ModuleChanges, ...]

    @property
    def hidden(self) -> bool:
        """Whether a side has no addresses, so that what moved cannot be told."""
        return self.before_hidden or self.after_hidden

    @property
    def added(self) -> int:
        """How many symbols came."""
        return sum(len(changes.added) for changes in self.modules)

    @property
    def removed(self) -> int:
        """How many symbols went."""
        return sum(len(changes.removed) for changes in self.modules)

    @property
    def moved(self) -> int:
        """How many symbols are at another address."""
        return sum(len(changes.moved) for changes in self.modules)

    @property
    def retyped(self) -> int:
        """How many symbols have another type letter."""
        return sum(len(changes.retyped) for changes in self.modules)


@dataclass(frozen=True, slots=True)
class _Pairing:
    """Which row of the one table is which of the other, and the rows that are in one only."""

    pairs: Sequence[tuple[int, int]]
    gone: Sequence[int]
    come: Sequence[int]


def compare(before: SymbolTable, after: SymbolTable, *, fold_llvm: bool = False) -> Diff:
    """Return what differs between *before* and *after*.

    With *fold_llvm* symbols that differ in their ``.llvm.NNN`` suffix only are the same symbol.
    Raises ``FormatError`` for an address or a type that is none, if it is where they differ.
    """
    old, new = _differing(before, after)
    pairing = _paired(old, new, fold_llvm=fold_llvm)
    come, gone = new.rows(pairing.come), old.rows(pairing.gone)
    added, removed = _grouped(come.modules, come), _grouped(gone.modules, gone)
    hidden = before.hidden or after.hidden
    moved = {} if hidden else _moved(old, new, pairing.pairs)
    retyped = _retyped(old, new, pairing.pairs)
    had, has = {"", *before.module_names}, {"", *after.module_names}
    order = dict.fromkeys(("", *after.module_names, *before.module_names))
    return Diff(
        before_release=before.release,
        after_release=after.release,
        before_count=len(before),
        after_count=len(after),
        before_hidden=before.hidden,
        after_hidden=after.hidden,
        modules=tuple(
            ModuleChanges(
                module=module,
                module_came=module not in had,
                module_went=module not in has,
                added=tuple(added.get(module, ())),
                removed=tuple(removed.get(module, ())),
                moved=tuple(moved.get(module, ())),
                retyped=tuple(retyped.get(module, ())),
            )
            for module in order
            if module in added or module in removed or module in moved or module in retyped
        ),
    )


def _differing(before: SymbolTable, after: SymbolTable) -> tuple[SymbolTable, SymbolTable]:
    """Return both tables without the rows that they begin and end with in common.

    Most often a module has come or gone, in the middle of 200,000 rows: what is cut off here need
    not be looked at.
    """
    if before.text is not None and after.text is not None:
        old, new = before.text, after.text
        start, shared = _common(((old, new),))
        start = old.rfind(b"\n", 0, start) + 1
        # The shared end begins somewhere in a line; it counts from the next one.
        old_end = old.find(b"\n", len(old) - shared) + 1 or len(old)
        new_end = len(new) - (len(old) - old_end)
        one, two = _without_shared(old[start:old_end], new[start:new_end])
        return SymbolTable.from_text(one), SymbolTable.from_text(two)
    columns, others = before.columns, after.columns
    start, shared = _common(
        (
            (columns.types, others.types),
            (columns.addresses, others.addresses),
            (columns.names, others.names),
            (columns.modules, others.modules),
        )
    )
    return (
        before.rows(range(start, len(before) - shared)),
        after.rows(range(start, len(after) - shared)),
    )


def _without_shared(old: bytes, new: bytes) -> tuple[bytes, bytes]:
    """Return both texts without the lines that are in both."""
    olds, news = old.split(b"\n"), new.split(b"\n")
    in_old, in_new = set(olds), set(news)
    gone, come = in_old - in_new, in_new - in_old
    left = [line for line in olds if line in gone]
    added = [line for line in news if line in come]
    if len(olds) - len(left) != len(news) - len(added):
        # A line that stands there twice has come or gone once: they must be counted.
        old_count, new_count = Counter(olds), Counter(news)
        left = [line for line in olds if new_count[line] != old_count[line]]
        added = [line for line in news if new_count[line] != old_count[line]]
    return b"\n".join(left), b"\n".join(added)


def _common(pairs: Iterable[tuple[Sequence[object], Sequence[object]]]) -> tuple[int, int]:
    """Return how many items each of *pairs* has in common at its start, and then at its end."""
    # By halves, each compared in one call. All the first are of one length, and all the second.
    pairs = tuple(pairs)
    shortest = min(len(pairs[0][0]), len(pairs[0][1]))
    start, most = 0, shortest
    while start < most:
        stop = (start + most + 1) // 2
        if all(one[start:stop] == two[start:stop] for one, two in pairs):
            start = stop
        else:
            most = stop - 1
    end, most = 0, shortest - start
    while end < most:
        stop = (end + most + 1) // 2
        if all(
            one[len(one) - stop : len(one) - end] == two[len(two) - stop : len(two) - end]
            for one, two in pairs
        ):
            end = stop
        else:
            most = stop - 1
    return start, end


def _paired(old: SymbolTable, new: SymbolTable, *, fold_llvm: bool) -> _Pairing:
    if old.names == new.names and old.modules == new.modules:  # the same kernel, elsewhere
        return _Pairing(list(zip(range(len(old)), range(len(new)), strict=True)), (), ())
    old_keys, new_keys = _keys(old, fold_llvm=fold_llvm), _keys(new, fold_llvm=fold_llvm)
    waiting = _indexes(new_keys)
    pairs, gone = [], []
    for key, olds in _indexes(old_keys).items():
        news = waiting.pop(key, [])
        if len(olds) == len(news) == 1:
            pairs.append((olds[0], news[0]))
        else:
            pairs += _of_one_name(old, new, olds, news)
            gone += olds[len(news) :]
            waiting[key] = news[len(olds) :]
    pairs.sort()
    come = sorted([index for news in waiting.values() for index in news])
    return _Pairing(pairs, sorted(gone), come)


def _of_one_name(
    old: SymbolTable, new: SymbolTable, olds: list[int], news: list[int]
) -> Iterator[tuple[int, int]]:
    """Yield the pairs among symbols of one name, having put both lists in the pairs' order."""
    there = {(new.addresses[index], new.types[index]): index for index in reversed(news)}
    same = []
    for index in olds:
        other = there.pop((old.addresses[index], old.types[index]), None)
        if other is not None:
            same.append((index, other))
    kept_old, kept_new = {one for one, _ in same}, {two for _, two in same}
    olds[:] = [one for one, _ in same] + [index for index in olds if index not in kept_old]
    news[:] = [two for _, two in same] + [index for index in news if index not in kept_new]
    yield from zip(olds, news, strict=False)


def _keys(table: SymbolTable, *, fold_llvm: bool) -> list[tuple[str, str]]:
    names: Sequence[str] = table.names
    if fold_llvm:
        names = [_LLVM.sub("", name) if ".llvm." in name else name for name in names]
    return list(zip(table.modules, names, strict=True))


def _indexes(keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[int]]:
    found: dict[tuple[str, str], list[int]] = {}
    for index, key in enumerate(keys):
        found.setdefault(key, []).append(index)
    return found


def _moved(
    old: SymbolTable, new: SymbolTable, pairs: Iterable[tuple[int, int]]
) -> dict[str, list[Moved]]:
    befores, afters = old.addresses, new.addresses
    moved = [(one, two) for one, two in pairs if befores[one] != afters[two]]
    # Over a reboot with KASLR that is everything: the values are made column by column.
    rows = zip(
        [new.names[two] for _, two in moved],
        [new.types[two] for _, two in moved],
        [befores[one] for one, _ in moved],
        [afters[two] for _, two in moved],
        strict=True,
    )
    return _grouped([new.modules[two] for _, two in moved], map(Moved._make, rows))


def _retyped(
    old: SymbolTable, new: SymbolTable, pairs: Iterable[tuple[int, int]]
) -> dict[str, list[Retyped]]:
    befores, afters = old.types, new.types
    retyped = [(one, two) for one, two in pairs if befores[one] != afters[two]]
    return _grouped(
        [new.modules[two] for _, two in retyped],
        [
            Retyped(new.names[two], new.addresses[two], befores[one], afters[two])
            for one, two in retyped
        ],
    )


def _grouped(modules: Iterable[str], items: Iterable[_Item]) -> dict[str, list[_Item]]:
    found: dict[str, list[_Item]] = {}
    for module, item in zip(modules, items, strict=True):
        found.setdefault(module, []).append(item)
    return found
