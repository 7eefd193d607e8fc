"""What takes a place at once."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from lkm.cli.beside import written_beside
from lkm.errors import FileError


def test_what_is_written_takes_the_place(tmp_path: Path) -> None:
    path = tmp_path / "page"
    path.write_text("old")

    with written_beside(str(path)) as beside:
        Path(beside).write_text("new")
        assert path.read_text() == "old"

    assert (path.read_text(), list(tmp_path.iterdir())) == ("new", [path])


def test_what_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "page"
    path.write_text("old")

    with pytest.raises(FileError) as raised:
        _write_half(path)

    assert (raised.value.errno, raised.value.path) == (errno.ENOSPC, str(path))
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])


def _write_half(path: Path) -> None:
    with written_beside(str(path)) as beside:
        Path(beside).write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
