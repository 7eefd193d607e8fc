"""Write depmod's binary indexes: the same bytes that kmod 34 writes.

Nodes stand in pre-order, each right behind the one before it, so a node's place is known when its
turn comes, and one pass over the sorted keys writes the whole file: a range of keys that share
their beginning is a node, and its parts are ranges again. The shape of the tree depends on the keys
alone.

Source: kmod, tools/depmod.c, index_write; the reader, ``lkm.tree.trie.nodes``, shows the layout.
"""

from __future__ import annotations

from bisect import bisect_left
from struct import Struct

from lkm import _text
from lkm._value import Value
from lkm.errors import FormatError
from lkm.tree.trie.nodes import CHILDREN, EMPTY, HEADER, OFFSET, PREFIX, VALUES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Final

    Group = tuple[str, int, Sequence[str]]  # a value, its priority, all keys that have it
    Refused = list[tuple[str, str]]

_u32 = Struct(">I")
_SUCCESSORS = [bytes([code + 1]) for code in range(128)]


class WrittenIndex(Value):
    """An index: *data* is its file. *marks* is as long, and 1 where a reference to a node ends.

    The root's reference, in the header, is not marked.
    """

    __slots__ = ("data", "marks")

    def __init__(self, data: bytes, marks: bytes) -> None:
        self.data: Final = data
        self.marks: Final = marks


class Subtree(Value):
    """A node that is taken from another index with all that is below it.

    *body* is the node without its prefix and whatever follows it, *marks* are that index's there.
    The body stood at *origin*; *flags* are those of the node's reference, without ``PREFIX``.
    """

    __slots__ = ("body", "flags", "marks", "origin")

    def __init__(self, body: bytes, marks: bytes, *, origin: int, flags: int) -> None:
        self.body: Final = body
        self.marks: Final = marks
        self.origin: Final = origin
        self.flags: Final = flags

    def at(self, offset: int) -> bytes:
        """Return the body as it is to stand at *offset*: what it refers to moves along.

        All references move by the same number of bytes, so one sum of two large numbers does it.
        """
        if not self.flags & CHILDREN:
            return self.body
        moved = int.from_bytes(self.body) + (offset - self.origin) * int.from_bytes(self.marks)
        return moved.to_bytes(len(self.body))


def build_index(entries: Iterable[tuple[str, str, int]], left_out: Refused | None = None) -> bytes:
    """Return the index of *entries*: (key, value, priority), in the order of their finding.

    Otherwise as ``write_index``.
    """
    groups = [(value, priority, (key,)) for key, value, priority in entries]
    return write_index(groups, left_out).data


def write_index(groups: Iterable[Group], left_out: Refused | None = None) -> WrittenIndex:
    """Return the index of *groups*, which are in the order of their finding.

    A key's values stand ascending by priority; of equal priority the last found comes first. What
    the format cannot hold is added to *left_out*, as (key, value): a key with a byte beyond ASCII,
    which has no place in a child table, and a NUL in either. Raises ``FormatError`` for that
    where no such list is given, and for more than 256 MB.
    """
    refused: Refused = []
    blobs = _value_blobs(groups, refused)
    if left_out is not None:
        left_out += refused
    elif refused:
        raise FormatError("depmod index", f"text that cannot be stored: {refused[0]!r}")
    names = sorted(blobs)
    return write_nodes(
        "\0".join(names).encode("ascii").split(b"\0") if names else [],
        [blobs[name] for name in names],
    )


def packed_value(value: str, priority: int) -> bytes:
    """Return a value as it stands in the file. The packed values of a key sort by priority."""
    return _u32.pack(priority) + _text.encode(value) + b"\0"


def joined_values(packed: Sequence[bytes]) -> bytes:
    """Return all the values of a key, which are in the order of their finding."""
    if len(packed) > 1:
        packed = packed[::-1]  # of equal ones the last comes first
        packed = sorted(packed, key=_priority)
    return _u32.pack(len(packed)) + b"".join(packed)


def write_nodes(keys: Sequence[bytes], parts: Sequence[bytes | Subtree]) -> WrittenIndex:
    """Return the index of *keys*, which are sorted and differ; ``parts[n]`` belongs to ``keys[n]``.

    That is a key's joined values, or a subtree for all keys that begin so; no other one does then.
    Raises ``FormatError`` for more than 256 MB.
    """
    if not keys:
        return WrittenIndex(EMPTY, bytes(len(EMPTY)))
    writer = _Writer(keys, parts)
    writer.write()
    return writer.written()


