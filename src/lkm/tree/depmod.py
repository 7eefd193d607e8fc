"""Make the index files of a modules directory, as depmod does.

Source: depmod(8); kmod, tools/depmod.c.
"""

from __future__ import annotations

import gc
import os

from lkm._fork import Forks, cores
from lkm._value import Value
from lkm.errors import CycleError, NoTreeError
from lkm.names import ModuleName, module_name_of_path
from lkm.tree import tables
from lkm.tree.dependencies import (
    closures,
    cycles,
    direct_dependencies,
    first_uses,
    number,
    spellings,
)
from lkm.tree.index_files import index_of, make_symbols, read_build_file
from lkm.tree.modinfo_files import modinfo_files, problems_of
from lkm.tree.order import MODULE_BUCKETS, hash_order, module_order
from lkm.tree.scan import Problem, find_modules, scan_share, scan_tree
from lkm.tree.search import SearchRules
from lkm.tree.writing import write_indexes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Final

    from lkm.module.scan import ScannedModule
    from lkm.tree.kernel_symbols import KernelSymbols
    from lkm.tree.search import Duplicate

__all__ = ["INDEX_FILES", "Checks", "Indexes", "build_indexes", "text_of", "write_indexes"]

INDEX_FILES = (
    "modules.dep",
    "modules.dep.bin",
    "modules.alias",
    "modules.alias.bin",
    "modules.softdep",
    "modules.weakdep",
    "modules.symbols",
    "modules.symbols.bin",
    "modules.builtin.bin",
    "modules.builtin.alias.bin",
    "modules.devname",
)
"""In depmod's order of writing them."""

# What other processes are asked for, and for how many files another one is worth its start.
_FORKS_KNOW = (scan_share, modinfo_files)
_WORTH_A_FORK = 200


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


class Indexes(Value):
    """The index files of a tree: *files* by name, in depmod's writing order; *problems* met.

    *modules* are those indexed, in the order of modules.dep, and *owners* tells by its place who
    of them exports what (``spellings``), under *symbol_prefix*. *cycle* says which modules need
    each other, where some do; *duplicates* which files another of the same module won over.
    """

    __slots__ = (
        "cycle",
        "duplicates",
        "files",
        "modules",
        "owners",
        "problems",
        "symbol_prefix",
    )

    def __init__(
        self,
        *,
        files: Mapping[str, bytes],
        problems: tuple[Problem, ...],
        modules: tuple[ScannedModule, ...],
        owners: Mapping[str, int],
        symbol_prefix: str,
        cycle: CycleError | None,
        duplicates: tuple[Duplicate, ...],
    ) -> None:
        self.files: Final = files
        self.problems: Final = problems
        self.modules: Final = modules
        self.owners: Final = owners
        self.symbol_prefix: Final = symbol_prefix
        self.cycle: Final = cycle
        self.duplicates: Final = duplicates

    def uses(self) -> Iterator[tuple[ScannedModule, str, ScannedModule]]:
        """Yield (user, the symbol first used, owner) for each pair of modules."""
        from lkm.tree.kernel_symbols import as_exported  # only depmod -v asks

        needs = [module.needs for module in self.modules]
        for user, name, owner in first_uses(needs, self.owners):
            symbol = as_exported(name, self.symbol_prefix)
            yield self.modules[user], symbol, self.modules[owner]


