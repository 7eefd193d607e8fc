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

from lkm import _text
from lkm.errors import FormatError
from lkm.tree.trie_nodes import CHILDREN, EMPTY, HEADER, OFFSET, PREFIX, VALUES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_u32 = Struct(">I")
_SUCCESSORS = [bytes([code + 1]) for code in range(128)]


def build_index(
    entries: Iterable[tuple[str, str, int]], left_out: list[tuple[str, str]] | None = None
) -> bytes:
    """Return the index of *entries*: (key, value, priority), in the order of their finding.

    A key's values stand ascending by priority; of equal priority the last entry comes first. What
    the format cannot hold is added to *left_out*, as (key, value): a key with a byte beyond ASCII,
    which has no place in a child table, and a NUL in either. Raises ``FormatError`` for that
    where no such list is given, and for more than 256 MB.
    """
    refused: list[tuple[str, str]] = []
    blobs = _value_blobs(entries, refused)
    if left_out is not None:
        left_out += refused
    elif refused:
        raise FormatError("depmod index", f"text that cannot be stored: {refused[0]!r}")
    out = bytearray(EMPTY)
    if not blobs:
        return bytes(out)
    names = sorted(blobs)
    _write_nodes(out, "\0".join(names).encode("ascii").split(b"\0"), [blobs[key] for key in names])
    if len(out) > OFFSET:
        raise FormatError("depmod index", "more than 256 MB")
    return bytes(out)


def _value_blobs(
    entries: Iterable[tuple[str, str, int]], refused: list[tuple[str, str]]
) -> dict[str, bytes]:
    """Return each key's values as they stand in the file: count, then (priority, text)."""
    values: dict[str, list[tuple[int, str]]] = {}
    for key, value, priority in entries:
        if "\0" in value:
            refused.append((key, value))
        elif key in values:
            values[key].append((priority, value))
        else:
            values[key] = [(priority, value)]
    packed: dict[tuple[int, str], bytes] = {}
    blobs: dict[str, bytes] = {}
    one = _u32.pack(1)
    for key, pairs in values.items():
        if not key.isascii() or "\0" in key:
            refused += [(key, value) for _, value in pairs]
            continue
        for pair in pairs:
            if pair not in packed:
                packed[pair] = _u32.pack(pair[0]) + _text.encode(pair[1]) + b"\0"
        if len(pairs) == 1:
            blobs[key] = one + packed[pairs[0]]
        else:
            pairs.reverse()
            pairs.sort(key=_priority)
            blobs[key] = _u32.pack(len(pairs)) + b"".join([packed[pair] for pair in pairs])
    return blobs


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
