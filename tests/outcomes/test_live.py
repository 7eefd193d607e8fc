"""Every case on the kernels that Debian has today, booted now, and in the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from lkm.errors import NoLabProgramError
from tests.conftest import missing
from tests.debian import NotHere
from tests.outcomes.__main__ import held_live
from tests.outcomes.case import EVERY, Series
from tests.outcomes.holding import Held
from tests.outcomes.kernels import cases_for, newest_kernel

Waiting = dict[Series, Future[list[Held]]]


@pytest.fixture(scope="module")
def waiting() -> Iterator[Waiting]:
    """Return what each kernel's cases will have come to; the kernels run at the same time."""
    with ThreadPoolExecutor(len(EVERY)) as threads:
        yield {series: threads.submit(_held, series) for series in EVERY}


def _held(series: Series) -> list[Held]:
    return held_live(newest_kernel(series))


@pytest.mark.debian
@pytest.mark.lab
@pytest.mark.parametrize("series", EVERY)
def test_the_sandbox_answers_as_the_kernel_does(series: Series, waiting: Waiting) -> None:
    try:
        held = waiting[series].result()
    except (NotHere, NoLabProgramError) as reason:
        missing("lab", str(reason))
        raise

    assert {each.case.id: each.differs for each in held if each.differs} == {}
    assert len(held) == len(cases_for(series))
    assert sum(each.steps for each in held) > 1000
