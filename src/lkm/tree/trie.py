"""Read depmod's binary indexes (modules.dep.bin, modules.alias.bin, ...).

A radix tree on disk. Integers are big-endian u32 unless noted:

    header   magic 0xB007F457, version (major 2 in the high half), root
    node     [text prefix] [u8 first, u8 last, child x (last - first + 1)]
             [count, count x (priority, text)]

A node is named by a reference: the low 28 bits are its offset, the bits above them tell which
parts it has. An offset of 0 is no node. A node's key is the root's prefix, then at every step down
the child's character and its prefix.

Nothing is parsed when an index is opened; a lookup reads only the nodes on its way. Trees are
walked without recursion, and no node is entered twice in one walk, so that neither a deep nor a
looping file can hold the reader.

Source: kmod, libkmod/libkmod-index.c; shared format description, section 2.
"""

from __future__ import annotations

import os
from mmap import ACCESS_READ, mmap
from struct import Struct, error

from lkm import _text
from lkm.errors import FileError, FormatError
from lkm.tree.fnmatch import fnmatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    Value = tuple[int, str]  # priority, text

MAGIC = 0xB007F457
VERSION = 0x0002_0001
PREFIX = 0x8000_0000
VALUES = 0x4000_0000
CHILDREN = 0x2000_0000
OFFSET = 0x0FFF_FFFF
HEADER = Struct(">III")

_WHAT = "depmod index"
_WILD = b"*?["
_KEY_BYTES = 8192  # twice the longest alias there is; what is longer is a loop or a trap
_BYTES = [bytes([code]) for code in range(256)]
_u32 = Struct(">I").unpack_from


class _Node:
    """One node: where its child table and its values begin, and its prefix."""

    __slots__ = ("first", "last", "prefix", "table", "values_at")

    def __init__(self, data: bytes | mmap, reference: int) -> None:
        at = reference & OFFSET
        self.prefix = b""
        if reference & PREFIX:
            self.prefix, at = _string(data, at)
        self.first, self.last, self.table = 1, 0, 0
        if reference & CHILDREN:
            bounds = data[at : at + 2]
            if len(bounds) < 2:
                raise FormatError(_WHAT, "cut off in a node", offset=len(data))
            self.first, self.last = bounds
            self.table = at + 2
            if self.first > self.last:
                raise FormatError(_WHAT, "children out of order", offset=at)
            at = self.table + 4 * (self.last - self.first + 1)
            if at > len(data):
                raise FormatError(_WHAT, "cut off in a child table", offset=len(data))
        self.values_at = at if reference & VALUES else 0


