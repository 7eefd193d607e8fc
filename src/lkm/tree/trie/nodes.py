"""The nodes of depmod's binary indexes.

    node     [text prefix] [u8 first, u8 last, child x (last - first + 1)]
             [count, count x (priority, text)]

Numbers are big-endian u32 unless noted, text ends with a NUL. A node is named by a reference: the
low 28 bits are its offset, the bits above them tell which parts it has. An offset of 0 is no node.

Source: kmod, libkmod/libkmod-index.c; shared/index.h.
"""

from __future__ import annotations

from struct import Struct, error

from lkm import _text
from lkm.errors import FormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from mmap import mmap
    from typing import Final

    Value = tuple[int, str]  # priority, text

MAGIC = 0xB007F457
VERSION = 0x0002_0001
HEADER = Struct(">III")  # magic, version, the root's reference
PREFIX = 0x8000_0000
VALUES = 0x4000_0000
CHILDREN = 0x2000_0000
OFFSET = 0x0FFF_FFFF
KEY_BYTES = 8192  # twice the longest alias there is; what is longer is a loop or a trap
EMPTY = HEADER.pack(MAGIC, VERSION, HEADER.size)  # an index without any key

WHAT = "depmod index"
_u32 = Struct(">I").unpack_from


def root_of(header: bytes, size: int) -> int:
    """Return the root's reference that *header* names, the first bytes of an index of *size* bytes.

    Raises ``FormatError`` for what is no such index, or is cut off before its root.
    """
    if len(header) < HEADER.size:
        raise FormatError(WHAT, "cut off in the header", offset=len(header))
    magic, version, root = HEADER.unpack_from(header)
    if magic != MAGIC:
        raise FormatError(WHAT, f"its magic is {magic:08x}", offset=0)
    if version >> 16 != VERSION >> 16:
        problem = f"version {version >> 16}.{version & 0xFFFF}, where 2.x is wanted"
        raise FormatError(WHAT, problem, offset=4)
    # An empty index has a root without parts, at its end, and nothing behind the header.
    if size > HEADER.size and not (root & ~OFFSET and root & OFFSET):
        raise FormatError(WHAT, "a root that is none", offset=8)
    if root & ~OFFSET and root & OFFSET >= size:
        raise FormatError(WHAT, "cut off before its root", offset=size)
    return int(root)


class Node:
    """One node: where its child table and its values begin, and its prefix."""

    __slots__ = ("first", "last", "prefix", "table", "values_at")

    def __init__(self, data: bytes | mmap, reference: int) -> None:
        at = reference & OFFSET
        self.prefix = b""
        if reference & PREFIX:
            self.prefix, at = _prefix(data, at)
        self.first, self.last, self.table = 1, 0, 0
        if reference & CHILDREN:
            bounds = data[at : at + 2]
            if len(bounds) < 2:
                raise FormatError(WHAT, "cut off in a node", offset=len(data))
            self.first, self.last = bounds
            self.table = at + 2
            if not 0 < self.first <= self.last:
                raise FormatError(WHAT, "children out of order", offset=at)
            at = self.table + 4 * (self.last - self.first + 1)
            if at > len(data):
                raise FormatError(WHAT, "cut off in a child table", offset=len(data))
            # The table is as long as it has to be.
            if not _u32(data, at - 4)[0] & OFFSET:
                raise FormatError(WHAT, "a last child that is none", offset=at - 4)
        self.values_at = at if reference & VALUES else 0


class Nodes:
    """Reads the nodes in *data*. Each method raises ``FormatError`` where they are not sound."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes | mmap) -> None:
        self._data: Final = data

    @property
    def size(self) -> int:
        """How many bytes there are to read."""
        return len(self._data)

    def node(self, reference: int) -> Node:
        """Return the node that *reference* names."""
        if reference & OFFSET >= len(self._data):
            raise FormatError(WHAT, "a node past the end", offset=len(self._data))
        return Node(self._data, reference)

    def child(self, node: Node, character: int) -> int:
        """Return the reference of a child, 0 where there is none."""
        if not node.first <= character <= node.last:
            return 0
        (reference,) = _u32(self._data, node.table + 4 * (character - node.first))
        return reference if reference & OFFSET else 0

    def values(self, at: int) -> list[Value]:
        """Return the values that stand at *at*; 0 is a node without any."""
        return self.values_and_end(at)[0] if at else []

    def values_and_end(self, at: int) -> tuple[list[Value], int]:
        """Return the values that stand at *at*, and where they end."""
        data = self._data
        values: list[Value] = []
        try:
            (count,) = _u32(data, at)
            if not count:
                # What a crash has left unwritten is zeros, and must not read as "nothing there".
                raise FormatError(WHAT, "a list without values", offset=at)
            at += 4
            for _ in range(count):
                (priority,) = _u32(data, at)
                value, at = _string(data, at + 4)
                values.append((priority, _text.decode(value)))
        except error:
            raise FormatError(WHAT, "cut off in a value", offset=min(at, len(data))) from None
        return values, at

    def leaf(self, reference: int) -> tuple[bytes, int]:
        """Return the prefix of a node without children, and where its values are."""
        at = reference & OFFSET
        if at >= len(self._data):
            raise FormatError(WHAT, "a node past the end", offset=len(self._data))
        return _prefix(self._data, at) if reference & PREFIX else (b"", at)

    def children(self, node: Node) -> Iterator[tuple[int, int]]:
        """Return (character, reference) of each child."""
        if not node.table:
            return iter(())
        characters = range(node.first, node.last + 1)
        references = Struct(f">{len(characters)}I").unpack_from(self._data, node.table)
        pairs = zip(characters, references, strict=True)
        return iter([pair for pair in pairs if pair[1] & OFFSET])


def _prefix(data: bytes | mmap, at: int) -> tuple[bytes, int]:
    prefix, end = _string(data, at)
    if not prefix:
        raise FormatError(WHAT, "an empty prefix", offset=at)
    return prefix, end


def _string(data: bytes | mmap, at: int) -> tuple[bytes, int]:
    end = data.find(b"\0", at)
    if end < 0 or at > len(data):
        raise FormatError(WHAT, "text without its NUL", offset=min(at, len(data)))
    return data[at:end], end + 1
