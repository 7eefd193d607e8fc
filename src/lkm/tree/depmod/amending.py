"""Indexes of a tree made from those of an earlier state of it, by what has changed in between.

After most changes of a tree, next to all of its modules are as they were. What those add to the
index files is taken over; the answer is, to the byte, what all modules together give.
"""

from __future__ import annotations

from bisect import insort

from lkm import _text
from lkm._value import Value
from lkm.module.scanned import ScannedModule
from lkm.tree.depmod.index_files import alias_keys
from lkm.tree.depmod.modinfo_files import ALIAS, Aliases
from lkm.tree.depmod.order import SYMBOL_BUCKETS, superfasthashes
from lkm.tree.depmod.symbol_files import (
    Dependencies,
    Symbols,
    bucket_lines,
    dependency_index,
    dependency_lines,
    symbol_key,
)
from lkm.tree.tables import alias_lines
from lkm.tree.trie.amending import amended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

    from lkm.tree.depmod.dependencies import Graph
    from lkm.tree.problem import Problem
    from lkm.tree.trie.writer import WrittenIndex

# With more modules changed it is as quick to make all anew; with more lines, modules.dep.bin.
_MOST_MODULES = 256
_MOST_LINES = 1024


class IndexedTree(Value):
    """The *modules* of a tree, in the order of modules.dep, and what is made of them.

    *needed* are all names that a module of the tree needs, and may be some more; none where nobody
    has asked yet.
    """

    __slots__ = ("aliases", "dependencies", "modules", "needed", "symbols")

    def __init__(
        self,
        modules: Sequence[ScannedModule],
        aliases: Aliases,
        dependencies: Dependencies,
        symbols: Symbols,
        needed: Sequence[str] = (),
    ) -> None:
        self.modules: Final = modules
        self.aliases: Final = aliases
        self.dependencies: Final = dependencies
        self.symbols: Final = symbols
        self.needed: Final = needed


def amend(
    before: IndexedTree, modules: Sequence[ScannedModule], directory: str
) -> IndexedTree | None:
    """Return the indexes of *modules*, made from those of the tree as it was *before*.

    None where all is better made anew: much has changed, or something is unusual, as a cycle, a
    symbol that two modules export, or an alias that no index can hold.
    """
    changes = _Changes(before.modules, modules)
    if changes.count > _MOST_MODULES:
        return None
    if not changes.count:
        return before
    aliases = _aliases(before.aliases, changes)
    symbols = _symbols(before.symbols, changes)
    if aliases is None or symbols is None:
        return None
    needed = set(before.needed or _all_needed(before.modules))
    needed.update(*[modules[rank].needs for rank in changes.altered])
    graph = _graph(before, changes, symbols, needed)
    dependencies = _dependencies(before.dependencies, changes, graph, directory)
    if dependencies is None:
        return None
    return IndexedTree(modules, aliases, dependencies, symbols, [*needed])


def may_amend(tree: IndexedTree) -> bool:
    """Tell whether its indexes can be amended: each symbol must belong to one module."""
    exports = [dict.fromkeys(module.exports) for module in tree.modules]
    owned = tree.symbols.owners
    return sum(map(len, exports)) == len(owned) and "" not in owned


class _Changes:
    """What differs between the modules *old* and *new*; a module is known by its path.

    *origins* has the old place of each new one, and *ranks* the new place of each old one, -1 for
    none. *altered* are the new places of those that are new or not as they were. *less* are all
    modules whose entries at an old place go, *more* those that get some at a new place: whose place
    has changed they both have.
    """

    def __init__(self, old: Sequence[ScannedModule], new: Sequence[ScannedModule]) -> None:
        self.old, self.new = old, new
        place_of = {module.path: rank for rank, module in enumerate(old)}
        self.origins = [place_of.get(module.path, -1) for module in new]
        self.ranks = [-1] * len(old)
        self.altered: set[int] = set()
        self.more: list[int] = []
        for rank, origin in enumerate(self.origins):
            if origin >= 0:
                self.ranks[origin] = rank
            if origin < 0 or not _same(old[origin], new[rank]):
                self.altered.add(rank)
                self.more.append(rank)
            elif origin != rank:
                self.more.append(rank)
        stay = {self.origins[rank] for rank in self.more}
        self.less = [origin for origin, rank in enumerate(self.ranks) if rank < 0 or origin in stay]
        self.count = len(self.less) + len(self.more)
        self.is_rearranged = self.ranks != [*range(len(new))]

    def amended(
        self, written: WrittenIndex, less: Iterable[Sequence[str]], more: Iterable[Sequence[str]]
    ) -> WrittenIndex | None:
        """Return an index of names of modules; *less* and *more* are keys of ``less``, ``more``."""
        return amended(
            written,
            [
                (key, self.old[origin].name, origin)
                for origin, keys in zip(self.less, less, strict=True)
                for key in keys
            ],
            [
                (key, self.new[rank].name, rank)
                for rank, keys in zip(self.more, more, strict=True)
                for key in keys
            ],
        )


def _all_needed(modules: Sequence[ScannedModule]) -> set[str]:
    names: set[bytes] = set()
    names.update(*[module.need_names.split(b"\0") for module in modules])
    return {_text.decode(name) for name in names}


