"""Writing binary indexes: the bytes, and that the reader understands them."""

from __future__ import annotations

import ctypes
import random

import pytest

from lkm.errors import FormatError
from lkm.tree.trie.fnmatch import fnmatch
from lkm.tree.trie.index import TrieIndex
from lkm.tree.trie.writer import build_index

Item = tuple[str, str, int]


def test_patterns_with_several_values() -> None:
    entries = [
        ("usb:v1d2*", "alpha", 0),
        ("usb:v1d2*", "beta", 1),
        ("usb:v1d3", "gamma", 2),
        ("usb:v1d2*", "delta", 1),
    ]

    assert build_index(entries) == bytes.fromhex(
        "b007f457 00020001 2000000c 7575a000 0012 7362 3a763164 00 3233 c0000023 40 000046"
        "2a00 00000003 00000000 616c70686100 00000001 64656c746100 00000001 6265746100"
        "00000001 00000002 67616d6d6100"
    )


def test_a_node_with_a_prefix_values_and_children() -> None:
    assert build_index([("foo", "A", 3), ("foobar", "B", 1)]) == bytes.fromhex(
        "b007f457 00020001 2000000c 6666 e0000012 6f6f00 6262 c0000025 00000001 00000003 4100"
        "617200 00000001 00000001 4200"
    )


def test_built_in_names() -> None:
    written = build_index([("foo_bar", "", 0), ("zed", "", 0)])

    table = bytes.fromhex("667a") + bytes.fromhex("c0000062") + bytes(19 * 4) + b"\xc0\0\0\x72"
    assert written[12:] == (
        table + b"oo_bar\0" + bytes.fromhex("0000000100000000 00") + b"ed\0\0\0\0\1\0\0\0\0\0"
    )


def test_no_entries_make_an_index_of_twelve_bytes() -> None:
    assert build_index([]) == bytes.fromhex("b007f457 00020001 0000000c")


def test_an_empty_key_has_its_values_at_the_root() -> None:
    index = TrieIndex.from_bytes(build_index([("", "none", 1), ("a", "one", 2)]))

    assert index.find("") == ("none",)
    assert list(index.items()) == [("", "none", 1), ("a", "one", 2)]


@pytest.mark.parametrize("entry", [("é", "x", 0), ("a\0b", "x", 0), ("a", "\0", 0)])
def test_what_the_format_cannot_hold_is_a_format_error(entry: Item) -> None:
    with pytest.raises(FormatError):
        build_index([entry])


def test_what_it_cannot_hold_is_left_out_where_a_list_takes_it() -> None:
    left_out: list[tuple[str, str]] = []
    entries = [("a", "1", 0), ("é", "2", 0), ("b", "\0", 0), ("\udcff", "3", 0), ("é", "4", 1)]

    index = TrieIndex.from_bytes(build_index(entries, left_out))

    assert list(index.items()) == [("a", "1", 0)]
    assert sorted(left_out) == [("b", "\0"), ("é", "2"), ("é", "4"), ("\udcff", "3")]


def test_a_value_is_any_bytes_and_a_key_may_have_a_newline() -> None:
    entries = [("a", "d\udcff/é\n.ko:", 0), ("a\nb", "x", 1), ("a\tb", "y", 2), ("ab", "z", 3)]

    index = TrieIndex.from_bytes(build_index(entries))

    assert index.find("a") == ("d\udcff/é\n.ko:",)
    assert [index.find(key) for key in ("a\nb", "a\tb", "ab")] == [("x",), ("y",), ("z",)]


def test_a_very_long_key_needs_no_recursion() -> None:
    keys = ["a" * length for length in range(1, 4000)]

    index = TrieIndex.from_bytes(build_index([(key, "x", 0) for key in keys]))

    assert [key for key, _, _ in index.items()] == keys


def some_entries(seed: int, alphabet: str) -> list[Item]:
    source = random.Random(seed)
    keys = [
        "".join(source.choice(alphabet) for _ in range(source.randrange(7)))
        for _ in range(source.randrange(1, 60))
    ]
    return [(source.choice(keys), f"m{source.randrange(9)}", source.randrange(5)) for _ in keys]


def stored(entries: list[Item]) -> list[Item]:
    """Insert the entries one by one, as the format's description says."""
    values: dict[str, list[tuple[int, str]]] = {}
    for key, value, priority in entries:
        inserted(values.setdefault(key, []), priority, value)
    return [(key, value, rank) for key in sorted(values) for rank, value in values[key]]


def inserted(values: list[tuple[int, str]], priority: int, value: str) -> None:
    place = next((at for at, (rank, _) in enumerate(values) if rank >= priority), len(values))
    values.insert(place, (priority, value))


@pytest.mark.parametrize("seed", range(60))
def test_what_was_written_is_read_back_in_the_order_of_the_description(seed: int) -> None:
    entries = some_entries(seed, "ab*?[]\\x:-")
    index = TrieIndex.from_bytes(build_index(entries))

    expected = stored(entries)
    assert list(index.items()) == expected
    for key, _, _ in entries:
        assert index.find(key) == tuple(value for name, value, _ in expected if name == key)


@pytest.mark.parametrize("seed", range(60))
def test_a_match_finds_what_a_look_at_every_key_finds(seed: int) -> None:
    entries = some_entries(seed, "aabb*?[]-!")
    index = TrieIndex.from_bytes(build_index(entries))
    source = random.Random(seed)

    for _ in range(40):
        text = "".join(source.choice("abb-!]") for _ in range(source.randrange(7)))
        expected = sorted(value for key, value, _ in entries if fnmatch(text, key))
        assert sorted(index.match(text)) == expected


@pytest.mark.parametrize("seed", range(20))
def test_matches_are_ascending_by_priority(seed: int) -> None:
    entries = [(key, f"{rank}", rank) for key, _, rank in some_entries(seed, "ab*?")]
    index = TrieIndex.from_bytes(build_index(entries))

    for text in ("", "a", "ab", "ba", "aab"):
        found = [int(value) for value in index.match(text)]
        assert found == sorted(found)


@pytest.mark.oracle
def test_patterns_of_all_kinds_match_as_the_c_library_says() -> None:
    libc = ctypes.CDLL(None)
    patterns = ["a[0-9]*", "a[!0-9]?", "*b", "a*b*", "?", "[ab][ab]", "a?b", "ab", "a", "*"]
    index = TrieIndex.from_bytes(build_index([(key, key, 0) for key in patterns]))
    source = random.Random(3)

    for _ in range(500):
        text = "".join(source.choice("ab5") for _ in range(source.randrange(6)))
        expected = {key for key in patterns if not libc.fnmatch(key.encode(), text.encode(), 0)}
        assert set(index.match(text)) == expected, text
