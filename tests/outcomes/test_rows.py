"""The rows of docs/loader.md: the cases that they name come to the check that they are about."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lkm.kernel.sandbox import Sandbox
from tests.conftest import missing
from tests.outcomes.cases import CASES
from tests.outcomes.holding import UNANSWERED, checks_met
from tests.outcomes.records import RecordedKernel, all_records
from tests.project.test_loader_doc import rows

RECORDS = all_records()
# Each row that has the id of a check and names cases.
CHECKED = {
    name: (row.id, [word for word in row.held if word in CASES])
    for name, row in rows().items()
    if row.id and any(word in CASES for word in row.held)
}


@pytest.fixture(scope="module")
def met() -> dict[str, set[str]]:
    """Return the checks that each case came to, by its id; filled as they are asked for."""
    return {}


@pytest.mark.parametrize("row", CHECKED)
def test_a_case_of_the_row_comes_to_its_check(
    row: str,
    met: dict[str, set[str]],
    recorded: dict[str, RecordedKernel],
    booted: dict[tuple[str, str], Path],
    tmp_path: Path,
) -> None:
    if not RECORDS:
        missing("records", "no kernel is recorded")
    wanted, cases = CHECKED[row]
    for case in [CASES[each] for each in cases]:
        if case.id not in met:
            met[case.id] = set()
            for record in [each for each in RECORDS if each.series in case.series]:
                state = shutil.copy(booted[record.release, case.command_line], tmp_path / "state")
                with Sandbox(str(state)) as sandbox:
                    met[case.id] |= checks_met(sandbox, case, recorded[record.release])

    assert wanted in set().union(*[met[each] for each in cases])


def test_no_row_is_held_by_a_case_whose_answers_are_not_compared() -> None:
    named = {word for row in rows().values() for word in row.held}

    assert named & UNANSWERED.keys() == set()
