"""The last scan of a tree as it is remembered: what all files say joined, kind by kind.

For a question about thousands of modules it takes longer to take that apart than to look through
it, so only the facts of those modules are taken out in which there is something.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from lkm.module.quick_elf import identities_at
from lkm.module.scanned import ScannedModule
from lkm.tree.memory.remembered import SCAN
from lkm.tree.memory.tree_cache import TreeCache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from lkm.cache import Cache
    from lkm.tree.memory.remembered import Scan

    Part = Literal["modinfo", "exports", "needs"]

# Files that are looked through at once. To copy more at a time costs more: fresh memory does.
_GROUP = 16
_PARTS = ("modinfo", "exports", "needs")


def module_part(module: ScannedModule, part: Part) -> bytes:
    """Return the bytes that *part* names of *module*."""
    if part == "modinfo":
        return module.modinfo_bytes
    return module.export_names if part == "exports" else module.need_names


class ScanColumns:
    """The last scan of the tree at *directory* that *cache* has, which may be none."""

    def __init__(self, cache: Cache | None, directory: str) -> None:
        memory = TreeCache(cache, directory)
        scan: Scan | None = memory.find(SCAN, mapped=True)  # type: ignore[assignment]  # marshal's
        _token, paths, identities, columns = scan or ((0, 0), [], [], ((b"", []),) * 3)
        self.paths: Sequence[str] = [*map(memory.outside, paths)]
        self._identities = identities
        self._columns = dict(zip(_PARTS, columns, strict=True))
        self._starts: dict[str, list[int]] = {}
        self._places = dict(zip(self.paths, range(len(paths)), strict=True))

    def unchanged(self, paths: Sequence[str]) -> set[str]:
        """Return those of *paths* whose files are as they were scanned."""
        places, before = self._places, self._identities
        there = [path for path in paths if path in places]
        return {
            path
            for path, identity in zip(there, identities_at(there), strict=True)
            if identity is not None and identity == before[places[path]]
        }

    def module(self, path: str) -> ScannedModule:
        """Return what was scanned of the file at *path*."""
        place = self._places[path]
        modinfo, exports, needs = [self._facts_at(place, part) for part in _PARTS]
        return ScannedModule(path, modinfo, exports, needs)

    def holding(self, part: Part, piece: bytes, *, any_case: bool = False) -> set[str]:
        """Return the paths of the files in whose *part* the *piece* stands, and perhaps of others.

        With *any_case* it is in small letters; since bytes do not tell beyond ASCII, every file
        with other letters there is among them.
        """
        column, starts, count = self._columns[part][0], self._starts_of(part), len(self.paths)
        folded = any_case and piece.upper() != piece
        found: set[int] = set()
        for first in range(0, count, _GROUP):
            group = range(first, min(first + _GROUP, count))
            base, end = starts[first], starts[group.stop]
            data = bytes(column[base:end])
            if any_case and not data.isascii():
                found.update(
                    place
                    for place in group
                    if not data[starts[place] - base : starts[place + 1] - base].isascii()
                )
            if folded:
                data = data.lower()
            at = data.find(piece)
            while at >= 0:
                place = bisect_right(starts, base + at, first, group.stop) - 1
                found.add(place)
                at = data.find(piece, max(at + 1, starts[place + 1] - base))
        return {self.paths[place] for place in found}

    def _facts_at(self, place: int, part: str) -> bytes:
        start, end = self._starts_of(part)[place : place + 2]
        return bytes(self._columns[part][0][start:end])

    def _starts_of(self, part: str) -> list[int]:
        if part not in self._starts:
            self._starts[part] = [*accumulate(self._columns[part][1], initial=0)]
        return self._starts[part]