def _same(one: ScannedModule, other: ScannedModule) -> bool:
    return one is other or one.facts == other.facts


def _aliases(before: Aliases, changes: _Changes) -> Aliases | None:
    less = [_alias_keys(changes.old[origin]) for origin in changes.less]
    more = [_alias_keys(changes.new[rank]) for rank in changes.more]
    if None in more:
        return None
    index = changes.amended(
        before.index, [keys or () for keys in less], [keys or () for keys in more]
    )
    if index is None:
        return None
    new = changes.new
    text = before.text.rearranged(
        [
            alias_lines(new[rank].values("alias"), new[rank].name)
            if rank in changes.altered
            else origin
            for rank, origin in enumerate(changes.origins)
        ]
    )
    return Aliases(text, index)


def _alias_keys(module: ScannedModule) -> list[str] | None:
    problems: list[Problem] = []
    keys = alias_keys(module.values("alias"), module.name, ALIAS, problems)
    return None if problems else keys


def _symbols(before: Symbols, changes: _Changes) -> Symbols | None:
    old, new, ranks = changes.old, changes.new, changes.ranks
    less = [dict.fromkeys(old[origin].exports, origin) for origin in changes.less]
    more = [dict.fromkeys(new[rank].exports, rank) for rank in changes.more]
    index = changes.amended(
        before.index,
        [[*map(symbol_key, names)] for names in less],
        [[*map(symbol_key, names)] for names in more],
    )
    if index is None:
        return None
    owners = dict(before.owners)
    for names in less:
        for symbol in names:
            owners.pop(symbol, None)
    if changes.is_rearranged:
        owners = {symbol: ranks[owner] for symbol, owner in owners.items()}
    expected = len(owners) + sum(map(len, more))
    for names in more:
        owners.update(names)
    if len(owners) != expected or "" in owners:
        return None  # two modules export a symbol, or one that has no name
    gone = set().union(*less).difference(*more)
    come = set().union(*more).difference(*less)
    touched = set().union(*less, *more)
    buckets = [*map(list, before.buckets)]
    places = _buckets_of(touched)
    for bucket in set(places.values()):
        buckets[bucket] = [name for name in buckets[bucket] if name not in gone]
    for name in come:
        insort(buckets[places[name]], name, key=_text.encode)
    module_names = [module.name for module in new]
    chunks: list[int | bytes] = [*range(len(buckets))]
    for bucket in set(places.values()):
        chunks[bucket] = bucket_lines(buckets[bucket], module_names, owners)
    return Symbols(owners, buckets, before.text.rearranged(chunks), index)


def _buckets_of(names: Iterable[str]) -> dict[str, int]:
    ordered = list(names)
    hashes = superfasthashes([*map(_text.encode, ordered)])
    return {name: value & (SYMBOL_BUCKETS - 1) for name, value in zip(ordered, hashes, strict=True)}


def _graph(before: IndexedTree, changes: _Changes, symbols: Symbols, needed: set[str]) -> Graph:
    """Return whom each module needs: asked anew of those that may need another one now."""
    ranks, known = changes.ranks, before.dependencies.graph
    if changes.is_rearranged:
        known = [[ranks[other] for other in each] for each in known]
    graph = [known[origin] if origin >= 0 else () for origin in changes.origins]
    for rank in changes.altered.union(_users(before, changes, symbols, needed)):
        find = symbols.owners.get
        # A leading dot does not count; see `spellings`.
        used = dict.fromkeys([find(name.removeprefix(".")) for name in changes.new[rank].needs])
        graph[rank] = [owner for owner in used if owner is not None]
    return graph


def _users(before: IndexedTree, changes: _Changes, symbols: Symbols, needed: set[str]) -> list[int]:
    """Return the modules that need a symbol that now belongs to another one, or to none."""
    old, now, ranks = before.symbols.owners, symbols.owners, changes.ranks
    names = {name for origin in changes.less for name in changes.old[origin].exports}
    names.update(name for rank in changes.more for name in changes.new[rank].exports)
    # A name is there in one of the two at least.
    differ = [
        name
        for name in names
        if name not in old or name not in now or ranks[old[name]] != now[name]
    ]
    spelled = needed.intersection([*differ, *[f".{name}" for name in differ]])
    if not spelled:
        return []
    wanted = {_text.encode(name) for name in spelled}
    return [
        rank
        for rank, module in enumerate(changes.new)
        if not wanted.isdisjoint(module.need_names.split(b"\0"))
    ]


def _dependencies(
    before: Dependencies, changes: _Changes, graph: Graph, directory: str
) -> Dependencies | None:
    lines, stuck = dependency_lines(directory, changes.new, graph)
    if stuck:
        return None
    less = [
        (changes.old[origin].name, before.lines[origin], origin)
        for origin, rank in enumerate(changes.ranks)
        if rank != origin or lines[rank] != before.lines[origin]
    ]
    more = [
        (changes.new[rank].name, lines[rank], rank)
        for rank, origin in enumerate(changes.origins)
        if rank != origin or lines[rank] != before.lines[origin]
    ]
    if len(more) > _MOST_LINES:
        index: WrittenIndex | None = dependency_index(changes.new, lines, [])
    else:
        index = amended(before.index, less, more)
    return None if index is None else Dependencies(graph, lines, index)
