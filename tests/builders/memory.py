"""Have files be remembered that were made just now, and tell which of them are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.tree.scan import reading


def settle_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have files count as settled at once: each is another file after a change in these tests."""
    monkeypatch.setattr("lkm.tree.memory.tree_cache.SETTLING_NS", -60 * 1_000_000_000)
    monkeypatch.setattr("lkm.cache.SETTLING_NS", -60 * 1_000_000_000)


def watched_scans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the files that are scanned from now on, as they are."""
    paths: list[str] = []
    share = reading.scan_share

    def watched(wanted: list[str], with_crcs: bool) -> list[object]:
        paths.extend(Path(path).name for path in wanted)
        return [*share(wanted, with_crcs)]

    monkeypatch.setattr("lkm.tree.scan.reading.scan_share", watched)
    return paths
