"""The index files that are made from what modules export and need.

Source: depmod(8); kmod, tools/depmod.c, output_deps and output_symbols.
"""

from __future__ import annotations

from lkm import _text
from lkm._value import Value
from lkm.errors import CycleError
from lkm.tree import tables
from lkm.tree.depmod.chunks import Chunks
from lkm.tree.depmod.dependencies import closures, cycles, number
from lkm.tree.depmod.index_files import index_of
from lkm.tree.depmod.order import SYMBOL_BUCKETS, hash_buckets
from lkm.tree.problem import Problem
from lkm.tree.trie.writer import WrittenIndex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final

    from lkm.module.scanned import ScannedModule
    from lkm.tree.depmod.dependencies import Graph

    PlainDependencies = tuple[Graph, Sequence[str], bytes, bytes]
    PlainSymbols = tuple[
        Mapping[str, int], Sequence[Sequence[str]], bytes, Sequence[int], bytes, bytes
    ]

DEP, SYMBOLS = "modules.dep.bin", "modules.symbols.bin"
_SYMBOL = "symbol:"


class Dependencies(Value):
    """modules.dep as *lines*, its *index*, and the *graph* that both are made from."""

    __slots__ = ("graph", "index", "lines")

    def __init__(self, graph: Graph, lines: Sequence[str], index: WrittenIndex) -> None:
        self.graph: Final = graph
        self.lines: Final = lines
        self.index: Final = index

    @classmethod
    def from_plain(cls, plain: PlainDependencies) -> Dependencies:
        """Return what ``plain`` has given."""
        graph, lines, data, marks = plain
        return cls(graph, lines, WrittenIndex(data, marks))

    @property
    def plain(self) -> PlainDependencies:
        """All of it as values for ``marshal``."""
        return self.graph, self.lines, self.index.data, self.index.marks

    @property
    def files(self) -> dict[str, bytes]:
        """The files by name."""
        return {"modules.dep": tables.dep_text(self.lines), DEP: self.index.data}


class Symbols(Value):
    """modules.symbols as *text*, whose chunks belong to the *buckets* of names, and its *index*.

    *owners* tells by its place who exports a symbol.
    """

    __slots__ = ("buckets", "index", "owners", "text")

    def __init__(
        self,
        owners: Mapping[str, int],
        buckets: Sequence[Sequence[str]],
        text: Chunks,
        index: WrittenIndex,
    ) -> None:
        self.owners: Final = owners
        self.buckets: Final = buckets
        self.text: Final = text
        self.index: Final = index

    @classmethod
    def from_plain(cls, plain: PlainSymbols) -> Symbols:
        """Return what ``plain`` has given."""
        owners, buckets, text, lengths, data, marks = plain
        return cls(owners, buckets, Chunks(text, lengths), WrittenIndex(data, marks))

    @property
    def plain(self) -> PlainSymbols:
        """All of it as values for ``marshal``."""
        text, index = self.text, self.index
        return self.owners, self.buckets, text.text, text.lengths, index.data, index.marks

    @property
    def files(self) -> dict[str, bytes]:
        """The files by name."""
        return {"modules.symbols": self.text.text, SYMBOLS: self.index.data}


def dependencies(
    directory: str, modules: Sequence[ScannedModule], graph: Graph, problems: list[Problem]
) -> tuple[Dependencies, CycleError | None]:
    """Return modules.dep and its index; each cycle in *graph* is a problem."""
    lines, stuck = dependency_lines(directory, modules, graph)
    made = Dependencies(graph, lines, dependency_index(modules, lines, problems))
    if not stuck:
        return made, None
    chains = [tuple([modules[rank].name for rank in chain]) for chain in cycles(graph, stuck)]
    cycle = CycleError(tuple(chains), directory)
    concerned = [*chains, tuple(sorted({name for chain in chains for name in chain}))]
    for line, names in zip(cycle.kmod_lines, concerned, strict=True):
        problems.append(Problem("ERROR", line, kind="cycle", modules=names))
    return made, cycle


def dependency_index(
    modules: Sequence[ScannedModule], lines: Sequence[str], problems: list[Problem]
) -> WrittenIndex:
    """Return modules.dep.bin: of each module its line."""
    groups = [(lines[rank], rank, (module.name,)) for rank, module in enumerate(modules)]
    return index_of(groups, DEP, problems)


def dependency_lines(
    directory: str, modules: Sequence[ScannedModule], graph: Graph
) -> tuple[list[str], list[int]]:
    """Return the lines of modules.dep, and the modules that need each other."""
    numbers, stuck = number(graph)
    prefix = directory + "/"
    paths = [module.path.removeprefix(prefix) for module in modules]
    path_of = paths.__getitem__
    lines = [
        " ".join((path + ":", *map(path_of, needed)))
        for path, needed in zip(paths, closures(graph, numbers, stuck), strict=True)
    ]
    return lines, stuck


def symbols(
    modules: Sequence[ScannedModule], owners: Mapping[str, int], problems: list[Problem]
) -> Symbols:
    """Return modules.symbols and its index: of each symbol the place of its owner."""
    names = [module.name for module in modules]
    buckets = hash_buckets(owners, SYMBOL_BUCKETS)
    chunks = [bucket_lines(bucket, names, owners) for bucket in buckets]
    text = Chunks.of(_text.encode(tables.SYMBOLS_TITLE), chunks)
    exported: list[list[str]] = [[] for _ in names]
    for symbol, owner in owners.items():
        exported[owner].append(_SYMBOL + symbol)
    groups = [(name, rank, exported[rank]) for rank, name in enumerate(names)]
    return Symbols(owners, buckets, text, index_of(groups, SYMBOLS, problems))


def bucket_lines(bucket: Sequence[str], names: Sequence[str], owners: Mapping[str, int]) -> bytes:
    """Return the lines of modules.symbols for the symbols of one bucket."""
    lines = [f"alias {_SYMBOL}{symbol} {names[owners[symbol]]}\n" for symbol in bucket]
    return _text.encode("".join(lines))


def symbol_key(symbol: str) -> str:
    """Return the key that a symbol has in the index."""
    return _SYMBOL + symbol
