"""Write depmod's binary indexes: the same bytes that kmod 34 writes.

Nodes stand in pre-order, each right behind the one before it, so a node's place is known when its
turn comes, and one pass over the sorted keys writes the whole file: a range of keys that share
their beginning is a node, and its parts are ranges again. The shape of the tree depends on the keys
alone.

Source: kmod, tools/depmod.c, index_write; the reader, ``lkm.tree.trie_nodes``, shows the layout.
"""

from __future__ import annotations

from bisect import bisect_left
from struct import Struct

from lkm.errors import FormatError
from lkm.tree.trie_nodes import CHILDREN, HEADER, MAGIC, OFFSET, PREFIX, VALUES, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_u32 = Struct(">I")
_SUCCESSORS = [bytes([code + 1]) for code in range(128)]


def build_index(entries: Iterable[tuple[str, str, int]]) -> bytes:
    """Return the index of *entries*: (key, value, priority), in the order of their finding.

    A key's values stand ascending by priority; of equal priority the last entry comes first.
    Raises ``FormatError`` for text that is not ASCII, which the format cannot hold, and for more
    than 256 MB.
    """
    blobs = _value_blobs(entries)
    out = bytearray(HEADER.pack(MAGIC, VERSION, HEADER.size))
    if not blobs:
        return bytes(out)
    names = sorted(blobs)
    _write_nodes(out, "\n".join(names).encode("ascii").split(b"\n"), [blobs[key] for key in names])
    if len(out) > OFFSET:
        raise FormatError("depmod index", "more than 256 MB")
    return bytes(out)


def _value_blobs(entries: Iterable[tuple[str, str, int]]) -> dict[str, bytes]:
    """Return each key's values as they stand in the file: count, then (priority, text)."""
    values: dict[str, list[tuple[int, str]]] = {}
    for key, value, priority in entries:
        if key in values:
            values[key].append((priority, value))
        else:
            values[key] = [(priority, value)]
    packed: dict[tuple[int, str], bytes] = {}
    blobs: dict[str, bytes] = {}
    one = _u32.pack(1)
    for key, pairs in values.items():
        if not key.isascii() or "\n" in key or "\0" in key:
            raise FormatError("depmod index", f"a key that cannot be stored: {key!r}")
        for pair in pairs:
            if pair not in packed:
                packed[pair] = _packed(*pair)
        if len(pairs) == 1:
            blobs[key] = one + packed[pairs[0]]
        else:
            pairs.reverse()
            pairs.sort(key=_priority)
            blobs[key] = _u32.pack(len(pairs)) + b"".join([packed[pair] for pair in pairs])
    return blobs


def _packed(priority: int, value: str) -> bytes:
    if not value.isascii() or "\0" in value:
        raise FormatError("depmod index", f"a value that cannot be stored: {value!r}")
    return _u32.pack(priority) + value.encode("ascii") + b"\0"


def _priority(value: tuple[int, str]) -> int:
    return value[0]


def _write_nodes(out: bytearray, keys: list[bytes], blobs: list[bytes]) -> None:
    """Append all nodes. *keys* are sorted and differ; ``blobs[n]`` belongs to ``keys[n]``."""
    # A node to write: its keys are keys[low:high], all alike up to *end*; the characters before
    # *start* are said by its ancestors; its reference belongs at *slot*. The root has no prefix.
    stack = [(0, len(keys), 0, 0, HEADER.size - 4)]
    while stack:
        low, high, start, end, slot = stack.pop()
        reference = len(out)
        first = keys[low]
        if end > start:
            reference |= PREFIX
            out += first[start:end]
            out.append(0)
        below = low
        if len(first) == end:
            reference |= VALUES
            below += 1
        if below < high:
            reference |= CHILDREN
            least, greatest = keys[below][end], keys[high - 1][end]
            table = len(out) + 2
            out += bytes((least, greatest)) + bytes(4 * (greatest - least + 1))
            parts = []
            while below < high:
                key = keys[below]
                code = key[end]
                after = below + 1
                inner = len(key)
                if after < high and keys[after][end] == code:
                    after = bisect_left(keys, key[:end] + _SUCCESSORS[code], after, high)
                    inner = end + 1 + _shared(key, keys[after - 1], end + 1)
                parts.append((below, after, end + 1, inner, table + 4 * (code - least)))
                below = after
            parts.reverse()
            stack += parts
        if reference & VALUES:
            out += blobs[low]
        _u32.pack_into(out, slot, reference)


def _shared(first: bytes, last: bytes, start: int) -> int:
    """Return how many bytes the two have in common from *start* on."""
    end = min(len(first), len(last))
    difference = int.from_bytes(first[start:end]) ^ int.from_bytes(last[start:end])
    return end - start - (difference.bit_length() + 7) // 8
