"""Read depmod's binary indexes (modules.dep.bin, modules.alias.bin, ...).

A radix tree on disk: a header (magic 0xB007F457, version with the major number 2 in its high half,
reference of the root, each a big-endian u32), then nodes (``lkm.tree.trie_nodes``). A node's key is
the root's prefix, then at every step down the child's character and its prefix.

Nothing is parsed when an index is opened; a lookup reads only the nodes on its way. Trees are
walked without recursion, and no node is entered twice in one walk, so that neither a deep nor a
looping file can hold the reader.

Source: kmod, libkmod/libkmod-index.c.
"""

from __future__ import annotations

import os
from mmap import ACCESS_READ, mmap

from lkm import _text
from lkm.errors import FileError, FormatError
from lkm.tree.fnmatch import fnmatch
from lkm.tree.trie_nodes import CHILDREN, HEADER, OFFSET, VALUES, WHAT, Nodes, root_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Final

    from lkm.tree.trie_nodes import Node, Value

_WILD = b"*?["
_KEY_BYTES = 8192  # twice the longest alias there is; what is longer is a loop or a trap
_BYTES = [bytes([code]) for code in range(256)]


class TrieIndex:
    """One index. Keys are patterns or names; each has values, ascending by priority."""

    __slots__ = ("_data", "_nodes", "_root", "path")

    def __init__(self, data: bytes | mmap, path: str = "") -> None:
        self._data: Final = data
        self._nodes: Final = Nodes(data)
        self.path: Final = path
        try:
            self._root = root_of(data[: HEADER.size], len(data))
        except FormatError as problem:
            raise self._broken(problem) from None

    @classmethod
    def from_bytes(cls, data: bytes, path: str = "") -> TrieIndex:
        """Return the index in *data*. Raises ``FormatError`` for a header that is not one's."""
        return cls(data, path)

    @classmethod
    def open(cls, path: str) -> TrieIndex:
        """Map the index at *path*. Raises ``FileError`` or ``FormatError``."""
        try:
            # O_NONBLOCK, since to open a pipe would else be to wait for who writes into it.
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
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

    def check(self) -> None:
        """Raise ``FormatError`` where the file is cut off; damage in its midst may stay unseen.

        depmod writes the nodes one behind the other, so either the root (kmod before 34) or the
        last child of the last child and so on ends the file. What another program has arranged
        differently is walked whole.
        """
        try:
            if self._root_node() is not None and self._furthest_end() != len(self._data):
                for _ in self._items():
                    pass
        except FormatError as problem:
            raise self._broken(problem) from None

    def _furthest_end(self) -> int:
        """Return where the last of the nodes ends that stand on the way to the last key."""
        reference, furthest = self._root, 0
        for _ in range(_KEY_BYTES):
            node = self._nodes.node(reference)
            end = node.table + 4 * (node.last - node.first + 1)
            if node.values_at:
                _, end = self._nodes.values_and_end(node.values_at)
            furthest = max(furthest, end)
            if not node.table:
                return furthest
            reference = self._nodes.child(node, node.last)
        raise FormatError(WHAT, "a key without end", offset=reference & OFFSET)

    def _broken(self, problem: FormatError) -> FormatError:
        error_here = problem.at(self.path) if self.path else problem
        error_here.remedy = "run depmod to write the indexes anew"
        return error_here

    def _root_node(self) -> Node | None:
        # An empty index says so by a root without parts, at the end of the file.
        if not self._root & OFFSET or not self._root & ~OFFSET:
            return None
        return self._nodes.node(self._root)

    def _find(self, key: bytes) -> list[Value]:
        node = self._root_node()
        at = 0
        # Each turn eats at least one character of the key, so no loop in the file can hold us.
        while node is not None:
            if not key.startswith(node.prefix, at):
                break
            at += len(node.prefix)
            if at == len(key):
                return self._nodes.values(node.values_at)
            reference = self._nodes.child(node, key[at])
            at += 1
            node = self._nodes.node(reference) if reference else None
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
                reference = self._nodes.child(node, wild)
                if reference:
                    below = self._nodes.node(reference)
                    self._collect(below, bytes([wild]) + below.prefix, text[at:], found)
            if at == len(text):
                found += self._nodes.values(node.values_at)
                return
            reference = self._nodes.child(node, text[at])
            at += 1
            node = self._nodes.node(reference) if reference else None

    def _collect(self, top: Node, pattern: bytes, text: bytes, found: list[Value]) -> None:
        """Add the values of each key below *top* whose rest, *pattern* and on, matches *text*."""
        plain = _text.decode(text)
        most = len(found) + len(self._data) // 5  # no sound file has more values than that

        def may_match(start: bytes) -> bool:
            """Tell whether any pattern that begins with *start* could match."""
            if b"[" in start or b"\\" in start:
                return True  # it may end amid a bracket
            return fnmatch(plain, _text.decode(start) + "*")

        for at, rest in self._walk(top, pattern, may_match, parents_first=False):
            if fnmatch(plain, _text.decode(rest)):
                found += self._nodes.values(at)
                if len(found) > most:
                    raise FormatError(WHAT, "values that overlap", offset=at)

    def _items(self) -> Iterator[tuple[str, str, int]]:
        root = self._root_node()
        if root is None:
            return
        for at, key in self._walk(root, root.prefix, lambda _: True, parents_first=True):
            text = _text.decode(key)
            for priority, value in self._nodes.values(at):
                yield text, value, priority

    def _walk(
        self, top: Node, key: bytes, enter: Callable[[bytes], bool], *, parents_first: bool
    ) -> Iterator[tuple[int, bytes]]:
        """Yield (where the values are, the key) of *top* and all below it that have values.

        Children are taken by character. What lies below a *key* that *enter* refuses is left out.
        """
        entered = {top.table}
        if parents_first and top.values_at:
            yield top.values_at, key
        stack = [(top, key, self._nodes.children(top))]
        while stack:
            node, key, children = stack[-1]
            for character, reference in children:
                if not reference & CHILDREN:
                    prefix, at = self._nodes.leaf(reference)
                    if reference & VALUES:
                        yield at, key + _BYTES[character] + prefix
                    continue
                below = self._enter(reference, entered)
                deeper = key + _BYTES[character] + below.prefix
                if len(deeper) > _KEY_BYTES:
                    raise FormatError(WHAT, "a key without end", offset=reference & OFFSET)
                if enter(deeper):
                    if parents_first and below.values_at:
                        yield below.values_at, deeper
                    stack.append((below, deeper, self._nodes.children(below)))
                    break
            else:
                stack.pop()
                if not parents_first and node.values_at:
                    yield node.values_at, key

    def _enter(self, reference: int, entered: set[int]) -> Node:
        """Return a node with children; that it was entered before shows a loop."""
        node = self._nodes.node(reference)
        if node.table in entered:
            raise FormatError(WHAT, "a node that is met twice", offset=reference & OFFSET)
        entered.add(node.table)
        return node


def _priority(value: Value) -> int:
    return value[0]


def _literal_length(prefix: bytes) -> int:
    places = [place for place in map(prefix.find, (b"*", b"?", b"[")) if place >= 0]
    return min(places, default=len(prefix))
