"""Read whole small files of a tree."""

from __future__ import annotations

import errno
import os

from lkm.errors import FileError

_KIND, _REGULAR = 0o170000, 0o100000  # of st_mode; the module `stat` would be one import more


def read(path: str) -> bytes:
    """Return the bytes of the file at *path*. Raises ``FileError``, also for a pipe or a device."""
    try:
        # O_NONBLOCK, since to open a pipe would else be to wait for who writes into it.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            if os.fstat(descriptor).st_mode & _KIND == _REGULAR:
                return file.read()
    except OSError as problem:
        raise FileError.from_os("read", path, problem) from problem
    raise FileError("read", path, errno.EINVAL, "it is no ordinary file")


def read_if_there(path: str) -> bytes | None:
    """Return the bytes of the file at *path*, or None where there is none. Raises ``FileError``."""
    try:
        return read(path)
    except FileError as problem:
        if isinstance(problem.__cause__, (FileNotFoundError, NotADirectoryError)):
            return None
        raise
