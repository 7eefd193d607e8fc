"""Every row of docs/loader.md, and every id of a check, names what holds it; and that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lkm.loader.check_ids import CHECK_IDS
from tests.outcomes.cases import CASES

ROOT = Path(__file__).parent.parent.parent
ROW = re.compile(
    r"^\| (?P<row>[a-z0-9]+) \| (?P<id>[^|]*) \| (?P<what>[^|]*) \| (?P<held>[^|]*) \|$"
)


def rows() -> dict[str, tuple[str, list[str]]]:
    """Return id and tests of each row."""
    found: dict[str, tuple[str, list[str]]] = {}
    for line in (ROOT / "docs/loader.md").read_text().splitlines():
        match = ROW.match(line)
        if match and match["row"] != "row":
            assert match["row"] not in found, f"row {match['row']} stands there twice"
            found[match["row"]] = match["id"].strip("` "), match["held"].split()
    return found


@pytest.mark.parametrize("row", list(rows()))
def test_a_row_names_tests_and_they_are_there(row: str) -> None:
    _id, held = rows()[row]

    assert held
    for word in held:
        path, _colons, name = word.partition("::")
        if name:
            assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.M), word
        else:
            assert word in CASES


def test_every_id_of_a_check_has_a_row_and_no_row_has_another() -> None:
    named = {id_ for id_, _held in rows().values()} - {"-"}

    assert named == CHECK_IDS


def test_every_id_is_used_by_the_engine_and_in_one_place_of_the_list() -> None:
    sources = "".join(
        path.read_text()
        for path in sorted((ROOT / "src/lkm/loader").rglob("*.py"))
        if path.name != "check_ids.py"
    )

    assert [name for name in CHECK_IDS if f'"{name}"' not in sources] == []
