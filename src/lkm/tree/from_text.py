"""Make an index of the text file that says the same, where the index itself cannot be used."""

from __future__ import annotations

from lkm.errors import BadNameError
from lkm.names import alias_name, module_name_of_path
from lkm.tree import builtin, tables
from lkm.tree.trie.index import TrieIndex
from lkm.tree.trie.writer import build_index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lkm.names import ModuleName

    Item = tuple[str, str, int]  # key, value, priority


def dep_entries(data: bytes) -> list[Item]:
    """Return what modules.dep.bin holds for a modules.dep."""
    return [
        (module_name_of_path(path), " ".join((f"{path}:", *depends)), rank)
        for rank, (path, depends) in enumerate(tables.parse_dep(data))
    ]


def builtin_entries(data: bytes) -> list[Item]:
    """Return what modules.builtin.bin holds for a modules.builtin."""
    return builtin.index_entries(data)


def builtin_alias_entries(data: bytes) -> list[Item]:
    """Return what modules.builtin.alias.bin holds for a modules.builtin.modinfo."""
    return _normalised(builtin.alias_entries(data))


def alias_entries(data: bytes, modules: Iterable[ModuleName], *, normalised: bool) -> list[Item]:
    """Return what the index holds for a modules.alias or modules.symbols.

    *modules* are those of modules.dep, in its order. The keys of the first are *normalised*.
    """
    ranks: dict[str, int] = {name: rank for rank, name in enumerate(modules)}
    last = len(ranks)
    entries = [(key, name, ranks.get(name, last)) for key, name in tables.parse_aliases(data)]
    return _normalised(entries) if normalised else entries


def index_of(entries: Iterable[Item], path: str) -> TrieIndex:
    """Return the index of *entries*, which the file at *path* has; what none can hold is left out.

    ``build_index`` tells what that is.
    """
    return TrieIndex.from_bytes(build_index(entries, left_out=[]), path)


def _normalised(aliases: Iterable[Item]) -> list[Item]:
    entries = []
    for alias, module, rank in aliases:
        try:
            entries.append((alias_name(alias), module, rank))
        except BadNameError:
            continue
    return entries
