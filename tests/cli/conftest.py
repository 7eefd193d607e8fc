"""A small kernel on disk, indexed by lkm, and a sandbox of its own for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders.tree import RELEASE, a_root
from tests.cli.running import lkm


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a root folder whose only kernel has the quartet and one built-in, indexed."""
    made = a_root(
        tmp_path / "root",
        builtin={"kernel/fs/ext-two.ko": ["alias=fs-ext2", "license=GPL", "parm=quick:Be quick"]},
    )
    ran = lkm("depmod", "-b", str(made), RELEASE)
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    return made


@pytest.fixture
def sandbox(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Boot a sandbox on ``root``; return ``root``."""
    monkeypatch.setenv("LKM_STATE", str(tmp_path / "sandbox"))
    ran = lkm("sandbox", "boot", "--root", str(root))
    assert ran.status == 0, ran.err
    return root
