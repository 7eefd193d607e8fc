"""Make the index files of a modules directory, as depmod does.

Source: depmod(8); kmod, tools/depmod.c.
"""

from __future__ import annotations

import gc
import os

from lkm._value import Value
from lkm.errors import NoTreeError
from lkm.names import ModuleName, module_name_of_path
from lkm.tree import tables
from lkm.tree.depmod.dependencies import first_uses, spellings
from lkm.tree.depmod.index_files import read_build_file
from lkm.tree.depmod.making import Checks, Sources, amended_tree, indexed_tree, kernels_own
from lkm.tree.depmod.order import MODULE_BUCKETS, hash_order, module_order
from lkm.tree.depmod.writing import write_indexes
from lkm.tree.memory.folders import Folders
from lkm.tree.memory.remembered import TreeMemory
from lkm.tree.problem import Problem
from lkm.tree.scan.search import SearchRules
from lkm.tree.scan.walking import find_modules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Final

    from lkm.cache import Cache
    from lkm.errors import CycleError
    from lkm.module.scanned import ScannedModule
    from lkm.tree.depmod.making import Made
    from lkm.tree.scan.search import Duplicate

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


class Indexes(Value):
    """The index files of a tree: *files* by name, in depmod's writing order; *problems* met.

    *modules* are those indexed, in the order of modules.dep, and *exported* tells by its place who
    of them exports what; names are without *symbol_prefix*. *cycle* says which modules need
    each other, where some do; *duplicates* which files another of the same module won over.
    """

    __slots__ = (
        "cycle",
        "duplicates",
        "exported",
        "files",
        "modules",
        "problems",
        "symbol_prefix",
    )

    def __init__(
        self,
        *,
        files: Mapping[str, bytes],
        problems: tuple[Problem, ...],
        modules: tuple[ScannedModule, ...],
        exported: Mapping[str, int],
        symbol_prefix: str,
        cycle: CycleError | None,
        duplicates: tuple[Duplicate, ...],
    ) -> None:
        self.files: Final = files
        self.problems: Final = problems
        self.modules: Final = modules
        self.exported: Final = exported
        self.symbol_prefix: Final = symbol_prefix
        self.cycle: Final = cycle
        self.duplicates: Final = duplicates

    def uses(self) -> Iterator[tuple[ScannedModule, str, ScannedModule]]:
        """Yield (user, the symbol first used, owner) for each pair of modules."""
        from lkm.tree.depmod.kernel_symbols import as_exported  # only depmod -v asks

        needs = [module.needs for module in self.modules]
        owners = spellings(self.exported, self.symbol_prefix)
        for user, name, owner in first_uses(needs, owners):
            symbol = as_exported(name, self.symbol_prefix)
            yield self.modules[user], symbol, self.modules[owner]


def build_indexes(
    directory: str,
    *,
    rules: SearchRules | None = None,
    files: Sequence[str] | None = None,
    checks: Checks | None = None,
    cache: Cache | None = None,
) -> Indexes:
    """Read all module files of the tree at *directory* and return its index files.

    With *files* only those modules are read, by these absolute paths, and the tree is not searched.
    Otherwise what *cache*, such as ``lkm.default_cache()``, remembers of a module is not read
    again; the answer is the same.

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
        folders = None if cache is None else Folders(cache, directory)
        chosen = find_modules(
            directory, rules or SearchRules(), problems, duplicates, folders=folders
        )
        if folders is not None:
            folders.remember()
    else:
        chosen = {module_name_of_path(path): path for path in files}
    with _Uncollected():
        memory = TreeMemory(cache if files is None else None, directory)
        made = _made(directory, chosen, checks, memory, problems)
    return Indexes(
        files={name: made.files[name] for name in INDEX_FILES},
        problems=(*problems, *made.problems),
        modules=tuple(made.tree.modules),
        exported=made.tree.symbols.owners,
        symbol_prefix=checks.symbol_prefix,
        cycle=made.cycle,
        duplicates=tuple(duplicates),
    )


def _made(
    directory: str,
    chosen: Mapping[ModuleName, str],
    checks: Checks,
    memory: TreeMemory,
    problems: list[Problem],
) -> Made:
    plain = memory.indexes() if checks == Checks() else None
    kernels = kernels_own(directory, memory)
    # The order follows from modules.order and the names.
    same_order = plain is not None and kernels[0] is not None and kernels[0] == plain[-2][0]
    if same_order and len(chosen) == len(memory.paths) and {*chosen.values()} == {*memory.paths}:
        paths = memory.paths
    else:
        before = len(problems)
        paths = _ordered_paths(directory, chosen, problems)
        if len(problems) > before:
            kernels[0] = None  # it is told each time
    sources = Sources(directory, paths, kernels, checks)
    made = None if plain is None else amended_tree(sources, memory, plain)
    return indexed_tree(sources, memory) if made is None else made


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
