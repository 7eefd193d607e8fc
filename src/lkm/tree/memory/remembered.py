"""What is remembered of a tree from run to run: its modules' facts, and the indexes made of them.

A scan has path, identity and facts of each module file; the indexes have besides what had changed
since that scan.
"""

from __future__ import annotations

import os
import time
from itertools import accumulate, pairwise, repeat

from lkm.module.quick_elf import identities_at
from lkm.module.scanned import ScannedModule
from lkm.tree.memory.tree_cache import TreeCache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lkm.cache import Cache
    from lkm.module.scanned import Facts, Identity
    from lkm.tree.depmod.making import Plain

    _Token = tuple[int, int]  # tells scans apart: when it was made, and by which process
    # Paths; identities; modinfo, exports and needs of all, each joined, and the lengths.
    _Column = tuple[bytes, list[int]]
    Scan = tuple[_Token, list[str], list[Identity | None], tuple[_Column, _Column, _Column]]
    _Row = tuple[Identity | None, Facts]
    # The order of the paths if it is another than the scan's; what has changed; what is made of it.
    _Indexes = tuple[_Token, list[str], dict[str, _Row], Plain]

SCAN, _INDEXES = "scan", "indexes"
# After so many changed files the scan is written anew, and not what has changed since.
_MOST_CHANGED = 64


class TreeMemory:
    """The memory of the tree at *directory*, in *cache*; without that nothing is remembered.

    *paths* are those of its module files, in the order of modules.dep.
    """

    def __init__(self, cache: Cache | None, directory: str) -> None:
        self.paths: Sequence[str] = ()
        self._cache = TreeCache(cache, directory)
        self._token = (0, 0)
        self._scanned: dict[str, _Row] = {}
        self._known: dict[str, tuple[Identity, ScannedModule]] | None = None
        scan: Scan | None = self._cache.find(SCAN)  # type: ignore[assignment]  # marshal's
        if scan is not None:
            self._token, paths, identities, columns = scan
            facts = zip(*[_cut(*each) for each in columns], repeat(()), repeat(()))
            self.paths = [*map(self._cache.outside, paths)]
            self._scanned = dict(zip(self.paths, zip(identities, facts, strict=False), strict=True))
        self._rows = self._scanned

    def indexes(self) -> Plain | None:
        """Return what ``remember`` was given of the indexes of a tree, None if it is lost.

        From now on all is about the tree that these were made of: it may have changed since the
        last scan.
        """
        if not self._scanned:
            return None
        found = self._remembered_indexes()
        if found is None:
            return None
        _, order, changed, plain = found
        outside = self._cache.outside
        self._rows = self._scanned | {outside(path): row for path, row in changed.items()}
        if order:
            self.paths = [*map(outside, order)]
        return plain

    def modules(self) -> list[ScannedModule]:
        """Return the modules as they are remembered; of ``known`` ones what that has given."""
        known = self._known or {}
        return [
            known[path][1] if path in known else ScannedModule(path, *self._rows[path][1])
            for path in self.paths
        ]

    def known(self, paths: Sequence[str]) -> Mapping[str, tuple[Identity, ScannedModule]]:
        """Return of those files at *paths* that have not changed which they are, and what they say.

        Asked for several times, they are looked at once.
        """
        if self._known is None:
            rows = self._rows
            there = [path for path in paths if path in rows]
            self._known = {
                path: (identity, ScannedModule(path, *rows[path][1]))
                for path, identity in zip(there, identities_at(there), strict=True)
                if identity is not None and identity == rows[path][0]
            }
        return self._known

    def remember(
        self,
        modules: Sequence[ScannedModule],
        identities: Sequence[Identity | None],
        indexes: Plain | None,
        *,
        same: bool = False,
    ) -> None:
        """Remember a scan of all module files of the tree, and the *indexes* made of it, if any.

        An identity is None where a file could not be read. *same*: the indexes are remembered ones.
        Without indexes a few changed files are not worth the loss of those that are remembered.
        """
        if not self._cache.is_there:
            return
        known, before = self._known or {}, self._rows
        rows = {
            module.path: before[module.path]
            if module.path in known
            else (self.settled(identity), module.facts)
            for module, identity in zip(modules, identities, strict=True)
        }
        find = self._scanned.get
        changed = [path for path, row in rows.items() if find(path) != row]
        few = len(changed) < len(rows) and len(changed) <= _MOST_CHANGED
        if not few or (indexes is None and changed and self._remembered_indexes() is None):
            self._remember_scan(rows)
            changed, same = [], False
        if indexes is None or (same and rows == self._rows):
            return
        inside = self._cache.inside
        order = [] if [*rows] == [*self._scanned] else [*map(inside, rows)]
        altered = {inside(path): rows[path] for path in changed}
        self._cache.remember(_INDEXES, (self._token, order, altered, indexes))

    def _remembered_indexes(self) -> _Indexes | None:
        found: _Indexes | None = self._cache.find(_INDEXES)  # type: ignore[assignment]  # too
        return found if found is not None and found[0] == self._token else None

    def _remember_scan(self, rows: dict[str, _Row]) -> None:
        paths = [*map(self._cache.inside, rows)]
        identities = [identity for identity, _ in rows.values()]
        # Marshal would copy what is large several times, and each small value costs it time.
        columns = (
            _joined([modinfo for _, (modinfo, *_) in rows.values()]),
            _joined([exports for _, (_, exports, *_) in rows.values()]),
            _joined([needs for _, (_, _, needs, *_) in rows.values()]),
        )
        self._token = (time.time_ns(), os.getpid())
        self._cache.remember(SCAN, (self._token, paths, identities, columns))
        self._scanned = rows

    def settled(self, identity: Identity | None) -> Identity | None:
        """As ``TreeCache.settled``."""
        return self._cache.settled(identity)


def _joined(values: list[bytes]) -> _Column:
    return b"".join(values), [*map(len, values)]


def _cut(joined: bytes, lengths: list[int]) -> list[bytes]:
    return [joined[start:end] for start, end in pairwise(accumulate(lengths, initial=0))]