def build_indexes(
    directory: str,
    *,
    rules: SearchRules | None = None,
    files: Sequence[str] | None = None,
    checks: Checks | None = None,
) -> Indexes:
    """Read all module files of the tree at *directory* and return its index files.

    With *files* only those modules are read, by these absolute paths, and the tree is not searched.

    Modules that need each other are told in the answer's *cycle*, and each cycle is a problem. They
    are indexed all the same: what the cycle does not concern is then as right as ever, and each
    module that it does concern is listed with all that it needs, directly or not; so a kernel asked
    for one of them refuses it by the symbol that is unknown. kmod's depmod writes nothing then.

    Raises ``NoTreeError`` for a missing directory, ``FileError``. What is wrong with one file is a
    problem, and the work goes on.
    """
    checks = checks or Checks()
    problems: list[Problem] = []
    duplicates: list[Duplicate] = []
    if files is None:
        if not os.path.isdir(directory):
            raise NoTreeError(directory, "no such modules directory", "name a root that has it")
        chosen = find_modules(directory, rules or SearchRules(), problems, duplicates)
    else:
        chosen = {module_name_of_path(path): path for path in files}
    paths = _ordered_paths(directory, chosen, problems)
    with _Uncollected(), Forks(_FORKS_KNOW, _forks_for(paths)) as forks:
        scanned = scan_tree(paths, with_crcs=checks.kernel is not None, forks=forks)
        problems += scanned.problems
        modules = scanned.modules
        declared = [(module.path, module.modinfo_bytes) for module in modules]
        made_of_modinfo = forks.ask(0, modinfo_files, directory, declared, checks.duplicates)
        exported = _owners(modules, checks.symbol_prefix)
        owners = spellings(exported, checks.symbol_prefix)
        if checks.kernel is not None:
            from lkm.tree.unresolved import unresolved  # only depmod -e asks

            problems += unresolved(modules, checks.kernel, checks.symbol_prefix)
        made: dict[str, bytes] = {}
        cycle = _make_dep(made, directory, modules, owners, problems)
        with_symbols: list[Problem] = []
        make_symbols(made, modules, exported, with_symbols)
        others, early, late = made_of_modinfo()
    made.update(others)
    problems += [*problems_of(early), *with_symbols, *problems_of(late)]
    return Indexes(
        files={name: made[name] for name in INDEX_FILES},
        problems=tuple(problems),
        modules=modules,
        owners=owners,
        symbol_prefix=checks.symbol_prefix,
        cycle=cycle,
        duplicates=tuple(duplicates),
    )


def text_of(indexes: Indexes) -> bytes:
    """Return the text files one after another, as ``depmod -n`` prints them."""
    return b"".join([data for name, data in indexes.files.items() if not name.endswith(".bin")])


class _Uncollected:
    """Keep the collector from looking again and again through what is all needed to the end."""

    def __enter__(self) -> None:
        self._was_on = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._was_on:
            gc.enable()


def _forks_for(paths: Sequence[str]) -> int:
    return min(cores(), 1 + len(paths) // _WORTH_A_FORK) - 1


def _owners(modules: Sequence[ScannedModule], prefix: str) -> dict[str, int]:
    """Return the place of the module that exports each symbol, the last where several do."""
    if not prefix:
        found: dict[str, int] = {}
        for rank, module in enumerate(modules):
            found.update(dict.fromkeys(module.exports, rank))
        return found
    from lkm.tree.kernel_symbols import without_prefix  # only depmod -P asks

    return {
        without_prefix(symbol, prefix): rank
        for rank, module in enumerate(modules)
        for symbol in module.exports
    }


def _ordered_paths(
    directory: str, chosen: Mapping[ModuleName, str], problems: list[Problem]
) -> list[str]:
    """Return the paths of the module files in the order of modules.dep."""
    paths = [chosen[ModuleName(name)] for name in hash_order(chosen, MODULE_BUCKETS)]
    listed = read_build_file(directory, "modules.order", problems, index="modules.dep")
    if listed and not listed.endswith(b"\n"):
        line = listed.count(b"\n") + 1
        text = f"{directory}/modules.order:{line} corrupted line misses '\\n'"
        path = f"{directory}/modules.order"
        problems.append(Problem("ERROR", text, kind="cut-off", path=path))
        return paths
    prefix = directory + "/"
    return module_order(paths, [prefix + path for path in tables.parse_paths(listed)])


def _make_dep(
    files: dict[str, bytes],
    directory: str,
    modules: Sequence[ScannedModule],
    owners: Mapping[str, int],
    problems: list[Problem],
) -> CycleError | None:
    graph = direct_dependencies([module.needs for module in modules], owners)
    numbers, stuck = number(graph)
    prefix = directory + "/"
    paths = [module.path.removeprefix(prefix) for module in modules]
    path_of = paths.__getitem__
    lines = [
        " ".join((path + ":", *map(path_of, needed)))
        for path, needed in zip(paths, closures(graph, numbers, stuck), strict=True)
    ]
    entries = [(module.name, lines[rank], rank) for rank, module in enumerate(modules)]
    files["modules.dep"] = tables.dep_text(lines)
    files["modules.dep.bin"] = index_of(entries, "modules.dep.bin", problems)
    if not stuck:
        return None
    chains = [tuple([modules[rank].name for rank in chain]) for chain in cycles(graph, stuck)]
    cycle = CycleError(tuple(chains), directory)
    concerned = [*chains, tuple(sorted({name for chain in chains for name in chain}))]
    for line, names in zip(cycle.kmod_lines, concerned, strict=True):
        problems.append(Problem("ERROR", line, kind="cycle", modules=names))
    return cycle
