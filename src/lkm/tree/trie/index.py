"""Read depmod's binary indexes (modules.dep.bin, modules.alias.bin, ...).

A radix tree on disk: a header (magic 0xB007F457, version with the major number 2 in its high half,
reference of the root, each a big-endian u32), then nodes (``lkm.tree.trie.nodes``). A node's key is
the root's prefix, then at every step down the child's character and its prefix.

Nothing is parsed when an index is opened; a lookup reads only the nodes on its way. Trees are
walked without recursion, and what is read in one walk is bounded by the size of the file, so that
neither a deep nor a looping file can hold the reader, nor one whose nodes or values overlap. How
words are matched, and within which bounds, is told in ``lkm.tree.trie.match``.

Source: kmod, libkmod/libkmod-index.c.
"""

from __future__ import annotations

import os
from itertools import chain
from mmap import ACCESS_READ, mmap

from lkm import _text
from lkm.errors import FileError, FormatError
from lkm.tree.trie.match import match_each
from lkm.tree.trie.nodes import HEADER, KEY_BYTES, OFFSET, WHAT, Nodes, root_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Final

    from lkm.tree.trie.nodes import Node, Value

_MANY = 50  # words, from which on it pays to copy a file into memory first


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
        return self.match_each([text])[0]

    def match_each(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """Return what ``match`` returns for each of *texts*, at a fraction of the cost for many."""
        words = {text: _text.encode(text) for text in texts}
        nodes = self._nodes if len(words) < _MANY else Nodes(self._data[:])
        try:
            if self._root_node() is None:
                return [()] * len(texts)
            found = match_each(nodes, self._root, words.values())
        except FormatError as problem:
            raise self._broken(problem) from None
        # Words that match the same keys share the answer.
        known: dict[tuple[int, ...], tuple[str, ...]] = {(): ()}
        answers = {}
        for text, lists in zip(words, found, strict=True):
            keys = tuple(map(id, lists))
            answer = known.get(keys)
            if answer is None:
                values = lists[0] if len(lists) == 1 else list(chain.from_iterable(lists))
                answer = known[keys] = _ordered(values)
            answers[text] = answer
        return [answers[text] for text in texts]

    def items(self) -> Iterator[tuple[str, str, int]]:
        """Return (key, value, priority) in ascending byte order of the keys, as modprobe -c does.

        Raises ``FormatError`` wherever in it the file is not sound.
        """
        try:
            return self._items()
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
                self._items()
        except FormatError as problem:
            raise self._broken(problem) from None

    def _furthest_end(self) -> int:
        """Return where the last of the nodes ends that stand on the way to the last key."""
        reference, furthest = self._root, 0
        for _ in range(KEY_BYTES):
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

    def _items(self) -> Iterator[tuple[str, str, int]]:
        from lkm.tree.trie.items import read_items  # few commands want to see all

        return iter(()) if self._root_node() is None else read_items(self._data[:], self._root)


def _ordered(found: list[Value]) -> tuple[str, ...]:
    """Return the values by priority, and of equal ones the one found later first."""
    if len(found) > 1:
        found = found[::-1]  # a copy, since other words may have the list as well
        found.sort(key=_priority)
    return tuple([value for _, value in found])


def _priority(value: Value) -> int:
    return value[0]
