"""The committed records, unpacked, and sandboxes booted with their kernels."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.outcomes.cases import CASES
from tests.outcomes.holding import boot
from tests.outcomes.records import RecordedKernel, all_records


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RecordedKernel]:
    return {
        record.release: record.unpack(tmp_path_factory.mktemp("recorded"))
        for record in all_records()
    }


@pytest.fixture(scope="session")
def booted(
    recorded: dict[str, RecordedKernel], tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], Path]:
    """Return the state files of sandboxes that were booted, by release and command line."""
    states: dict[tuple[str, str], Path] = {}
    for release, kernel in recorded.items():
        for line in {case.command_line for case in CASES.values()}:
            state = tmp_path_factory.mktemp("booted") / "state"
            boot(state, kernel.root, release, line).close()
            states[release, line] = state
    return states
