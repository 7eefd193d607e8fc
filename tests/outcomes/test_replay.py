"""The committed records of real kernels, gone through again in the sandbox."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lkm.kernel.sandbox import Sandbox
from tests.outcomes.case import Case
from tests.outcomes.holding import UNANSWERED, hold
from tests.outcomes.kernels import cases_for
from tests.outcomes.records import Record, RecordedKernel, all_records

RECORDS = {record.release: record for record in all_records()}


def _each() -> list[tuple[str, Case]]:
    return [
        (release, case)
        for release, record in RECORDS.items()
        for case in cases_for(record.series)
        if case.id in record.seen
    ]


@pytest.mark.parametrize(
    ("release", "case"), _each(), ids=[f"{release}-{case.id}" for release, case in _each()]
)
def test_the_sandbox_answers_as_the_kernel_did(
    release: str,
    case: Case,
    recorded: dict[str, RecordedKernel],
    booted: dict[tuple[str, str], Path],
    tmp_path: Path,
) -> None:
    state = shutil.copy(booted[release, case.command_line], tmp_path / "state")
    with Sandbox(str(state)) as sandbox:
        (held,) = hold(sandbox, [case], recorded[release], RECORDS[release].seen)

    assert held.differs == ()
    assert bool(held.answers) == (case.id not in UNANSWERED)


@pytest.mark.parametrize("record", RECORDS.values(), ids=list(RECORDS))
def test_a_record_has_every_case_and_no_other(record: Record) -> None:
    assert set(record.seen) == {case.id for case in cases_for(record.series)}
    assert all(seen[-1].died == () for seen in record.seen.values())


def test_two_kernels_are_recorded_with_as_many_cases_as_were_asked_for() -> None:
    counts = {record.series: len(record.seen) for record in RECORDS.values()}

    assert counts["6.1"] >= 120
    assert counts["6.12"] >= 60
