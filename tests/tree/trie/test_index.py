"""Reading binary indexes."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from lkm.errors import FileError, FormatError
from lkm.tree.trie.index import TrieIndex
from lkm.tree.trie.writer import build_index
from tests.tree.trees import node_places

PREFIX, VALUES, CHILDREN = 0x8000_0000, 0x4000_0000, 0x2000_0000


def an_index(*, magic: int = 0xB007F457, version: int = 0x0002_0001) -> bytes:
    """Build "ab" with one value and "ac" with two, under a root of prefix "a"."""
    ab = struct.pack(">II", 1, 0) + b"ab.ko:\0"
    ac = struct.pack(">II", 2, 1) + b"first\0" + struct.pack(">I", 2) + b"second\0"
    root_at = 12
    ab_at = root_at + len(b"a\0bc") + 8
    root = b"a\0bc" + struct.pack(">II", VALUES | ab_at, VALUES | ab_at + len(ab))
    return struct.pack(">III", magic, version, 0xA000_0000 | root_at) + root + ab + ac


# Keys "usb:v1d2*" -> alpha (0), delta (1), beta (1) and "usb:v1d3" -> gamma (2), as kmod 34
# writes them.
PATTERNS = bytes.fromhex(
    "b007f457 00020001 2000000c 7575a000 0012 7362 3a763164 00 3233 c0000023 40 000046"
    "2a00 00000003 00000000 616c70686100 00000001 64656c746100 00000001 6265746100"
    "00000001 00000002 67616d6d6100"
)


def read_all(data: bytes) -> None:
    index = TrieIndex.from_bytes(data)
    for key in ("ab", "ac"):
        index.find(key)
        index.match(key)
    list(index.items())


def test_a_key_has_its_values_in_stored_order() -> None:
    index = TrieIndex.from_bytes(an_index())

    assert index.find("ab") == ("ab.ko:",)
    assert index.find("ac") == ("first", "second")


@pytest.mark.parametrize("key", ["", "a", "ad", "abc", "b", "a\0", "aé", "a\udcff"])
def test_a_key_that_is_not_there_has_no_values(key: str) -> None:
    assert TrieIndex.from_bytes(an_index()).find(key) == ()


def test_items_come_in_the_order_of_the_keys() -> None:
    assert list(TrieIndex.from_bytes(PATTERNS).items()) == [
        ("usb:v1d2*", "alpha", 0),
        ("usb:v1d2*", "delta", 1),
        ("usb:v1d2*", "beta", 1),
        ("usb:v1d3", "gamma", 2),
    ]


def test_a_match_is_ordered_by_priority_and_the_later_found_comes_first() -> None:
    index = TrieIndex.from_bytes(PATTERNS)

    assert index.match("usb:v1d2p7") == ("alpha", "beta", "delta")
    assert index.match("usb:v1d3") == ("gamma",)
    assert index.match("usb:v1d3x") == ()


@pytest.mark.parametrize("data", [an_index(), PATTERNS], ids=["names", "patterns"])
def test_a_file_cut_anywhere_is_a_format_error(data: bytes) -> None:
    for size in range(len(data)):
        with pytest.raises(FormatError) as caught:
            read_all(data[:size])

        assert caught.value.offset is not None
        assert caught.value.offset <= size
        assert "depmod" in caught.value.remedy


@pytest.mark.parametrize("data", [an_index(), PATTERNS], ids=["names", "patterns"])
def test_a_check_sees_that_a_file_is_cut_or_its_end_not_written(data: bytes) -> None:
    TrieIndex.from_bytes(data).check()

    zeroed = [data[:place] + bytes(len(data) - place) for place in node_places(data)]
    for damaged in (*[data[:size] for size in range(len(data))], *zeroed):
        with pytest.raises(FormatError):
            TrieIndex.from_bytes(damaged).check()


def test_a_check_holds_no_other_order_of_nodes_for_damage() -> None:
    TrieIndex.from_bytes(PATTERNS + b"more").check()
    TrieIndex.from_bytes(build_index([])).check()
    with pytest.raises(FormatError, match="without end"):
        TrieIndex.from_bytes(a_loop()).check()


@pytest.mark.parametrize("data", [an_index(), PATTERNS], ids=["names", "patterns"])
def test_any_byte_changed_gives_an_answer_or_a_format_error(data: bytes) -> None:
    answered = 0
    for place in range(len(data)):
        for value in (0, 1, 0x2A, 0x7F, 0x80, 0xFF, data[place] ^ 0x20):
            try:
                read_all(data[:place] + bytes([value]) + data[place + 1 :])
            except FormatError:
                continue
            answered += 1

    assert answered


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (an_index(magic=7), "magic"),
        (an_index(version=0x0001_0001), "version 1.1"),
        (an_index(version=0x0003_0000), "version 3.0"),
        (b"", "header"),
    ],
)
def test_another_format_or_version_is_a_format_error(data: bytes, problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        TrieIndex.from_bytes(data)


def test_any_minor_version_is_read() -> None:
    assert TrieIndex.from_bytes(an_index(version=0x0002_0009)).find("ab")


@pytest.mark.parametrize("root", [12, 0, 0xE000_0000])
def test_an_index_without_entries_has_none(root: int) -> None:
    index = TrieIndex.from_bytes(struct.pack(">III", 0xB007F457, 0x0002_0001, root))

    assert list(index.items()) == []
    assert index.find("a") == index.match("a") == ()


def a_loop(character: bytes = b"a") -> bytes:
    loop = struct.pack(">III", 0xB007F457, 0x0002_0001, CHILDREN | 12) + character * 2
    return loop + struct.pack(">I", CHILDREN | 12)


def test_a_child_pointing_at_its_parent_ends_with_the_key() -> None:
    assert TrieIndex.from_bytes(a_loop()).find("a" * 50) == ()


def test_a_loop_is_a_format_error_where_all_nodes_are_visited() -> None:
    with pytest.raises(FormatError, match="met twice"):
        list(TrieIndex.from_bytes(a_loop()).items())
    with pytest.raises(FormatError, match="met twice"):
        TrieIndex.from_bytes(a_loop(b"*")).match("anything")


def test_a_very_deep_file_needs_no_recursion_and_no_memory() -> None:
    depth = 100_000
    chain = b"".join(
        b"ab" + struct.pack(">II", CHILDREN | (12 + 10 * number), CHILDREN | (12 + 10 * number))
        for number in range(1, depth)
    )
    data = struct.pack(">III", 0xB007F457, 0x0002_0001, CHILDREN | 12) + chain + b"aa"
    data += struct.pack(">I", CHILDREN | 12)
    index = TrieIndex.from_bytes(data)

    assert index.find("a" * 2 * depth) == ()
    with pytest.raises(FormatError, match="without end"):
        list(index.items())


def test_values_that_overlap_do_not_multiply() -> None:
    # Keys "*a*" to "*z*", all of them one node with a thousand values.
    table_at = 18
    node_at = table_at + 2 + 26 * 4
    root = b"**" + struct.pack(">I", CHILDREN | table_at)
    table = b"az" + struct.pack(">26I", *[PREFIX | VALUES | node_at] * 26)
    node = b"*\0" + struct.pack(">I", 1000) + b"\0\0\0\0\0" * 1000
    header = struct.pack(">III", 0xB007F457, 0x0002_0001, CHILDREN | 12)
    index = TrieIndex.from_bytes(header + root + table + node)

    assert len(index.match("a")) == 1000
    with pytest.raises(FormatError, match="overlap"):
        index.match("abcdefgh")


def test_a_file_is_mapped_and_its_path_is_in_errors(tmp_path: Path) -> None:
    path = tmp_path / "modules.dep.bin"
    path.write_bytes(an_index())

    index = TrieIndex.open(str(path))
    assert index.find("ab") == ("ab.ko:",)
    index.close()

    path.write_bytes(an_index()[:20])
    with pytest.raises(FormatError) as caught:
        TrieIndex.open(str(path)).find("ab")
    assert caught.value.path == str(path)


def test_what_is_missing_empty_or_no_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileError):
        TrieIndex.open(str(tmp_path / "none.bin"))
    with pytest.raises(FileError):
        TrieIndex.open(str(tmp_path))
    os.mkfifo(tmp_path / "pipe.bin")
    with pytest.raises(FileError):
        TrieIndex.open(str(tmp_path / "pipe.bin"))
    (tmp_path / "empty.bin").touch()
    with pytest.raises(FormatError, match="cut off in the header"):
        TrieIndex.open(str(tmp_path / "empty.bin"))
