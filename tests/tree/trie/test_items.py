"""Reading the whole of an index: what a hostile file may not cost."""

from __future__ import annotations

import struct

import pytest

from lkm.errors import FormatError
from lkm.tree.trie.index import TrieIndex
from lkm.tree.trie.writer import build_index

PREFIX, VALUES, CHILDREN = 0x8000_0000, 0x4000_0000, 0x2000_0000


def one_for_all(leaf: bytes, *, prefixed: bool) -> TrieIndex:
    """Return an index whose keys, of two characters and what *leaf* adds, share that one leaf."""
    root_at, table_at = 12, 12 + 2 + 254 * 4
    leaf_at = table_at + 2 + 254 * 4
    body = b"\x01\xfe" + struct.pack(">254I", *[CHILDREN | table_at] * 254)
    reference = leaf_at | VALUES | (PREFIX if prefixed else 0)
    body += b"\x01\xfe" + struct.pack(">254I", *[reference] * 254)
    header = struct.pack(">III", 0xB007F457, 0x0002_0001, CHILDREN | root_at)
    return TrieIndex.from_bytes(header + body + leaf)


def test_values_that_all_keys_share_do_not_multiply() -> None:
    index = one_for_all(struct.pack(">I", 5000) + b"\0\0\0\0\0" * 5000, prefixed=False)

    with pytest.raises(FormatError, match="overlap"):
        index.items()


def test_a_long_prefix_that_all_keys_share_does_not_multiply() -> None:
    leaf = b"x" * 3_000_000 + b"\0" + struct.pack(">II", 1, 0) + b"m\0"

    with pytest.raises(FormatError, match="overlap"):
        one_for_all(leaf, prefixed=True).items()


def test_prefixes_of_any_length_are_read() -> None:
    entries = [("a" + "b" * length, f"m{length}", 0) for length in (0, 1, 98, 99, 100, 101, 5000)]
    entries += [
        ("c" + letter * length, "m", 7) for letter in "xyz" for length in (0, 99, 100, 9999)
    ]

    items = list(TrieIndex.from_bytes(build_index(entries)).items())

    assert sorted(items) == sorted(entries)
    assert [key for key, _, _ in items] == sorted(key for key, _, _ in entries)