def _value_blobs(groups: Iterable[Group], refused: Refused) -> Mapping[str, bytes]:
    """Return each key's values as they stand in the file: count, then (priority, text)."""
    blobs: dict[str, bytes] = {}
    found: dict[str, list[bytes]] = {}  # of the keys that have several
    for value, priority, keys in groups:
        if "\0" in value:
            refused += [(key, value) for key in keys]
            continue
        packed = packed_value(value, priority)
        if len(keys) == 1 and keys[0] not in blobs:
            blobs[keys[0]] = joined_values((packed,))
            continue
        new = dict.fromkeys(keys, joined_values((packed,)))
        if len(new) == len(keys) and blobs.keys().isdisjoint(new):
            blobs.update(new)
            continue
        for key in keys:
            if key in found:
                found[key].append(packed)
            elif key in blobs:
                found[key] = [blobs[key][_u32.size :], packed]
            else:
                blobs[key] = new[key]
    blobs.update([(key, joined_values(values)) for key, values in found.items()])
    joined = "\0".join(blobs)
    if not joined.isascii() or joined.count("\0") >= max(len(blobs), 1):
        _refuse(blobs, found, refused)
    return blobs


def _refuse(
    blobs: dict[str, bytes], found: Mapping[str, Sequence[bytes]], refused: Refused
) -> None:
    """Take out of *blobs* what the format has no place for."""
    for key in [key for key in blobs if not key.isascii() or "\0" in key]:
        only = blobs.pop(key)[_u32.size :]
        values = found.get(key, (only,))
        refused += [(key, _text.decode(packed[_u32.size : -1])) for packed in values]


def _priority(packed: bytes) -> bytes:
    return packed[: _u32.size]


class _Writer:
    """Writes the nodes of *keys*, which are at least one, with their *parts*."""

    def __init__(self, keys: Sequence[bytes], parts: Sequence[bytes | Subtree]) -> None:
        self._keys, self._parts = keys, parts
        self._out = bytearray(EMPTY)
        self._references: list[int] = []
        self._subtrees: list[tuple[int, Subtree]] = []

    def written(self) -> WrittenIndex:
        """Return what was written. Raises ``FormatError`` for more than 256 MB."""
        if len(self._out) > OFFSET:
            raise FormatError("depmod index", "more than 256 MB")
        marks = bytearray(len(self._out))
        for at in self._references:
            marks[at + 3] = 1
        for at, subtree in self._subtrees:
            marks[at : at + len(subtree.marks)] = subtree.marks
        return WrittenIndex(bytes(self._out), bytes(marks))

    def write(self) -> None:
        """Write all nodes."""
        keys, parts, out = self._keys, self._parts, self._out
        # Children to be written: keys[low:high] are all alike up to *end*, where they have the
        # child's character c; its reference belongs at *table* + 4 c.
        todo = [self._begin(0, len(keys), 0, 0, HEADER.size - 4)]
        while todo:
            low, high, end, table = todo.pop()
            inside = end + 1
            while low < high:
                key = keys[low]
                code = key[end]
                slot = table + 4 * code
                self._references.append(slot)
                after = low + 1
                if after < high and keys[after][end] == code:
                    after = bisect_left(keys, key[:end] + _SUCCESSORS[code], after, high)
                    todo.append((after, high, end, table))
                    shared = inside + _shared(key, keys[after - 1], inside)
                    todo.append(self._begin(low, after, inside, shared, slot))
                    break
                part = parts[low]
                if isinstance(part, Subtree):
                    self._begin(low, after, inside, len(key), slot)
                elif len(key) > inside:  # a leaf, as by far the most are
                    _u32.pack_into(out, slot, len(out) | PREFIX | VALUES)
                    out += key[inside:] + b"\0" + part
                else:
                    _u32.pack_into(out, slot, len(out) | VALUES)
                    out += part
                low = after

    def _begin(
        self, low: int, high: int, start: int, end: int, slot: int
    ) -> tuple[int, int, int, int]:
        """Write a node without its children, and return what of those is to be written.

        Its keys are keys[low:high], all alike up to *end*; the characters before *start* are said
        by its ancestors; its reference belongs at *slot*. The root has no prefix.
        """
        keys, out = self._keys, self._out
        reference = len(out)
        first = keys[low]
        if end > start:
            reference |= PREFIX
            out += first[start:end] + b"\0"
        values = b""
        if len(first) == end:
            part = self._parts[low]
            if isinstance(part, Subtree):
                reference |= part.flags
                self._subtrees.append((len(out), part))
                values = part.at(len(out))
            else:
                reference |= VALUES
                values = part
            low += 1
        table = 0
        if low < high:
            reference |= CHILDREN
            least, greatest = keys[low][end], keys[high - 1][end]
            table = len(out) + 2 - 4 * least
            out += bytes((least, greatest)) + bytes(4 * (greatest - least + 1))
        out += values
        _u32.pack_into(out, slot, reference)
        return low, high, end, table


def _shared(first: bytes, last: bytes, start: int) -> int:
    """Return how many bytes the two have in common from *start* on."""
    end = min(len(first), len(last))
    difference = int.from_bytes(first[start:end]) ^ int.from_bytes(last[start:end])
    return end - start - (difference.bit_length() + 7) // 8
