"""Every input that was once a defect: it is told now, and nothing else happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.inputs import Input
from tests.fuzz.running import try_alone
from tests.fuzz.targets import TARGETS

_FOLDER = Path(__file__).parent / "regressions"
_FILES = sorted(path for path in _FOLDER.glob("*/*") if path.is_file())


def test_there_are_some() -> None:
    assert _FILES


@pytest.mark.parametrize("path", _FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_a_defect_is_none_now(path: Path) -> None:
    data = Input(path.name.partition("@")[2], path.read_bytes())

    seen = try_alone(TARGETS[path.parent.name], data, hang_s=20)

    assert seen.problem == ""
    assert not seen.too_large
