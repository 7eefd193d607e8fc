"""Indexes that are changed, held against those that are written anew."""

from __future__ import annotations

import random

import pytest

from lkm.tree.trie.amending import amended
from lkm.tree.trie.index import TrieIndex
from lkm.tree.trie.writer import WrittenIndex, write_index

Entry = tuple[str, str, int]


def written(entries: list[Entry]) -> WrittenIndex:
    return write_index([(value, priority, (key,)) for key, value, priority in entries])


def random_entries(chance: random.Random, most: int, taken: set[tuple[str, int]]) -> list[Entry]:
    found: list[Entry] = []
    for _ in range(chance.randrange(most)):
        key = "".join(chance.choices("ab*", k=chance.randrange(8)))
        place = key, chance.randrange(6)
        if place not in taken:
            taken.add(place)
            found.append((key, chance.choice(["", "one", "a_long_name"]), place[1]))
    return found


@pytest.mark.parametrize("seed", range(40))
def test_a_changed_index_is_the_one_of_the_changed_entries(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(50):
        before = random_entries(chance, 40, set())
        gone = chance.sample(before, chance.randrange(min(len(before), 6) + 1))
        left = [entry for entry in before if entry not in gone]
        new = random_entries(chance, 6, {(key, priority) for key, _, priority in left})

        changed = amended(written(before), gone, new)

        assert changed == written(left + new)


def test_changes_one_after_the_other_come_to_the_same() -> None:
    chance = random.Random(7)
    entries: list[Entry] = []
    index = written(entries)
    for _ in range(300):
        gone = chance.sample(entries, min(len(entries), chance.randrange(3)))
        entries = [entry for entry in entries if entry not in gone]
        new = random_entries(chance, 5, {(key, priority) for key, _, priority in entries})
        entries += new

        changed = amended(index, gone, new)

        assert changed is not None
        index = changed
    assert index == written(entries)
    assert sorted(TrieIndex.from_bytes(index.data).items()) == sorted(
        (key, value, priority) for key, value, priority in entries
    )


def test_a_value_that_a_key_has_twice_stays_one_of_two() -> None:
    before = written([("a", "m", 1), ("a", "m", 1), ("a", "n", 2)])

    assert amended(before, [("a", "m", 1)], []) == written([("a", "m", 1), ("a", "n", 2)])


@pytest.mark.parametrize(
    ("gone", "new"),
    [
        ([("b", "m", 1)], []),
        ([("a", "m", 2)], []),
        ([], [("a", "other", 1)]),
        ([], [("\xe9", "m", 3)]),
        ([], [("a\0", "m", 3)]),
        ([], [("a", "m\0", 3)]),
    ],
    ids=["no key", "no value", "a priority twice", "not ASCII", "NUL in key", "NUL in value"],
)
def test_what_cannot_be_told_gets_no_answer(gone: list[Entry], new: list[Entry]) -> None:
    assert amended(written([("a", "m", 1), ("ab", "n", 2)]), gone, new) is None


def test_all_that_is_not_on_the_way_is_taken_over() -> None:
    entries = [(f"pci:v{number:08x}d*", f"m{number}", number) for number in range(3000)]
    before = written(entries)

    changed = amended(before, [entries[1234]], [("pci:v000004d2*", "other", 7)])

    del entries[1234]
    assert changed == written([*entries, ("pci:v000004d2*", "other", 7)])
