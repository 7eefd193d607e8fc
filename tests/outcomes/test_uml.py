"""User-mode Linux, booted now: it answers what the sandbox says, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.debian import NotHere
from tests.outcomes.cases_uml import OWN, shared
from tests.outcomes.guest import Boot
from tests.outcomes.uml import UserModeLinux, held_live, run

pytestmark = [pytest.mark.debian, pytest.mark.lab]
# Of those that it shares with others, where it must answer otherwise.
_SHARED = ("vermagic-", "forced-", "no-init")


@pytest.fixture
def kernel() -> UserModeLinux:
    try:
        return UserModeLinux.here()
    except NotHere as reason:
        missing("lab", str(reason))
        raise


def test_the_sandbox_answers_as_user_mode_linux_does(kernel: UserModeLinux) -> None:
    cases = [case for case in OWN if not case.alone and not case.command_line]
    cases += [case for case in shared() if case.id.startswith(_SHARED) and kernel.has(case)]

    try:
        held = held_live(kernel, cases)
    except NotHere as reason:
        missing("lab", str(reason))
        raise

    assert {each.case.id: each.differs for each in held if each.differs} == {}
    assert len(held) >= 30


def test_a_guest_that_does_not_end_is_stopped_and_leaves_no_process(
    kernel: UserModeLinux, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    try:
        seen = run(kernel, Boot(files={}, operations=("taint", "sleep 60000")), timeout_s=3)
    except NotHere as reason:
        missing("lab", str(reason))
        raise

    assert seen[0].tainted == 0
    assert seen[-1].died[0] == "it was still running after 3 seconds"
    assert list(tmp_path.iterdir()) == []
    assert not _running_in(tmp_path)


def _running_in(folder: Path) -> list[str]:
    """Return the processes whose command names *folder*."""
    found: list[str] = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and str(folder) in (process / "cmdline").read_text():
                found.append(process.name)
    return found
