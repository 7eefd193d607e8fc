"""Numbers, closures and cycles of modules."""

from __future__ import annotations

import random
import time

import pytest

from lkm.tree.depmod.dependencies import closures, cycles, direct_dependencies, number, spellings


def cycles_of(text: str) -> list[str]:
    """Return the chains of a graph written as "a:bc b:a", as "a b"."""
    needs = {part[0]: part[2:] for part in text.split()}
    names = list(needs)
    graph = [[names.index(other) for other in needs[name]] for name in names]
    _, stuck = number(graph)
    return [" ".join(names[module] for module in chain) for chain in cycles(graph, stuck)]


def test_owners_are_needed_once_in_order_of_first_use() -> None:
    owners = {"one": 1, "two": 2, "dotted": 0, "same": 1}

    assert direct_dependencies(
        [["two", "kernel", "one", "same", "two"], [".dotted"], []], spellings(owners)
    ) == [
        [2, 1],
        [0],
        [],
    ]


def test_users_are_numbered_before_what_they_need() -> None:
    # 0 needs 1 and 2, 3 needs 2, 2 needs 4.
    graph = [[1, 2], [], [4], [2], []]

    numbers, stuck = number(graph)

    assert stuck == []
    assert numbers == [1, 4, 2, 0, 3]
    assert closures(graph, numbers) == [[2, 4, 1], [], [4], [2, 4], []]


def test_with_a_cycle_everything_else_stands_as_ever() -> None:
    names = ["user", "a", "b", "c", "deep", "deeper", "apart"]
    needs = {"user": "a", "a": "b", "b": "c deep", "c": "a", "deep": "deeper", "apart": "deep"}
    graph = [[names.index(other) for other in needs.get(name, "").split()] for name in names]

    every = closures(graph, *number(graph))

    assert [" ".join(names[other] for other in needed) for needed in every] == [
        "a c b deep deeper",
        "c b deep deeper",
        "a c deep deeper",
        "a b deep deeper",
        "deeper",
        "",
        "deep deeper",
    ]


@pytest.mark.parametrize("seed", range(30))
def test_closures_hold_what_is_reached_and_order_what_can_be_ordered(seed: int) -> None:
    source = random.Random(seed)
    graph = [source.sample(range(14), source.randrange(3)) for _ in range(14)]
    reached = [everything_reached(graph, module) for module in range(14)]

    for module, needed in enumerate(closures(graph, *number(graph))):
        assert len(needed) == len(set(needed))
        assert set(needed) == reached[module] - {module}
        for place, other in enumerate(needed):
            before = set(needed[:place])
            assert not {each for each in before & reached[other] if other not in reached[each]}


def test_closures_of_a_long_cycle_take_no_time() -> None:
    graph = [[(module + 1) % 2000] for module in range(2000)]
    start = time.monotonic()

    every = closures(graph, *number(graph))

    assert {len(needed) for needed in every} == {1999}
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("seed", range(20))
def test_everything_needed_stands_behind_what_needs_it(seed: int) -> None:
    source = random.Random(seed)
    graph = [source.sample(range(rank), min(rank, source.randrange(4))) for rank in range(30)]

    numbers, stuck = number(graph)

    assert stuck == []
    for module, needed in enumerate(closures(graph, numbers)):
        assert set(graph[module]) <= set(needed)
        for place, other in enumerate(needed):
            assert set(graph[other]) <= set(needed[place + 1 :])


@pytest.mark.parametrize(
    ("graph", "chains"),
    [
        ("a:a", ["a"]),
        ("a:b b:a", ["a b"]),
        ("a:bc b:a c:d d:", ["a b"]),
        ("a:bc b:d c:d d:a", ["a c d", "a b d"]),
        ("h:i a:b d:e b:c c:a e:d i:j j:k k:h", ["h i j k", "a b c", "e d"]),
    ],
)
def test_cycles_are_reported_in_kmods_order(graph: str, chains: list[str]) -> None:
    assert cycles_of(graph) == chains


def test_a_cycle_that_leads_to_another_is_reported_once_where_kmod_has_no_memory_left() -> None:
    assert cycles_of("p:qd q:p d:x x:y y:x") == ["p q", "x y"]


def test_modules_that_all_need_each_other_are_reported_where_kmod_aborts() -> None:
    chains = cycles_of("a:bcd b:acd c:abd d:abc")

    assert chains[0] == "a d c b"
    assert len(chains) == len(set(chains)) == 15


def test_many_modules_that_all_need_each_other_take_no_time() -> None:
    graph = [[other for other in range(100) if other != module] for module in range(100)]
    start = time.monotonic()

    chains = cycles(graph, range(100))

    assert {module for chain in chains for module in chain} == set(range(100))
    assert time.monotonic() - start < 1


def test_a_cycle_through_thousands_needs_no_recursion() -> None:
    graph = [[(module + 1) % 20_000] for module in range(20_000)]

    assert cycles(graph, range(20_000)) == (tuple(range(20_000)),)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize(("size", "most"), [(12, 2), (20, 3), (50, 3), (100, 6)])
def test_each_chain_is_a_cycle_and_each_module_of_a_cycle_is_in_one(
    seed: int, size: int, most: int
) -> None:
    source = random.Random(seed)
    graph = [source.sample(range(size), source.randrange(most + 1)) for _ in range(size)]
    _, stuck = number(graph)

    chains = cycles(graph, stuck)

    assert len(chains) == len(set(chains))
    for chain in chains:
        assert all(
            after in graph[module]
            for module, after in zip(chain, [*chain[1:], chain[0]], strict=True)
        )
    assert {module for chain in chains for module in chain} == {
        module for module in range(size) if reaches_itself(graph, module)
    }


def reaches_itself(graph: list[list[int]], module: int) -> bool:
    return module in everything_reached(graph, module)


def everything_reached(graph: list[list[int]], module: int) -> set[int]:
    reached: set[int] = set()
    todo = [module]
    while todo:
        new = set(graph[todo.pop()]) - reached
        reached |= new
        todo += new
    return reached


def test_a_name_is_found_as_kmod_looks_it_up() -> None:
    def found(need: str, exported: str, prefix: str = "") -> bool:
        return spellings({exported: 3}, prefix).get(need) == 3

    # A dot, then the prefix are taken off what is needed; what remains is what is exported.
    for prefix in ("", "_", ".", "o"):
        for exported in ("open", ".open", "_open", "..open", "_.open"):
            for need in ("open", ".open", "..open", "_open", "._open", "_.open", "oopen", ".oopen"):
                rest = need.removeprefix(".")
                rest = rest.removeprefix(prefix) if prefix else rest
                assert found(need, exported, prefix) == (rest == exported), (need, exported, prefix)
