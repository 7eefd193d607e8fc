"""Make the index files of a modules directory, as depmod does.

Source: depmod(8); kmod, tools/depmod.c.
"""

from __future__ import annotations

import os

from lkm import _text
from lkm._value import Value
from lkm.errors import BadNameError, CycleError, FileError, NoTreeError
from lkm.names import ModuleName, alias_name
from lkm.tree import _files, builtin, tables
from lkm.tree.dependencies import closures, cycles, direct_dependencies, number
from lkm.tree.order import (
    MODULE_BUCKETS,
    SYMBOL_BUCKETS,
    hash_order,
    module_order,
)
from lkm.tree.scan import Problem, find_modules, scan_tree
from lkm.tree.search import SearchRules
from lkm.tree.trie_writer import build_index
from lkm.tree.writing import write_indexes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Final

    from lkm.module.scan import ScannedModule

    Item = tuple[str, str, int]  # key, value, priority

__all__ = ["Indexes", "build_indexes", "text_of", "write_indexes"]


class Indexes(Value):
    """The index files of a tree: *files* by name, in depmod's writing order; *problems* met.

    *cycle* says which modules need each other, where some do: depmod writes no such indexes.
    """

    __slots__ = ("cycle", "files", "problems")

    def __init__(
        self,
        files: Mapping[str, bytes],
        problems: tuple[Problem, ...],
        cycle: CycleError | None = None,
    ) -> None:
        self.files: Final = files
        self.problems: Final = problems
        self.cycle: Final = cycle


def build_indexes(
    directory: str, *, rules: SearchRules | None = None, allow_cycles: bool = False
) -> Indexes:
    """Read all module files of the tree at *directory* and return its index files.

    Raises ``CycleError`` where modules need each other, unless *allow_cycles*, ``NoTreeError`` for
    a missing directory, ``FileError``. What is wrong with one file is a problem, and the work
    goes on.
    """
    if not os.path.isdir(directory):
        raise NoTreeError(directory, "no such modules directory", "name a root that has it")
    problems: list[Problem] = []
    paths = _ordered_paths(directory, rules or SearchRules(), problems)
    scanned = scan_tree(paths)
    problems += scanned.problems
    modules = scanned.modules
    owners = {symbol: rank for rank, module in enumerate(modules) for symbol in module.exports}
    files: dict[str, bytes] = {}
    cycle = _make_dep(files, directory, modules, owners, problems)
    if cycle is not None and not allow_cycles:
        raise cycle
    _make_alias(files, modules, problems)
    files["modules.softdep"] = tables.softdep_text(_values(modules, "softdep"))
    files["modules.weakdep"] = tables.weakdep_text(_values(modules, "weakdep"))
    _make_symbols(files, modules, owners, problems)
    _make_builtin(files, directory, problems)
    files["modules.devname"] = tables.devname_text(_device_nodes(modules, problems))
    return Indexes(files, tuple(problems), cycle)


def text_of(indexes: Indexes) -> bytes:
    """Return the text files one after another, as ``depmod -n`` prints them."""
    return b"".join([data for name, data in indexes.files.items() if not name.endswith(".bin")])


def _ordered_paths(directory: str, rules: SearchRules, problems: list[Problem]) -> list[str]:
    """Return the paths of the module files in the order of modules.dep."""
    chosen = find_modules(directory, rules, problems)
    paths = [chosen[ModuleName(name)] for name in hash_order(chosen, MODULE_BUCKETS)]
    listed = _build_file(directory, "modules.order", problems)
    if listed and not listed.endswith(b"\n"):
        line = listed.count(b"\n") + 1
        text = f"{directory}/modules.order:{line} corrupted line misses '\\n'"
        problems.append(Problem("ERROR", text))
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
    files["modules.dep.bin"] = _index(entries, "modules.dep.bin", problems)
    if not stuck:
        return None
    chains = [tuple([modules[rank].name for rank in chain]) for chain in cycles(graph, stuck)]
    return CycleError(tuple(chains), directory)


def _make_alias(
    files: dict[str, bytes], modules: Sequence[ScannedModule], problems: list[Problem]
) -> None:
    aliases = [
        (value, module.name, rank)
        for rank, module in enumerate(modules)
        for key, value in module.modinfo
        if key == "alias"
    ]
    files["modules.alias"] = tables.alias_text(aliases)
    entries = _normalised(aliases, problems)
    files["modules.alias.bin"] = _index(entries, "modules.alias.bin", problems)


