"""What the cache has of one tree: kinds of values, each in an entry that the tree's folder names.

An entry may be gone, or of another version, at any time. What it says of a file or a folder counts
as long as that has the same identity; see ``lkm.cache``.
"""

from __future__ import annotations

import marshal
import sys
import time

from lkm._version import __version__
from lkm.cache import SETTLING_NS, FileIdentity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lkm.cache import Cache
    from lkm.module.scanned import Identity

# Another lkm may make something else of the same files, another Python may not read the values.
_MADE_BY = (__version__, 2, sys.version_info[:2])
# Bytes from this size on stand behind what marshal writes, which would copy them several times.
_LARGE = 1 << 14


class TreeCache:
    """The entries of *cache* about the tree at *directory*; without a cache nothing is remembered.

    Values are those that ``marshal`` knows. To be made before the files that they tell of are
    looked at.
    """

    def __init__(self, cache: Cache | None, directory: str) -> None:
        self._prefix = directory + "/"
        self._looked_ns = time.time_ns()
        self._cache = cache
        place = FileIdentity.of(directory) if cache is not None and cache.folder else None
        # Whatever is written into the folder changes its size and its times.
        self._place = place and FileIdentity(place.device, place.inode, 0, 0, 0)

    @property
    def is_there(self) -> bool:
        """Whether anything is remembered at all."""
        return self._place is not None

    def inside(self, path: str) -> str:
        """Return *path* as entries have it: from the tree's folder on, if it lies in there."""
        return path.removeprefix(self._prefix)

    def outside(self, path: str) -> str:
        """Return the path that ``inside`` was given."""
        return path if path.startswith("/") else self._prefix + path

    def settled(self, identity: Identity | None) -> Identity | None:
        """Return the *identity* if it had been the file's long enough to be told from the next."""
        latest = self._looked_ns - SETTLING_NS
        return identity if identity is not None and max(identity[3:]) <= latest else None

    def find(self, kind: str, *, mapped: bool = False) -> object:
        """Return the values of that *kind*, None where there are none.

        With *mapped* large bytes among them are views of the file.
        """
        if self._cache is None or self._place is None:
            return None
        find = self._cache.mapped if mapped else self._cache.find
        data = find(kind, self._place) or b""
        try:
            made_by, sizes, values = marshal.loads(data)  # noqa: S302  # nobody else has written it
        except (EOFError, TypeError, ValueError):
            return None
        if made_by != _MADE_BY:
            return None
        at = len(data) - sum(sizes)
        large: list[bytes | memoryview] = []
        for size in sizes:
            large.append(data[at : at + size])
            at += size
        return _whole(values, iter(large)) if large else values

    def remember(self, kind: str, values: object) -> None:
        """Remember the *values* of that *kind*."""
        if self._cache is None or self._place is None:
            return
        large: list[bytes] = []
        small = _without(values, large)
        head = marshal.dumps((_MADE_BY, [*map(len, large)], small))  # type: ignore[arg-type]
        self._cache.remember(kind, self._place, head, *large, looked_ns=self._looked_ns)


def _without(value: object, large: list[bytes]) -> object:
    """Return *value* with dots in place of large bytes, in tuples of tuples; these are added."""
    if isinstance(value, bytes) and len(value) >= _LARGE:
        large.append(value)
        return ...
    if isinstance(value, tuple):
        return tuple([_without(each, large) for each in value])
    return value


def _whole(value: object, large: Iterator[bytes | memoryview]) -> object:
    """Return what ``_without`` was given."""
    if value is ...:
        return next(large)
    if isinstance(value, tuple):
        return tuple([_whole(each, large) for each in value])
    return value
