"""From the module files of a tree to its index files: all anew, or by what has changed."""

from __future__ import annotations

from lkm import _text
from lkm._fork import Forks, forks_for
from lkm._value import Value
from lkm.module.quick_elf import identity_at
from lkm.tree.depmod.amending import IndexedTree, amend, may_amend
from lkm.tree.depmod.builtin_files import BUILTIN_SOURCES, builtin_files
from lkm.tree.depmod.dependencies import direct_dependencies, spellings
from lkm.tree.depmod.modinfo_files import (
    OTHER_KEYS,
    Aliases,
    modinfo_files,
    other_texts,
    problems_of,
)
from lkm.tree.depmod.symbol_files import (
    Dependencies,
    Symbols,
    dependencies,
    symbols,
)
from lkm.tree.problem import Problem
from lkm.tree.scan.reading import scan_tree, scan_turns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final

    from lkm.errors import CycleError
    from lkm.module.scanned import Identity, ScannedModule
    from lkm.tree.depmod.dependencies import Graph
    from lkm.tree.depmod.kernel_symbols import KernelSymbols
    from lkm.tree.depmod.modinfo_files import Plain as PlainAliases
    from lkm.tree.depmod.symbol_files import PlainDependencies, PlainSymbols
    from lkm.tree.memory.remembered import TreeMemory

    Plain = tuple[
        PlainAliases,
        PlainDependencies,
        PlainSymbols,
        Sequence[str],
        Sequence[Identity | None],
        Mapping[str, bytes],
    ]

KERNELS_OWN = ("modules.order", *BUILTIN_SOURCES)

# With more files to be read it is as quick to make all anew.
_FEW = 64


class Checks(Value):
    """What is asked of a tree besides its indexes.

    *kernel* is what the kernel exports: with it, whatever modules need and nobody offers is a
    problem, and every CRC that differs, where it has them. *duplicates*: so is an alias that a
    module has twice. *symbol_prefix* is a character that does not count before a symbol's name.
    """

    __slots__ = ("duplicates", "kernel", "symbol_prefix")

    def __init__(
        self,
        *,
        kernel: KernelSymbols | None = None,
        duplicates: bool = False,
        symbol_prefix: str = "",
    ) -> None:
        self.kernel: Final = kernel
        self.duplicates: Final = duplicates
        self.symbol_prefix: Final = symbol_prefix


class Sources(Value):
    """What the index files of the tree at *directory* are made from.

    *paths* are its module files in the order of modules.dep, *kernels* the identities of the files
    that the kernel's build has left (``KERNELS_OWN``); None where one may change unseen.
    """

    __slots__ = ("checks", "directory", "kernels", "paths")

    def __init__(
        self,
        directory: str,
        paths: Sequence[str],
        kernels: Sequence[Identity | None],
        checks: Checks,
    ) -> None:
        self.directory: Final = directory
        self.paths: Final = paths
        self.kernels: Final = kernels
        self.checks: Final = checks


class Made(Value):
    """The indexes of a *tree*: *files* by name, *problems*, and who needs each other."""

    __slots__ = ("cycle", "files", "problems", "tree")

    def __init__(
        self,
        tree: IndexedTree,
        others: Mapping[str, bytes],
        problems: Sequence[Problem],
        cycle: CycleError | None = None,
    ) -> None:
        self.tree: Final = tree
        parts = (tree.dependencies, tree.aliases, tree.symbols)
        files = {name: data for part in parts for name, data in part.files.items()}
        self.files: Final = {**files, **others}
        self.problems: Final = tuple(problems)
        self.cycle: Final = cycle


def indexed_tree(sources: Sources, memory: TreeMemory) -> Made:
    """Return the indexes of *sources*, all made anew. Raises ``FileError``.

    What *memory* knows of a module is not read again, and all is remembered.
    """
    directory, paths, checks = sources.directory, sources.paths, sources.checks
    with_crcs = checks.kernel is not None
    known = {} if with_crcs else memory.known(paths)
    with Forks((scan_turns, modinfo_files), forks_for(len(paths))) as forks:
        scanned = scan_tree(paths, with_crcs=with_crcs, forks=forks, known=known)
        modules = scanned.modules
        exported = _owners(modules, checks.symbol_prefix)
        declared = [(module.path, module.modinfo_bytes) for module in modules]
        made_of_modinfo = forks.ask(0, modinfo_files, directory, declared, checks.duplicates)
        problems = list(scanned.problems)
        if checks.kernel is not None:
            from lkm.tree.depmod.unresolved import unresolved  # only depmod -e asks

            problems += unresolved(modules, checks.kernel, checks.symbol_prefix)
        graph = _graph(modules, exported, checks.symbol_prefix)
        needing, cycle = dependencies(directory, modules, graph, problems)
        with_symbols: list[Problem] = []
        exporting = symbols(modules, exported, with_symbols)
        aliases, builtins, texts, early, late = made_of_modinfo()
    problems += [*problems_of(early), *with_symbols]
    tree = IndexedTree(modules, Aliases.from_plain(aliases), needing, exporting)
    if not with_crcs:
        # What is unusual about a tree is told by a look at all of it.
        usual = not (problems or checks.symbol_prefix or checks.duplicates) and may_amend(tree)
        plain = _plain(tree, sources.kernels, {} if late else {**builtins, **texts})
        memory.remember(modules, scanned.identities, plain if usual else None)
    return Made(tree, {**builtins, **texts}, [*problems, *problems_of(late)], cycle)


