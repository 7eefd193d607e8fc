"""lkm and Debian's kmod, run side by side on made-up machines; see README.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.oracle import root
from tests.oracle.cases import Case, cases
from tests.oracle.compare import Comparer, a_folder
from tests.oracle.declared import DIFFERENCES, unused

CASES = cases()
DOCUMENT = Path(__file__).parents[2] / "docs/kmod-differences.md"


@pytest.fixture(scope="module")
def comparer(kmod: Path) -> Iterator[Comparer]:
    if why := root.cannot():
        missing("oracle", why)
    with a_folder() as folder:
        comparer = Comparer(folder, kmod)
        yield comparer
    if len(comparer.compared) == len(CASES):
        assert unused(comparer.used) == [], "declared differences that no case needs"


@pytest.mark.oracle
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_lkm_does_what_kmod_does(case: Case, comparer: Comparer) -> None:
    assert not comparer.compare(case).problems


def test_no_two_cases_are_the_same() -> None:
    names = [case.name for case in CASES]
    assert sorted(set(names)) == sorted(names)


def test_at_least_three_hundred_cases_are_declared() -> None:
    assert len(CASES) >= 300


def test_the_document_has_each_declared_difference_and_no_other() -> None:
    documented = re.findall(r"^### `([\w-]+)`", DOCUMENT.read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(difference.id for difference in DIFFERENCES)


def test_each_defect_that_is_kept_is_pinned_by_cases() -> None:
    kept = DOCUMENT.read_text().partition("## Defects that lkm keeps")[2].partition("\n## ")[0]
    items = kept.split("\n- ")[1:]
    groups = {case.name.removesuffix(f": {case.line}") for case in CASES if not case.differs}

    assert items
    for item in items:
        (pinned,) = re.findall(r"\(`([^`]+)`\)", " ".join(item.split()))
        assert pinned in groups
