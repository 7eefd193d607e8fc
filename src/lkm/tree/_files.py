"""Read whole small files of a tree."""

from __future__ import annotations

import os

from lkm.errors import FileError


def read(path: str) -> bytes:
    """Return the bytes of the file at *path*. Raises ``FileError``."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            return file.read()
    except OSError as problem:
        raise FileError.from_os("read", path, problem) from problem


def read_if_there(path: str) -> bytes | None:
    """Return the bytes of the file at *path*, or None where there is none. Raises ``FileError``."""
    try:
        return read(path)
    except FileError as problem:
        if isinstance(problem.__cause__, (FileNotFoundError, NotADirectoryError)):
            return None
        raise
