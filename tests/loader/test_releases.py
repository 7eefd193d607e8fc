"""The table of what differs between releases."""

from __future__ import annotations

from lkm.loader import releases
from lkm.loader.releases import CHANGES, Change


def test_the_table_has_every_change_the_oldest_first() -> None:
    every = [value for value in vars(releases).values() if isinstance(value, Change)]

    assert len(CHANGES) == len(every)
    assert set(CHANGES) == set(every)
    assert [change.since for change in CHANGES] == sorted(change.since for change in CHANGES)
