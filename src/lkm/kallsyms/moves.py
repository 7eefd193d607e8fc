"""The symbols that moved, as columns until each is asked for.

Over a reboot with KASLR that is all of them, and most often it is only asked how far.
"""

from __future__ import annotations

import operator
from array import array
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import compress
from typing import NamedTuple

from lkm.kallsyms.pairing import Pairing, joined_parts
from lkm.kallsyms.parse import runs_of
from lkm.kallsyms.table import SymbolTable


class Moved(NamedTuple):
    """A symbol at another address: *before* and *after*."""

    name: str
    type: str
    before: int
    after: int


class Moves:
    """The symbols of a module that are at another address; equal to another with the same."""

    __slots__ = ("_afters", "_befores", "_made", "_texts")

    def __init__(
        self,
        befores: array[int],
        afters: array[int],
        texts: Callable[[], tuple[Sequence[str], Sequence[str]]],
    ) -> None:
        """Take the columns of all symbols, also of those that stayed, and a way to names, types."""
        self._befores = befores
        self._afters = afters
        self._texts = texts
        self._made: tuple[Moved, ...] | None = None

    def symbols(self) -> tuple[Moved, ...]:
        """Return them one by one."""
        if self._made is None:
            rows = zip(*self._texts(), self._befores, self._afters, strict=True)
            self._made = tuple(map(Moved._make, compress(rows, self._differ())))
        return self._made

    def shift(self) -> int | None:
        """Return by how many bytes all moved, if by the same."""
        distances = set(map(operator.sub, self._afters, self._befores)) - {0}
        return distances.pop() if len(distances) == 1 else None

    def __len__(self) -> int:
        return sum(self._differ())

    def __eq__(self, other: object) -> bool:
        return self.symbols() == other.symbols() if isinstance(other, Moves) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.symbols())

    def __repr__(self) -> str:
        return repr(self.symbols())

    def _differ(self) -> map[bool]:
        return map(operator.ne, self._befores, self._afters)


NO_MOVES = Moves(array("Q"), array("Q"), lambda: ((), ()))


def moves(old: SymbolTable, new: SymbolTable, pairing: Pairing) -> dict[str, Moves]:
    """Return what moved among the symbols that *pairing* takes for the same, by module."""
    if pairing.in_place:
        return _by_module(old.addresses, new.addresses, new.columns.runs, new, range(len(new)))
    befores, afters, modules = old.addresses, new.addresses, new.modules
    one = array("Q", [befores[row] for row in pairing.olds])
    two = array("Q", [afters[row] for row in pairing.news])
    runs = runs_of([modules[row] for row in pairing.news])
    return _by_module(one, two, runs, new, pairing.news)


def _by_module(
    befores: array[int],
    afters: array[int],
    runs: Mapping[str, Sequence[tuple[int, int]]],
    table: SymbolTable,
    rows: Sequence[int],
) -> dict[str, Moves]:
    """Return what moved, of the *rows* of *table*, by the modules in *runs*."""
    found = {}
    for module, parts in runs.items():
        one, two = joined_parts(befores, parts), joined_parts(afters, parts)
        if one != two:
            found[module] = Moves(one, two, partial(_texts, table, rows, parts))
    return found


def _texts(
    table: SymbolTable, rows: Sequence[int], parts: Sequence[tuple[int, int]]
) -> tuple[list[str], list[str]]:
    names, types = table.names, table.types
    its = [row for start, stop in parts for row in rows[start:stop]]
    return [names[row] for row in its], [types[row] for row in its]
