"""Every row of docs/loader.md, and every id of a check, names what holds it; and that is there.

That the named cases come to the check of their row holds ``tests/outcomes/test_rows.py``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from lkm.loader.check_ids import CHECK_IDS
from tests.outcomes.cases import CASES

ROOT = Path(__file__).parent.parent.parent
ROW = re.compile(
    r"\| (?P<row>[a-z]?[0-9]+[a-z]?) \| (-|`(?P<id>[a-z-]+)`) \| [^|]+ \| (?P<held>[^|]+) \|"
)
HEAD = re.compile(r"\| row \| id \| [^|]+ \| held by \||\|---\|---\|---\|---\|")


@dataclass(frozen=True)
class Row:
    """A row: the check's *id*, empty for none, and the words that say what holds it."""

    id: str
    held: tuple[str, ...]


def table_lines() -> list[str]:
    """Return every line of a table, but for the heads."""
    lines = (ROOT / "docs/loader.md").read_text().splitlines()
    return [line for line in lines if line.lstrip().startswith("|") and not HEAD.fullmatch(line)]


def rows() -> dict[str, Row]:
    """Return the rows, by their names."""
    found = [match for line in table_lines() if (match := ROW.fullmatch(line))]
    return {match["row"]: Row(match["id"] or "", tuple(match["held"].split())) for match in found}


def test_every_line_of_a_table_is_a_row_with_a_name_of_its_own() -> None:
    assert [line for line in table_lines() if not ROW.fullmatch(line)] == []
    assert len(rows()) == len(table_lines()) > 90


@pytest.mark.parametrize("row", list(rows()))
def test_a_row_names_tests_and_they_are_there(row: str) -> None:
    for word in rows()[row].held:
        path, _colons, name = word.partition("::")
        if name:
            assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.M), word
        else:
            assert word in CASES


def test_every_id_of_a_check_has_a_row_and_no_row_has_another() -> None:
    assert {row.id for row in rows().values()} - {""} == CHECK_IDS


def test_every_id_is_used_by_the_engine_and_in_one_place_of_the_list() -> None:
    sources = "".join(
        path.read_text()
        for path in sorted((ROOT / "src/lkm/loader").rglob("*.py"))
        if path.name != "check_ids.py"
    )

    assert [name for name in CHECK_IDS if f'"{name}"' not in sources] == []
