"""Rules of the house that no linter knows."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST_FILE_LINES = 400
SOURCES = sorted((ROOT / "src/lkm").rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_a_file_can_be_held_in_mind(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_FILE_LINES


def test_no_room_is_called_after_nothing() -> None:
    nothing = {"utils", "helpers", "common", "base", "misc", "manager"}

    assert not [path for path in SOURCES if path.stem in nothing or path.parent.name in nothing]
