"""A made-up apt in place of the machine's, and a data folder of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders.apt import MadeUpApt, a_made_up_apt


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeUpApt:
    """Return the only apt that is in PATH, with one kernel of each of two series."""
    made = a_made_up_apt(tmp_path / "apt")
    monkeypatch.setenv("PATH", f"{made.folder}/bin:/usr/bin:/bin")
    monkeypatch.setenv("LKM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    made.add_kernel("6.1.0-9-amd64")
    made.add_kernel("6.12.3+deb12-amd64")
    return made


@pytest.fixture
def kernels(tmp_path: Path) -> Path:
    """Return the folder of the fetched kernels."""
    return tmp_path / "data/kernels"