class TrieIndex:
    """One index. Keys are patterns or names; each has values, ascending by priority."""

    __slots__ = ("_data", "_root", "path")

    def __init__(self, data: bytes | mmap, path: str = "") -> None:
        self._data: Final = data
        self.path: Final = path
        if len(data) < HEADER.size:
            raise self._broken(FormatError(_WHAT, "cut off in the header", offset=len(data)))
        magic, version, self._root = HEADER.unpack_from(data)
        if magic != MAGIC:
            raise self._broken(FormatError(_WHAT, f"its magic is {magic:08x}", offset=0))
        if version >> 16 != VERSION >> 16:
            problem = f"version {version >> 16}.{version & 0xFFFF}, where 2.x is wanted"
            raise self._broken(FormatError(_WHAT, problem, offset=4))

    @classmethod
    def from_bytes(cls, data: bytes, path: str = "") -> TrieIndex:
        """Return the index in *data*. Raises ``FormatError`` for a header that is not one's."""
        return cls(data, path)

    @classmethod
    def open(cls, path: str) -> TrieIndex:
        """Map the index at *path*. Raises ``FileError`` or ``FormatError``."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                data = mmap(descriptor, 0, access=ACCESS_READ)
            finally:
                os.close(descriptor)
        except OSError as problem:
            raise FileError.from_os("read", path, problem) from problem
        except ValueError:  # an empty file cannot be mapped
            return cls(b"", path)
        return cls(data, path)

    def close(self) -> None:
        """Unmap the file; the index is of no use afterwards."""
        if not isinstance(self._data, bytes):
            self._data.close()

    def find(self, key: str) -> tuple[str, ...]:
        """Return the values of exactly *key*, empty where it has none; the first is the answer.

        Raises ``FormatError`` where the file is not sound on the way there.
        """
        try:
            return tuple([value for _, value in self._find(_text.encode(key))])
        except FormatError as problem:
            raise self._broken(problem) from None

    def match(self, text: str) -> tuple[str, ...]:
        """Return the values of every key that, as a pattern, matches *text*.

        Ascending by priority; of equal priority, the one found later comes first. A value under
        two keys that match is there twice. Raises ``FormatError`` as ``find``.

        Source: kmod, libkmod-index.c, index_mm_searchwild.
        """
        found: list[Value] = []
        try:
            self._match(_text.encode(text), found)
        except FormatError as problem:
            raise self._broken(problem) from None
        found.reverse()
        found.sort(key=_priority)
        return tuple([value for _, value in found])

    def items(self) -> Iterator[tuple[str, str, int]]:
        """Yield (key, value, priority) in ascending byte order of the keys, as modprobe -c does."""
        try:
            yield from self._items()
        except FormatError as problem:
            raise self._broken(problem) from None

    def _broken(self, problem: FormatError) -> FormatError:
        error_here = problem.at(self.path) if self.path else problem
        error_here.remedy = "run depmod to write the indexes anew"
        return error_here

    def _root_node(self) -> _Node | None:
        # An empty index says so by a root without parts, at the end of the file.
        if not self._root & OFFSET or not self._root & ~OFFSET:
            return None
        return self._node(self._root)

    def _node(self, reference: int) -> _Node:
        if reference & OFFSET >= len(self._data):
            raise FormatError(_WHAT, "a node past the end", offset=len(self._data))
        return _Node(self._data, reference)

    def _child(self, node: _Node, character: int) -> int:
        """Return the reference of a child, 0 where there is none."""
        if not node.first <= character <= node.last:
            return 0
        (reference,) = _u32(self._data, node.table + 4 * (character - node.first))
        return reference if reference & OFFSET else 0

    def _values(self, node: _Node) -> list[Value]:
        if not node.values_at:
            return []
        data, at = self._data, node.values_at
        values: list[Value] = []
        try:
            (count,) = _u32(data, at)
            at += 4
            for _ in range(count):
                (priority,) = _u32(data, at)
                value, at = _string(data, at + 4)
                values.append((priority, _text.decode(value)))
        except error:
            raise FormatError(_WHAT, "cut off in a value", offset=min(at, len(data))) from None
        return values

    def _find(self, key: bytes) -> list[Value]:
        node = self._root_node()
        at = 0
        # Each turn eats at least one character of the key, so no loop in the file can hold us.
        while node is not None:
            if not key.startswith(node.prefix, at):
                break
            at += len(node.prefix)
            if at == len(key):
                return self._values(node)
            reference = self._child(node, key[at])
            at += 1
            node = self._node(reference) if reference else None
        return []

    def _match(self, text: bytes, found: list[Value]) -> None:
        node = self._root_node()
        at = 0
        while node is not None:
            prefix = node.prefix
            literal = _literal_length(prefix)
            if not text.startswith(prefix[:literal], at):
                return
            at += literal
            if literal < len(prefix):
                self._collect(node, prefix[literal:], text[at:], found)
                return
            for wild in _WILD:
                reference = self._child(node, wild)
                if reference:
                    below = self._node(reference)
                    self._collect(below, bytes([wild]) + below.prefix, text[at:], found)
            if at == len(text):
                found += self._values(node)
                return
            reference = self._child(node, text[at])
            at += 1
            node = self._node(reference) if reference else None

    def _collect(self, top: _Node, pattern: bytes, text: bytes, found: list[Value]) -> None:
        """Add the values of each key below *top* whose rest, *pattern* and on, matches *text*."""
        plain = _text.decode(text)
        most = len(found) + len(self._data) // 5  # no sound file has more values than that
        for node, rest, leaving in self._walk(top, pattern):
            # Children come before the node's own values.
            if leaving and node.values_at and fnmatch(plain, _text.decode(rest)):
                found += self._values(node)
                if len(found) > most:
                    raise FormatError(_WHAT, "values that overlap", offset=node.values_at)

    def _items(self) -> Iterator[tuple[str, str, int]]:
        root = self._root_node()
        if root is None:
            return
        for node, key, leaving in self._walk(root, root.prefix):
            if not leaving and node.values_at:
                text = _text.decode(key)
                for priority, value in self._values(node):
                    yield text, value, priority

    def _walk(self, top: _Node, key: bytes) -> Iterator[tuple[_Node, bytes, bool]]:
        """Yield (node, its key, False) on entering each node, the same with True on leaving it."""
        entered = {top.table}
        yield top, key, False
        stack = [(top, key, self._children(top))]
        while stack:
            node, key, children = stack[-1]
            for character, reference in children:
                below = self._node(reference)
                deeper = key + _BYTES[character] + below.prefix
                if not below.table:
                    yield below, deeper, False
                    yield below, deeper, True
                    continue
                if below.table in entered:
                    at = reference & OFFSET
                    raise FormatError(_WHAT, "a node that is met twice", offset=at)
                if len(deeper) > _KEY_BYTES:
                    raise FormatError(_WHAT, "a key without end", offset=reference & OFFSET)
                entered.add(below.table)
                yield below, deeper, False
                stack.append((below, deeper, self._children(below)))
                break
            else:
                stack.pop()
                yield node, key, True

    def _children(self, node: _Node) -> Iterator[tuple[int, int]]:
        """Return (character, reference) of each child."""
        if not node.table:
            return iter(())
        characters = range(node.first, node.last + 1)
        references = Struct(f">{len(characters)}I").unpack_from(self._data, node.table)
        pairs = zip(characters, references, strict=True)
        return iter([pair for pair in pairs if pair[1] & OFFSET])


def _priority(value: Value) -> int:
    return value[0]


def _string(data: bytes | mmap, at: int) -> tuple[bytes, int]:
    end = data.find(b"\0", at)
    if end < 0 or at > len(data):
        raise FormatError(_WHAT, "text without its NUL", offset=min(at, len(data)))
    return data[at:end], end + 1


def _literal_length(prefix: bytes) -> int:
    places = [place for place in map(prefix.find, (b"*", b"?", b"[")) if place >= 0]
    return min(places, default=len(prefix))
