"""Read the whole of an index at once.

``modprobe -c`` waits for it, so the nodes are taken apart in one loop over the bytes, without an
object for each. What is not as nearly all of them are is left to ``Nodes``, which reads it with
more care, and says what is wrong.
"""

from __future__ import annotations

from itertools import compress
from struct import error, unpack, unpack_from

from lkm import _text
from lkm.errors import FormatError
from lkm.tree.trie.nodes import CHILDREN, KEY_BYTES, OFFSET, PREFIX, VALUES, WHAT, Nodes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Opened = tuple[bytes, int, tuple[int, ...]]  # a key, the first child's character, the children

_BYTES = [bytes([code]) for code in range(256)]
_KEYS_BYTES = 1 << 27  # of all keys; many long ones in a small file are a trap
_LONG = 100  # bytes of a prefix
_ONE = b"\0\0\0\1"


def read_items(data: bytes, root: int) -> Iterator[tuple[str, str, int]]:
    """Return (key, value, priority) of all at *root* and below, in ascending byte order of keys.

    The values of one key are in the order stored. Raises ``FormatError``.
    """
    items = _Items(data)
    items.read(root)
    return items.in_order()


class _Items:
    """What has been read so far, in no order but that of each key's values."""

    __slots__ = ("_data", "_entered", "_keys", "_nodes", "_priorities", "_room", "_todo", "_values")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._nodes = Nodes(data)
        self._keys: list[bytes] = []
        self._values: list[bytes] = []
        self._priorities: list[bytes] = []  # as they stand in the file
        self._todo: list[tuple[int, bytes]] = []  # nodes with children, and their keys up to there
        self._entered: set[int] = set()
        self._room = max(_KEYS_BYTES, 64 * len(data))

    def in_order(self) -> Iterator[tuple[str, str, int]]:
        """Return what has been read, ascending by key."""
        keys, values = self._keys, self._values
        places = sorted(range(len(keys)), key=keys.__getitem__)
        priorities = unpack(f">{len(keys)}I", b"".join(self._priorities))
        return zip(
            _texts([keys[place] for place in places]),
            _texts([values[place] for place in places]),
            [priorities[place] for place in places],
            strict=True,
        )

    def read(self, root: int) -> None:
        """Take all there is at *root* and below."""
        if not root & CHILDREN:
            self._take(root, b"")
            return
        self._todo.append((root, b""))
        while self._todo:
            key, first, children = self._open(*self._todo.pop())
            self._room -= len(key) * len(children)
            self._leaves(key, first, children)
            self._bound()

    def _bound(self) -> None:
        """Refuse what no sound file holds: a value takes five bytes at least."""
        if self._room < 0 or len(self._keys) > len(self._data) // 5:
            raise FormatError(WHAT, "keys or values that overlap", offset=len(self._data))

    def _open(self, reference: int, key: bytes) -> Opened:
        """Take the values of a node that has children, and return the children."""
        data, at = self._data, reference & OFFSET
        if reference & PREFIX:
            end = data.find(b"\0", at)
            if end <= at:
                self._nodes.node(reference)  # which raises
            key += data[at:end]
            at = end + 1
        try:
            first, last = data[at : at + 2]
            children = unpack_from(f">{last - first + 1}I", data, at + 2)
        except (ValueError, error):  # there are no two bytes, or the table is cut off
            first, children = 0, ()
        if not first or not children or not children[-1] & OFFSET:
            self._nodes.node(reference)  # which raises
        if at in self._entered:
            raise FormatError(WHAT, "a node that is met twice", offset=at)
        if len(key) > KEY_BYTES:
            raise FormatError(WHAT, "a key without end", offset=at)
        self._entered.add(at)
        if reference & VALUES:
            self._add(key, at + 2 + 4 * len(children))
        return key, first, children

    def _leaves(self, key: bytes, first: int, children: tuple[int, ...]) -> None:
        """Take what those of *children* have that are leaves, and put down the others."""
        data, find = self._data, self._data.find
        characters = compress(_BYTES[first : first + len(children)], children)
        for character, child in zip(characters, filter(None, children), strict=True):
            at = child & OFFSET
            if child & CHILDREN:
                if at:
                    self._todo.append((child, key + character))
                continue
            # A prefix ends at its NUL; without one its end is where the values begin.
            end = find(b"\0", at) if child & PREFIX else at - 1
            if at and child & VALUES and end != at and at - 1 <= end < at + _LONG:
                if data[end + 1 : end + 5] == _ONE and (stop := find(b"\0", end + 9)) > 0:
                    self._keys.append(key + character + data[at:end])
                    self._priorities.append(data[end + 5 : end + 9])
                    self._values.append(data[end + 9 : stop])
                else:
                    self._add(key + character + data[at:end], end + 1)
            elif at:
                self._take(child, key + character)

    def _take(self, reference: int, key: bytes) -> None:
        """Take the values of a node without children."""
        prefix, at = self._nodes.leaf(reference)
        self._room -= len(prefix)
        if reference & VALUES:
            self._add(key + prefix, at)

    def _add(self, key: bytes, at: int) -> None:
        """Take the values that stand at *at*."""
        self._bound()
        data, values_at = self._data, at
        count = int.from_bytes(data[at : at + 4], "big")
        at += 4
        for _ in range(count):
            end = data.find(b"\0", at + 4)
            if end < 0:
                count = 0
                break
            self._keys.append(key)
            self._priorities.append(data[at : at + 4])
            self._values.append(data[at + 4 : end])
            at = end + 1
        if not count:
            self._nodes.values(values_at)  # which raises


def _texts(parts: list[bytes]) -> list[str]:
    # All at once, since none of them has a NUL.
    return _text.decode(b"\0".join(parts)).split("\0") if parts else []
