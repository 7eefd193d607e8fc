"""Many words matched in one walk of an index."""

from __future__ import annotations

import ctypes
import random
import struct

import pytest

from lkm.errors import FormatError
from lkm.tree.trie.fnmatch import fnmatch
from lkm.tree.trie.index import TrieIndex
from lkm.tree.trie.writer import build_index

Item = tuple[str, str, int]

ALPHABETS = ["aab*", "ab:**", "ab*?[]\\x:-", "ab*[]!^-", "abcdefgh*"]


def some_text(source: random.Random, alphabet: str, longest: int) -> str:
    return "".join(source.choice(alphabet) for _ in range(source.randrange(longest)))


def some_entries(seed: int) -> list[Item]:
    source = random.Random(seed)
    alphabet, longest = ALPHABETS[seed % len(ALPHABETS)], source.choice([4, 8, 20])
    keys = [some_text(source, alphabet, longest) for _ in range(source.randrange(1, 150))]
    return [(source.choice(keys), f"m{source.randrange(9)}", source.randrange(5)) for _ in keys]


def some_words(seed: int, entries: list[Item]) -> list[str]:
    """Return words that the keys match, words that are keys, and others; some of them twice."""
    source = random.Random(seed)
    keys = [key for key, _, _ in entries]
    words = [source.choice(keys).replace("*", source.choice(["", "a", "b:"])) for _ in range(60)]
    words += [source.choice(keys) for _ in range(10)]
    words += [some_text(source, "aab:-!]é\udcff", 8) for _ in range(60)]
    return words + source.sample(words, 9)


@pytest.mark.parametrize("seed", range(25))
def test_each_of_many_words_is_answered_as_on_its_own(seed: int) -> None:
    entries = some_entries(seed)
    index = TrieIndex.from_bytes(build_index(entries))
    words = some_words(seed, entries)

    answers = index.match_each(words)

    assert answers == [index.match(word) for word in words]
    assert index.match_each(words[:3]) == answers[:3]


@pytest.mark.parametrize("seed", range(25))
def test_each_finds_what_a_look_at_every_key_finds(seed: int) -> None:
    entries = some_entries(seed)
    words = [word for word in some_words(seed, entries) if not set("*?[\\") & set(word)]

    answers = TrieIndex.from_bytes(build_index(entries)).match_each(words)

    for word, found in zip(words, answers, strict=True):
        keys = [(key, value) for key, value, _ in entries if may_be_walked_to(key, word)]
        assert sorted(found) == sorted(value for key, value in keys if fnmatch(word, key)), word


def may_be_walked_to(key: str, word: str) -> bool:
    """Tell whether the walk comes to *key*: before its first wildcard all stands for itself."""
    literal = min([key.find(each) for each in "*?[" if each in key], default=len(key))
    if "\\" not in key[:literal]:
        return True
    return word.startswith(key[:literal])


@pytest.mark.oracle
@pytest.mark.parametrize("seed", range(20))
def test_patterns_match_as_the_c_library_says(seed: int) -> None:
    libc = ctypes.CDLL(None)
    source = random.Random(seed)
    pieces = ["*", "*", "?", "[a-c]", "[!b]", "[[:digit:]x]", "\\*", "a", "ab", ":", "5"]
    keys = sorted(
        {"x" + "".join(source.choice(pieces) for _ in range(source.randrange(7))) for _ in "x" * 99}
    )
    keys = [key for key in keys if "\\" not in key or key.find("\\") > literal_end(key)]
    index = TrieIndex.from_bytes(build_index([(key, key, 0) for key in keys]))
    words = ["x" + some_text(source, "ab5:*c", 9) for _ in range(200)]

    for word, found in zip(words, index.match_each(words), strict=True):
        expected = {key for key in keys if not libc.fnmatch(key.encode(), word.encode(), 0)}
        assert set(found) == expected, word


def literal_end(key: str) -> int:
    return min([key.find(each) for each in "*?[" if each in key], default=len(key))


def test_no_words_have_no_answers_and_an_empty_index_has_none() -> None:
    assert TrieIndex.from_bytes(build_index([("a", "m", 0)])).match_each([]) == []
    assert TrieIndex.from_bytes(build_index([])).match_each(["a", "", "a"]) == [(), (), ()]


def test_a_piece_that_fits_often_is_followed_from_every_place() -> None:
    entries = [("*:a" + str(number), f"m{number}", 0) for number in range(9)]
    index = TrieIndex.from_bytes(build_index(entries))

    assert index.match(":ab" * 40 + ":a7") == ("m7",)
    assert index.match("aaa:a3") == ("m3",)


@pytest.mark.parametrize("seed", range(10))
def test_a_damaged_index_gives_what_its_keys_say_or_a_format_error(seed: int) -> None:
    source = random.Random(seed)
    entries = some_entries(seed)
    words = [word for word in some_words(seed, entries) if not set("*?[\\") & set(word)]
    data = bytearray(build_index(entries))
    compared = 0
    for _ in range(20):
        place = source.randrange(12, len(data))
        before, data[place] = data[place], source.choice([0, 1, 0x2A, 0x7F, 0x80, 0xE0, 0xFF])
        index = TrieIndex.from_bytes(bytes(data))
        data[place] = before
        try:
            items = list(index.items())
            answers = index.match_each(words)
        except FormatError:
            continue
        for word, found in zip(words, answers, strict=True):
            keys = [(key, value) for key, value, _ in items if may_be_walked_to(key, word)]
            assert sorted(found) == sorted(value for key, value in keys if fnmatch(word, key)), word
            compared += 1
    assert compared


def test_a_loop_below_a_wildcard_is_a_format_error_for_many_words_too() -> None:
    loop = struct.pack(">III", 0xB007F457, 0x0002_0001, 0x2000_000C) + b"**"
    index = TrieIndex.from_bytes(loop + struct.pack(">I", 0x2000_000C))

    with pytest.raises(FormatError, match="met twice"):
        index.match_each([f"word{number}" for number in range(200)])