def _make_symbols(
    files: dict[str, bytes],
    modules: Sequence[ScannedModule],
    owners: Mapping[str, int],
    problems: list[Problem],
) -> None:
    symbols = []
    for symbol in hash_order(owners, SYMBOL_BUCKETS):
        rank = owners[symbol]
        symbols.append((f"symbol:{symbol}", modules[rank].name, rank))
    files["modules.symbols"] = tables.alias_text(symbols, tables.SYMBOLS_TITLE)
    files["modules.symbols.bin"] = _index(symbols, "modules.symbols.bin", problems)


def _make_builtin(files: dict[str, bytes], directory: str, problems: list[Problem]) -> None:
    listed = _build_file(directory, "modules.builtin", problems)
    entries = builtin.index_entries(listed)
    for line in _text.decode(listed).removesuffix("\n").split("\n") if listed else ():
        if not line[:1].isalpha():
            text = f"Invalid modules.builtin line: {line}\n"  # kmod has the line's newline here
            problems.append(Problem("ERROR", text))
    files["modules.builtin.bin"] = _index(entries, "modules.builtin.bin", problems)
    modinfo = _build_file(directory, "modules.builtin.modinfo", problems)
    aliases = _normalised(builtin.alias_entries(modinfo), problems)
    files["modules.builtin.alias.bin"] = _index(aliases, "modules.builtin.alias.bin", problems)


def _build_file(directory: str, name: str, problems: list[Problem]) -> bytes:
    """Return what the kernel's build wrote as *name*; a missing file is a problem and empty."""
    try:
        return _files.read(f"{directory}/{name}")
    except FileError as problem:
        reason = os.strerror(problem.errno)
        problems.append(Problem("WARNING", f"could not open {name} at {directory}: {reason}"))
        return b""


def _values(modules: Iterable[ScannedModule], wanted: str) -> list[tuple[str, str]]:
    return [
        (module.name, value) for module in modules for key, value in module.modinfo if key == wanted
    ]


def _normalised(aliases: Iterable[Item], problems: list[Problem]) -> list[Item]:
    entries = []
    for alias, name, rank in aliases:
        try:
            entries.append((alias_name(alias), name, rank))
        except BadNameError:
            problems.append(Problem("WARNING", f"Unmatched bracket in {alias}"))
    return entries


def _index(entries: Sequence[Item], name: str, problems: list[Problem]) -> bytes:
    """Return the binary index of *entries*, without those that the format cannot hold."""
    sound = [item for item in entries if item[0].isascii() and item[1].isascii()]
    if len(sound) < len(entries):
        for key, value, _ in entries:
            if not (key.isascii() and value.isascii()):
                text = f"{name} cannot hold what is not ASCII: {key} {value}"
                problems.append(Problem("WARNING", text))
    return build_index(sound)


def _device_nodes(
    modules: Iterable[ScannedModule], problems: list[Problem]
) -> list[tuple[str, str, str, int, int]]:
    """Return the device node that each module's aliases promise, as modules.devname has it."""
    nodes: list[tuple[str, str, str, int, int]] = []
    for module in modules:
        device, numbers = _device_node([value for key, value in module.modinfo if key == "alias"])
        if device and numbers:
            nodes.append((module.name, device, *numbers))
        elif device:
            text = (
                f"Module '{module.name}' has devname ({device}) but lacks major and minor "
                "information. Ignoring."
            )
            problems.append(Problem("ERROR", text))
    return nodes


def _device_node(aliases: Iterable[str]) -> tuple[str, tuple[str, int, int] | None]:
    device, numbers = "", None
    for alias in aliases:
        if alias.startswith("devname:"):
            device = alias.removeprefix("devname:")
        elif alias.startswith(("char-major-", "block-major-")):
            kind, _, rest = alias.partition("-major-")
            numbers = _major_minor(kind[0], rest) or numbers
        if device and numbers:
            break
    return device, numbers


def _major_minor(kind: str, text: str) -> tuple[str, int, int] | None:
    """Return (*kind*, major, minor) of ``10-229``; what follows the minor's digits is ignored."""
    major, _, rest = text.partition("-")
    minor = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    if not (major.isascii() and major.isdecimal() and minor):
        return None
    return kind, int(major) & 0xFFFF_FFFF, int(minor) & 0xFFFF_FFFF
