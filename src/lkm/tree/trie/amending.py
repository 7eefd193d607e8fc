"""Change some keys of a written index, without looking at the others.

depmod is run again and again over trees of which next to nothing has changed. What is below a node
stands behind it without a gap, so all subtrees that no change concerns are taken over whole, and
the nodes on the way to a changed key are written anew around them. The answer is the very index
that ``write_index`` makes of the changed entries.
"""

from __future__ import annotations

from bisect import bisect_left
from struct import Struct

from lkm.tree.trie.nodes import CHILDREN, EMPTY, HEADER, OFFSET, PREFIX, VALUES
from lkm.tree.trie.writer import (
    Subtree,
    WrittenIndex,
    joined_values,
    packed_value,
    write_nodes,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Entry = tuple[str, str, int]  # key, value, priority
    # The key that a node ends, its reference, and where all that is below it ends.
    Place = tuple[bytes, int, int]

_u32 = Struct(">I")
_BEYOND = b"\xff"  # no key has that byte


def amended(
    written: WrittenIndex, gone: Iterable[Entry], new: Iterable[Entry]
) -> WrittenIndex | None:
    """Return the index without *gone* and with *new*; the entries of a key differ by priority.

    None where that cannot be told: an entry in *gone* is not there, or one in *new* cannot be
    stored, or is the second of its priority.
    """
    changes: dict[bytes, tuple[list[bytes], list[bytes]]] = {}
    for which, entries in enumerate((gone, new)):
        for key, value, priority in entries:
            if not key.isascii() or "\0" in key or "\0" in value:
                return None
            change = changes.setdefault(key.encode("ascii"), ([], []))
            change[which].append(packed_value(value, priority))
    parts = _opened(written, sorted(changes))
    for changed, (less, more) in changes.items():
        before = parts.pop(changed, b"")
        assert isinstance(before, bytes)
        values = _changed(_values(before), less, more)
        if values is None:
            return None
        if values:
            parts[changed] = joined_values(values)
    keys = sorted(parts)
    return write_nodes(keys, [parts[key] for key in keys])


def _changed(
    values: list[bytes], less: Sequence[bytes], more: Sequence[bytes]
) -> list[bytes] | None:
    for each in less:
        if each not in values:
            return None
        values.remove(each)
    values += more
    priorities = {each[: _u32.size] for each in values}
    return values if len(priorities) == len(values) else None


def _values(blob: bytes) -> list[bytes]:
    """Return the packed values of a key."""
    found = []
    at = _u32.size
    while at < len(blob):
        end = blob.index(b"\0", at + _u32.size) + 1
        found.append(blob[at:end])
        at = end
    return found


def _opened(written: WrittenIndex, keys: Sequence[bytes]) -> dict[bytes, bytes | Subtree]:
    """Return the values of the *keys*, which are sorted, and all else in subtrees."""
    data = written.data
    found: dict[bytes, bytes | Subtree] = {}
    if data == EMPTY:
        return found
    root = _u32.unpack_from(data, HEADER.size - _u32.size)[0]
    todo: list[Place] = [(b"", root, len(data))]
    while todo:
        path, reference, end = todo.pop()
        first = bisect_left(keys, path)
        body = reference & OFFSET
        if reference & PREFIX:
            body = data.index(b"\0", body) + 1
        if first == bisect_left(keys, path + _BEYOND):
            flags = reference & (CHILDREN | VALUES)
            found[path] = Subtree(data[body:end], written.marks[body:end], origin=body, flags=flags)
            continue
        children, values_at = _children(data, path, reference, body, end)
        if reference & VALUES:
            found[path] = data[values_at : children[0][1] & OFFSET if children else end]
        todo += children
    return found


def _children(
    data: bytes, path: bytes, reference: int, body: int, end: int
) -> tuple[list[Place], int]:
    """Return the children of a node, and where its values begin."""
    if not reference & CHILDREN:
        return [], body
    first, last = data[body], data[body + 1]
    table = body + 2
    behind = table + _u32.size * (last - first + 1)
    slots = enumerate(_u32.iter_unpack(data[table:behind]), first)
    there = [(code, child) for code, (child,) in slots if child]
    ends = [child & OFFSET for _, child in there[1:]] + [end]
    return [
        (path + bytes((code,)) + _prefix(data, child), child, stop)
        for (code, child), stop in zip(there, ends, strict=True)
    ], behind


def _prefix(data: bytes, reference: int) -> bytes:
    at = reference & OFFSET
    return data[at : data.index(b"\0", at)] if reference & PREFIX else b""
