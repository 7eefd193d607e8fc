"""The teaching kernel, as several tests see it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.teaching import RELEASE, teaching_root


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(teaching_root())


@pytest.fixture(scope="session")
def tree(root: Path) -> Path:
    return root / "lib/modules" / RELEASE


@pytest.fixture(scope="session")
def files(tree: Path) -> tuple[Path, ...]:
    """Return its module files, sorted."""
    return tuple(sorted(tree.rglob("*.ko")))
