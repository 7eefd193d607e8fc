"""The short run: some inputs of every target, the same ones each time, without a real kernel."""

from __future__ import annotations

import pytest

from tests.fuzz.inputs import made
from tests.fuzz.running import run_target
from tests.fuzz.targets import TARGETS

_SEED = 1
_COUNT = 240
# Nothing that is alive says nothing for so long, on however busy a machine.
_HANG_S = 20.0


@pytest.mark.parametrize("name", TARGETS)
def test_bad_input_is_told_and_nothing_else_happens(name: str) -> None:
    target = TARGETS[name]
    seeds = target.seeds(False)
    numbers = range(max(10, _COUNT // target.cost))

    summary = run_target(
        target, lambda number: made(target, seeds, _SEED, number), numbers, hang_s=_HANG_S
    )

    assert summary.count == len(numbers)
    assert [f"#{seen.number} {seen.kind}\n{seen.problem}" for seen in summary.defects] == []


@pytest.mark.parametrize("name", TARGETS)
def test_one_seed_makes_the_same_inputs_each_time(name: str) -> None:
    target = TARGETS[name]
    seeds = target.seeds(False)

    first, again = ([made(target, seeds, 3, number) for number in range(5)] for _ in range(2))

    assert first == again
    assert first != [made(target, seeds, 4, number) for number in range(5)]


@pytest.mark.parametrize("name", TARGETS)
def test_the_good_files_that_inputs_are_made_of_are_no_defects(name: str) -> None:
    target = TARGETS[name]
    seeds = target.seeds(False)

    summary = run_target(target, seeds.__getitem__, range(len(seeds)), hang_s=_HANG_S)

    assert [f"{seen.kind}\n{seen.problem}" for seen in summary.defects] == []
