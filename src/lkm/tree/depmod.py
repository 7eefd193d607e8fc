"""Make the index files of a modules directory, as depmod does.

Source: depmod(8); kmod, tools/depmod.c.
"""

from __future__ import annotations

import os

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
from lkm.tree.device_nodes import device_nodes
from lkm.tree.index_files import (
    index_of,
    make_alias,
    make_builtin,
    make_symbols,
    read_build_file,
)
from lkm.tree.order import MODULE_BUCKETS, hash_order, module_order
from lkm.tree.scan import Problem, find_modules, scan_tree
from lkm.tree.search import SearchRules
from lkm.tree.writing import write_indexes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Final

    from lkm.module.scan import ScannedModule
    from lkm.tree.kernel_symbols import KernelSymbols
    from lkm.tree.search import Duplicate

__all__ = ["Checks", "Indexes", "build_indexes", "text_of", "write_indexes"]


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
    scanned = scan_tree(_ordered_paths(directory, chosen, problems))
    problems += scanned.problems
    modules = scanned.modules
    exported = _owners(modules, checks.symbol_prefix)
    owners = spellings(exported, checks.symbol_prefix)
    if checks.kernel is not None:
        from lkm.tree.unresolved import unresolved  # only depmod -e asks

        problems += unresolved(modules, checks.kernel, checks.symbol_prefix)
    made: dict[str, bytes] = {}
    cycle = _make_dep(made, directory, modules, owners, problems)
    make_alias(made, modules, problems, warn_of_duplicates=checks.duplicates)
    made["modules.softdep"] = tables.softdep_text(_values(modules, "softdep"))
    made["modules.weakdep"] = tables.weakdep_text(_values(modules, "weakdep"))
    make_symbols(made, modules, exported, problems)
    make_builtin(made, directory, problems)
    made["modules.devname"] = tables.devname_text(device_nodes(modules, problems))
    return Indexes(
        files=made,
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


def _owners(modules: Sequence[ScannedModule], prefix: str) -> dict[str, int]:
    """Return the place of the module that exports each symbol, the last where several do."""
    if not prefix:
        return {symbol: rank for rank, module in enumerate(modules) for symbol in module.exports}
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


def _values(modules: Iterable[ScannedModule], wanted: str) -> list[tuple[str, str]]:
    return [
        (module.name, value) for module in modules for key, value in module.modinfo if key == wanted
    ]
