"""Modules that are linked into the kernel, and what is known of them.

The kernel's build lists them in ``modules.builtin``, one path a line, and from Linux 5.2 (commit
898490c010b5, "moduleparam: Save information about built-in modules in separate file") keeps their
modinfo in ``modules.builtin.modinfo``: NUL-ended ``module.key=value`` strings.
"""

from __future__ import annotations

from lkm import _text
from lkm._value import Value
from lkm.errors import FileError, FormatError
from lkm.names import ModuleName, module_name, module_name_of_path
from lkm.tree import _files, tables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


class Builtin(Value):
    """One built-in module. *modinfo* has its (key, value) in file order, without its name.

    *path* is as in modules.builtin; empty for a module that only modules.builtin.modinfo knows.
    """

    __slots__ = ("modinfo", "name", "path")

    def __init__(self, name: ModuleName, path: str, modinfo: tuple[tuple[str, str], ...]) -> None:
        self.name: Final = name
        self.path: Final = path
        self.modinfo: Final = modinfo


def parse_modinfo(data: bytes) -> tuple[tuple[str, str, str], ...]:
    """Return (module, key, value) of each string of a modules.builtin.modinfo, names as written.

    A string without a dot before its ``=`` says nothing, nor does one without its NUL.
    """
    found = []
    for line in _text.decode(data).split("\0")[:-1]:
        start, _, value = line.partition("=")
        name, dot, key = start.partition(".")
        if dot:
            found.append((name, key, value))
    return tuple(found)


def builtins_from_bytes(listed: bytes, modinfo: bytes) -> tuple[Builtin, ...]:
    """Return what a modules.builtin and a modules.builtin.modinfo say, in the former's order.

    Modules that share a name (arm_cci) follow each other; to modinfo only the first is known.
    """
    paths: dict[ModuleName, list[str]] = {}
    for path in tables.parse_paths(listed):
        paths.setdefault(module_name_of_path(path), []).append(path)
    facts: dict[ModuleName, list[list[tuple[str, str]]]] = {name: [] for name in paths}
    last = None
    for name, key, value in parse_modinfo(modinfo):
        blocks = facts.setdefault(module_name(name), [])
        if name != last:  # one module's strings stand together
            blocks.append([])
        last = name
        blocks[-1].append((key, value))
    found = []
    for module, blocks in facts.items():
        where = paths.get(module, [])
        for place, entries in enumerate(blocks or [[]]):
            found.append(Builtin(module, "".join(where[place : place + 1]), tuple(entries)))
    return tuple(found)


def is_builtin(directory: str, name: ModuleName) -> bool:
    """Tell whether the tree at *directory* lists *name* as built in.

    Asked of the index, and of the text where that cannot be used; without both nothing is.
    """
    from lkm.tree.trie.index import TrieIndex  # the facts of built-ins need none

    try:
        return bool(TrieIndex.open(f"{directory}/modules.builtin.bin").find(name))
    except (FileError, FormatError):
        pass
    try:
        listed = _files.read_if_there(f"{directory}/modules.builtin") or b""
    except FileError:
        return False
    return name in {module_name_of_path(path) for path in tables.parse_paths(listed)}


def read_builtins(directory: str) -> tuple[Builtin, ...]:
    """Return the built-in modules of the kernel whose tree is at *directory*.

    Empty where the tree does not list them. Raises ``FileError``.
    """
    listed = _files.read_if_there(f"{directory}/modules.builtin") or b""
    modinfo = _files.read_if_there(f"{directory}/modules.builtin.modinfo") or b""
    return builtins_from_bytes(listed, modinfo)


def index_entries(listed: bytes) -> list[tuple[str, str, int]]:
    """Return what modules.builtin.bin holds for a modules.builtin: (name, "", 0).

    A line that does not begin with a letter is left out, as by depmod.
    """
    paths = [path for path in tables.parse_paths(listed) if path[0].isalpha()]
    return [(module_name_of_path(path), "", 0) for path in paths]


def alias_entries(modinfo: bytes) -> list[tuple[str, str, int]]:
    """Return (alias as written, module, 0) of each alias in a modules.builtin.modinfo.

    An empty alias is none, nor is one of a module without a name.
    """
    return [
        (value, name, 0)
        for name, key, value in parse_modinfo(modinfo)
        if key == "alias" and name and value
    ]