def amended_tree(sources: Sources, memory: TreeMemory, plain: Plain) -> Made | None:
    """Return the indexes of *sources*, made of those in *plain*, which *memory* has.

    None where they are better made anew. Raises ``FileError``.
    """
    paths, directory = sources.paths, sources.directory
    known = memory.known(paths)
    if len(paths) - len(known) > _FEW:
        return None
    scanned = scan_tree(paths, known=known)
    if scanned.problems:
        return None
    before = _from_plain(plain, memory.modules())
    tree = amend(before, scanned.modules, directory)
    if tree is None:
        return None
    others, kernels = plain[-1], plain[-2]
    problems: list[Problem] = []
    same_kernel = kernels == sources.kernels and None not in kernels
    if not (others and same_kernel and _says_the_same(before, tree)):
        others = {
            **builtin_files(directory, problems),
            **other_texts(scanned.modules, problems),
        }
    now = _plain(tree, sources.kernels, {} if problems else others)
    same = tree is before and kernels == sources.kernels
    memory.remember(scanned.modules, scanned.identities, now, same=same)
    return Made(tree, others, problems)


def _says_the_same(before: IndexedTree, tree: IndexedTree) -> bool:
    """Tell whether no module that has changed says what the files of few lines are made of."""
    old = {id(module): module for module in before.modules}
    new = {id(module): module for module in tree.modules}
    changed = [(old.get(number) or new[number]) for number in old.keys() ^ new.keys()]
    return not any(key in module.modinfo_bytes for module in changed for key in OTHER_KEYS)


def kernels_own(directory: str, memory: TreeMemory) -> list[Identity | None]:
    """Return which state it is of the files that the kernel's build has left for depmod."""
    return [memory.settled(identity_at(f"{directory}/{name}")) for name in KERNELS_OWN]


def _owners(modules: Sequence[ScannedModule], prefix: str) -> dict[str, int]:
    """Return the place of the module that exports each symbol, the last where several do."""
    if not prefix:
        found: dict[str, int] = {}
        for rank, module in enumerate(modules):
            found.update(dict.fromkeys(module.exports, rank))
        return found
    from lkm.tree.depmod.kernel_symbols import without_prefix  # only depmod -P asks

    return {
        without_prefix(symbol, prefix): rank
        for rank, module in enumerate(modules)
        for symbol in module.exports
    }


def _graph(modules: Sequence[ScannedModule], exported: Mapping[str, int], prefix: str) -> Graph:
    """Return whom each module needs."""
    needs = [module.need_names for module in modules]
    names = "\0".join(exported)
    if prefix or _has_dotted(_text.encode(names), needs):
        owners = spellings(exported, prefix)
        return direct_dependencies([module.needs for module in modules], owners)
    # The commonest tree takes no name as text.
    plain = dict(zip(_text.encode(names).split(b"\0"), exported.values(), strict=True))
    return (
        direct_dependencies([each.split(b"\0") for each in needs], plain)
        if exported
        else [[] for _ in modules]
    )


def _has_dotted(exported: bytes, needs: Sequence[bytes]) -> bool:
    """Tell whether any name is empty or begins with a dot, so that how it is spelled matters."""
    every = b"\0".join((b"", exported, *needs))
    return b"\0." in every or b"\0\0" in b"\0%b\0" % exported


def _plain(
    tree: IndexedTree, kernels: Sequence[Identity | None], others: Mapping[str, bytes]
) -> Plain:
    """Return as values for ``marshal`` what can be amended, without the modules."""
    parts = tree.aliases.plain, tree.dependencies.plain, tree.symbols.plain
    return *parts, tree.needed, kernels, others


def _from_plain(plain: Plain, modules: Sequence[ScannedModule]) -> IndexedTree:
    aliases, dependencies, symbols, needed, *_ = plain
    return IndexedTree(
        modules,
        Aliases.from_plain(aliases),
        Dependencies.from_plain(dependencies),
        Symbols.from_plain(symbols),
        needed,
    )
