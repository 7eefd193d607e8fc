"""What is remembered of the folders of a tree: which entries they have."""

from __future__ import annotations

from lkm.module.quick_elf import identity_at
from lkm.names import is_module_file
from lkm.tree.memory.tree_cache import TreeCache

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from lkm.cache import Cache
    from lkm.module.scanned import Identity

    _Row = tuple[Identity, list[str]]

_FOLDERS = "folders"


class Folders:
    """The folders of the tree at *directory*, as *cache* has them; paths end in a slash.

    Those that hold links are not remembered: what a link leads to may change without them. Nor is
    the topmost, which changes whenever indexes are written.
    """

    def __init__(self, cache: Cache | None, directory: str) -> None:
        self._cache = TreeCache(cache, directory)
        found: dict[str, _Row] | None = self._cache.find(_FOLDERS)  # type: ignore[assignment]
        self._before: dict[str, _Row] = found or {}
        self._now: dict[str, _Row] = {}
        self._looked_at: dict[str, Identity | None] = {}

    def names(self, path: str) -> list[str] | None:
        """Return the names in the folder, those of folders with a slash; None if they may differ.

        In the order of the file system, and without what is neither a folder nor a module file.
        """
        inside = self._cache.inside(path)
        if not inside:
            return None
        identity = self._looked_at[inside] = identity_at(path)
        row = self._before.get(inside)
        if row is None or row[0] != identity:
            return None
        self._now[inside] = row
        return row[1]

    def note(self, path: str, entries: Sequence[os.DirEntry[str]]) -> None:
        """Note the *entries* of a folder that ``names`` did not know."""
        inside = self._cache.inside(path)
        identity = self._cache.settled(self._looked_at.get(inside))
        names: list[str] = []
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                names.append(entry.name + "/")
            elif not entry.is_file(follow_symlinks=False):
                return
            elif is_module_file(entry.name):
                names.append(entry.name)
        if identity is not None:
            self._now[inside] = identity, names

    def remember(self) -> None:
        """Remember the folders that were asked for, unless they are just those remembered."""
        if self._now != self._before:
            self._cache.remember(_FOLDERS, self._now)
