"""Compare two symbol tables: what came, what went, what moved, by module.

A symbol is known by its module and its name. Of several with one name (static functions) those
that are the same on both sides are paired first, the rest in order; so one that went is told as
one that went, and not as all behind it having moved.

Where a side's addresses are hidden nothing has moved. A zero in a table that is not hidden is an
address as any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from lkm.kallsyms.moves import NO_MOVES, Moved, Moves, moves
from lkm.kallsyms.pairing import Pairing, paired
from lkm.kallsyms.shared import differing
from lkm.kallsyms.table import Symbol, SymbolTable

__all__ = ["Diff", "ModuleChanges", "Moved", "Retyped", "compare"]

_Item = TypeVar("_Item")


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
    moves: Moves
    retyped: tuple[Retyped, ...]

    @property
    def moved(self) -> tuple[Moved, ...]:
        """The symbols that are at another address; made when first asked for."""
        return self.moves.symbols()

    @property
    def moved_count(self) -> int:
        """How many symbols are at another address."""
        return len(self.moves)

    @property
    def shift(self) -> int | None:
        """By how many bytes all that moved did so, if by the same (KASLR), else None."""
        return self.moves.shift()


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
        return sum(changes.moved_count for changes in self.modules)

    @property
    def retyped(self) -> int:
        """How many symbols have another type letter."""
        return sum(len(changes.retyped) for changes in self.modules)


def compare(before: SymbolTable, after: SymbolTable, *, fold_llvm: bool = False) -> Diff:
    """Return what differs between *before* and *after*.

    With *fold_llvm* symbols that differ in their ``.llvm.NNN`` suffix only are the same symbol.
    Raises ``FormatError`` for an address or a type that is none, if it is where they differ.
    """
    old, new = differing(before, after)
    pairing = paired(old, new, fold_llvm=fold_llvm)
    come, gone = new.rows(pairing.come), old.rows(pairing.gone)
    added, removed = _grouped(come.modules, come), _grouped(gone.modules, gone)
    moved = {} if before.hidden or after.hidden else moves(old, new, pairing)
    retyped = _retyped(old, new, pairing)
    changed = {**added, **removed, **moved, **retyped}
    had, has = before.places_of(changed), after.places_of(changed)
    # The kernel itself, the modules that are there now, then those that went.
    order = sorted(changed, key=lambda name: _place(name, had, has))
    return Diff(
        before_release=before.release,
        after_release=after.release,
        before_count=len(before),
        after_count=len(after),
        before_hidden=before.hidden,
        after_hidden=after.hidden,
        modules=tuple(
            [
                ModuleChanges(
                    module=module,
                    module_came=bool(module) and module not in had,
                    module_went=bool(module) and module not in has,
                    added=tuple(added.get(module, ())),
                    removed=tuple(removed.get(module, ())),
                    moves=moved.get(module, NO_MOVES),
                    retyped=tuple(retyped.get(module, ())),
                )
                for module in order
            ]
        ),
    )


def _place(module: str, had: Mapping[str, int], has: Mapping[str, int]) -> tuple[int, int]:
    if not module:
        return (0, 0)
    return (1, has[module]) if module in has else (2, had[module])


def _retyped(old: SymbolTable, new: SymbolTable, pairing: Pairing) -> dict[str, list[Retyped]]:
    befores, afters = old.types, new.types
    if befores == afters and pairing.in_place:
        return {}
    retyped = [
        (one, two)
        for one, two in zip(pairing.olds, pairing.news, strict=True)
        if befores[one] != afters[two]
    ]
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
