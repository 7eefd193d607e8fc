"""What a small hostile index can ask of a reader: its work is counted, not timed."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from lkm.errors import FormatError
from lkm.tree.trie import reached
from lkm.tree.trie.index import TrieIndex
from lkm.tree.trie.nodes import CHILDREN, PREFIX, VALUES, Nodes
from lkm.tree.trie.writer import build_index

if TYPE_CHECKING:
    from lkm.tree.trie.nodes import Value

MANY = ["".join(map(chr, range(1, 128))) * 100 + str(number) for number in range(20)]


class Maker:
    """An index put together node by node, whose references may lead anywhere."""

    def __init__(self) -> None:
        self.data = bytearray(12)

    def node(self, prefix: bytes, children: dict[int, int], values: list[bytes]) -> int:
        """Return the reference of a new node."""
        reference = len(self.data)
        if prefix:
            reference |= PREFIX
            self.data += prefix + b"\0"
        if children:
            reference |= CHILDREN
            codes = range(min(children), max(children) + 1)
            table = [children.get(code, 0) for code in codes]
            self.data += bytes([codes[0], codes[-1]]) + struct.pack(f">{len(table)}I", *table)
        if values:
            reference |= VALUES
            self.data += struct.pack(">I", len(values))
            self.data += b"".join([b"\0\0\0\1" + value + b"\0" for value in values])
        return reference

    def index(self, root: int) -> TrieIndex:
        """Return the index with *root*."""
        self.data[:12] = struct.pack(">III", 0xB007F457, 0x0002_0001, root)
        return TrieIndex.from_bytes(bytes(self.data))


class Work:
    """Bytes of nodes and of values that have been read."""

    def __init__(self) -> None:
        self.read = 0


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """Count what ``Nodes`` reads."""
    work = Work()
    leaf, values_and_end = Nodes.leaf, Nodes.values_and_end

    def counted_leaf(self: Nodes, reference: int) -> tuple[bytes, int]:
        prefix, at = leaf(self, reference)
        work.read += len(prefix)
        return prefix, at

    def counted_values(self: Nodes, at: int) -> tuple[list[Value], int]:
        values, end = values_and_end(self, at)
        work.read += end - at
        return values, end

    monkeypatch.setattr(Nodes, "leaf", counted_leaf)
    monkeypatch.setattr(Nodes, "values_and_end", counted_values)
    return work


@pytest.mark.parametrize("wild", b"*?")
@pytest.mark.parametrize("length", [4000, 200_000])
def test_a_leaf_that_all_nodes_share_is_read_a_few_times(
    wild: int, length: int, work: Work
) -> None:
    maker = Maker()
    leaf = maker.node(b"p" * length, {}, [b"v"])
    levels = [maker.node(b"", dict.fromkeys(range(1, 256), leaf), []) for _ in range(255)]
    every = maker.node(b"", dict(zip(range(1, 256), levels, strict=True)), [])
    index = maker.index(maker.node(b"", {wild: every}, []))

    with pytest.raises(FormatError, match="overlap"):
        index.match_each(MANY)
    assert work.read <= 2 * len(maker.data) + length


@pytest.mark.parametrize("wild", [0, ord("*")])
def test_values_that_all_nodes_share_are_read_once(wild: int, work: Work) -> None:
    maker = Maker()
    leaf = maker.node(b"", {}, [b"m"] * 1000)
    root = maker.node(b"", dict.fromkeys(range(1, 256), leaf), [])
    index = maker.index(maker.node(b"", {wild: root}, []) if wild else root)

    with pytest.raises(FormatError, match="values that overlap"):
        index.match_each([chr(code) * (1 if not wild else 2) for code in range(65, 91)])
    assert work.read <= len(maker.data)


def test_words_that_match_the_same_keys_share_the_answer() -> None:
    index = TrieIndex.from_bytes(build_index([("a*", f"m{number}", 1) for number in range(50)]))

    answers = index.match_each([f"a{number}" for number in range(9)])

    assert len(answers[0]) == 50
    assert all(answer is answers[0] for answer in answers)


def test_values_that_words_share_are_ordered_for_each_on_its_own() -> None:
    entries = [("a*", f"m{number}", 1) for number in range(3)] + [("ab*", "n", 1)]
    index = TrieIndex.from_bytes(build_index(entries))
    words = ["ax", "abx", "ay", "aby"]

    assert index.match_each(words) == [index.match(word) for word in words]


def test_a_chain_of_question_marks_is_followed_character_by_character(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_at = 0
    places = reached._places

    def counted(bits: int, word: bytes, text: bytes, masks: reached.Masks) -> int:
        nonlocal looked_at
        looked_at += len(text)
        return places(bits, word, text, masks)

    monkeypatch.setattr(reached, "_places", counted)
    maker = Maker()
    reference = maker.node(b"", {}, [b"m"])
    for number in range(1000):
        reference = maker.node(b"", {ord("?"): reference}, [b"n"] if number == 499 else [])
    index = maker.index(reference)

    answers = index.match_each(["a" * 1000, "b" * 1000, "c" * 999, "d" * 500])

    assert answers == [("m",), ("m",), (), ("n",)]
    assert looked_at <= 4 * 1001


@pytest.mark.parametrize("depth", [1, 40])
def test_nodes_that_two_characters_lead_to_are_a_format_error(depth: int) -> None:
    maker = Maker()
    reference = maker.node(b"", {}, [b"m"])
    for _ in range(depth):
        reference = maker.node(b"", {97: reference, 98: reference}, [])
    index = maker.index(maker.node(b"", {ord("*"): reference}, []))

    if depth == 1:  # what is read twice is still in bounds
        assert index.match("xa") == ("m",)
        return
    with pytest.raises(FormatError):
        index.match("ab" * 200)


def test_a_sound_index_is_never_refused_for_the_wildcards_of_a_word() -> None:
    keys = ["*" * number + "x" * 60 for number in range(1, 40)]
    index = TrieIndex.from_bytes(build_index([(key, key, 1) for key in keys]))

    assert set(index.match("*" * 39 + "x" * 60)) == set(keys)
    assert all(index.match_each(["*" * 39 + "x" * 60, "x" * 60, "a" + "x" * 60]))
