"""Every case on the kernels that Debian has today, booted now, and in the sandbox."""

from __future__ import annotations

import pytest

from lkm.errors import NoLabProgramError
from tests.conftest import missing
from tests.debian import NotHere
from tests.outcomes.__main__ import held_live
from tests.outcomes.case import EVERY, Series
from tests.outcomes.kernels import cases_for, newest_kernel


@pytest.mark.debian
@pytest.mark.lab
@pytest.mark.parametrize("series", EVERY)
def test_the_sandbox_answers_as_the_kernel_does(series: Series) -> None:
    try:
        held = held_live(newest_kernel(series))
    except (NotHere, NoLabProgramError) as reason:
        missing("lab", str(reason))
        raise

    assert {each.case.id: each.differs for each in held if each.differs} == {}
    assert len(held) == len(cases_for(series))
    assert sum(each.steps for each in held) > 1000
