"""Find which symbol of one table is which of another: those of one module and one name."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import compress
from operator import ne

from lkm.kallsyms.table import SymbolTable

# What clang appends to a local symbol that it made global, a hash that each build changes.
_LLVM = re.compile(r"\.llvm\.\d+")


@dataclass(frozen=True, slots=True)
class Pairing:
    """Which row of the one table is which of the other, and the rows that are in one only.

    The row ``olds[n]`` is that of ``news[n]``; *in_place* tells that all rows are, with the same
    number.
    """

    olds: Sequence[int]
    news: Sequence[int]
    gone: Sequence[int] = ()
    come: Sequence[int] = ()
    in_place: bool = False


def paired(old: SymbolTable, new: SymbolTable, *, fold_llvm: bool) -> Pairing:
    """Return which symbol of *old* is which of *new*; with *fold_llvm* without clang's hashes."""
    if _in_place(old, new, fold_llvm=fold_llvm):
        return Pairing(range(len(old)), range(len(new)), in_place=True)
    old_keys, new_keys = _keys(old, fold_llvm=fold_llvm), _keys(new, fold_llvm=fold_llvm)
    has = dict(zip(new_keys, range(len(new_keys)), strict=True))
    several = _several(old_keys) | _several(new_keys)
    for key in several:
        has.pop(key, None)
    there = list(map(has.get, old_keys))
    olds, news = _rows_of(old_keys, several), _rows_of(new_keys, several)
    for key in several:
        pairs = zip(*_same_first(old, new, olds.get(key, []), news.get(key, [])), strict=False)
        for one, two in pairs:
            there[one] = two
    found = [two for two in there if two is not None]
    return Pairing(
        olds=[one for one, two in enumerate(there) if two is not None],
        news=found,
        gone=[one for one, two in enumerate(there) if two is None],
        come=sorted(set(range(len(new_keys))).difference(found)),
    )


def _in_place(old: SymbolTable, new: SymbolTable, *, fold_llvm: bool) -> bool:
    """Tell whether each symbol is the one in its place: the same kernel, elsewhere.

    That takes the same names, and that no symbol is now where another of its name was.
    """
    one, two = old.columns, new.columns
    if one.types != two.types or one.modules != two.modules or not one.has_names_of(two):
        return False
    if fold_llvm and b".llvm." in one.joined_names():
        return False
    return all(_apart(old, new, parts) for parts in two.runs.values())


def joined_parts(column: array[int], parts: Sequence[tuple[int, int]]) -> array[int]:
    """Return *parts* of *column*, one behind the other."""
    found = array("Q")
    for start, stop in parts:
        found += column[start:stop]
    return found


def _apart(old: SymbolTable, new: SymbolTable, parts: list[tuple[int, int]]) -> bool:
    """Tell whether no symbol of these *parts* that moved is where another of its name was.

    Nor was where one is. It is told most quickly where all lie behind, or before, where all were.
    """
    befores, afters = joined_parts(old.addresses, parts), joined_parts(new.addresses, parts)
    if befores == afters:
        return True
    if _ranges_apart(befores, afters):
        return True
    had = list(compress(befores, map(ne, befores, afters)))
    has = list(compress(afters, map(ne, befores, afters)))
    if len(had) < len(befores) and _ranges_apart(had, has):
        return True
    names = [name for start, stop in parts for name in new.names[start:stop]]
    return _names_apart(names, befores, afters)


def _ranges_apart(befores: Sequence[int], afters: Sequence[int]) -> bool:
    lower, higher = (befores, afters) if befores[0] < afters[0] else (afters, befores)
    return max(lower) < min(higher)


def _names_apart(names: list[str], befores: array[int], afters: array[int]) -> bool:
    last = dict(zip(names, range(len(names)), strict=True))
    if len(last) == len(names):
        return True
    several = {name for row, name in enumerate(names) if last[name] != row}
    rows = [row for row, name in enumerate(names) if name in several]
    had = [(names[row], befores[row]) for row in rows]
    has = [(names[row], afters[row]) for row in rows]
    left = [key for key, other in zip(had, has, strict=True) if key != other]
    come = [other for key, other in zip(had, has, strict=True) if key != other]
    return set(left).isdisjoint(has) and set(come).isdisjoint(had)


def _keys(table: SymbolTable, *, fold_llvm: bool) -> list[Hashable]:
    names: Sequence[str] = table.names
    if fold_llvm:
        names = [_LLVM.sub("", name) if ".llvm." in name else name for name in names]
    # The kernel's own are most, and their names make do.
    keys: list[Hashable] = list(names)
    for module, parts in table.columns.runs.items():
        for start, stop in parts if module else ():
            keys[start:stop] = [(module, name) for name in names[start:stop]]
    return keys


def _several(keys: list[Hashable]) -> set[Hashable]:
    """Return those of *keys* that stand there more than once."""
    if len(set(keys)) == len(keys):
        return set()
    return {key for key, count in Counter(keys).items() if count > 1}


def _rows_of(keys: list[Hashable], several: set[Hashable]) -> dict[Hashable, list[int]]:
    found: dict[Hashable, list[int]] = {}
    if several:
        for row, key in enumerate(keys):
            if key in several:
                found.setdefault(key, []).append(row)
    return found


def _same_first(
    old: SymbolTable, new: SymbolTable, olds: list[int], news: list[int]
) -> tuple[list[int], list[int]]:
    """Return the rows of one name, on both sides first those that are the same there."""
    there: dict[tuple[int, str], list[int]] = {}
    for row in reversed(news):
        there.setdefault((new.addresses[row], new.types[row]), []).append(row)
    kept, same = [], []
    for row in olds:
        rows = there.get((old.addresses[row], old.types[row]))
        if rows:
            kept.append(row)
            same.append(rows.pop())
    in_old, in_new = set(kept), set(same)
    return (
        kept + [row for row in olds if row not in in_old],
        same + [row for row in news if row not in in_new],
    )
