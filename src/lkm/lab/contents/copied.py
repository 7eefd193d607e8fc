"""Files of the host that come along because a user names them: folders, and words of a command.

They lie in the guest where they lie here, so that a path means the same in both.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from lkm.errors import FileError, LabError, UsageError
from lkm.lab.contents.files import Files, entries_below, is_hosts_own
from lkm.lab.contents.programs import add_libraries

# A word may name a file by chance; a large one has to be meant.
_LARGEST_BY_NAME = 64 << 20


def add_folder(files: Files, folder: str) -> None:
    """Put *folder*, or a single file, into *files*. Raises ``FileError``, and as below."""
    check_folder(folder)
    path = _absolute(folder)
    if os.path.isdir(path):
        files.copy_tree(path)
    else:
        files.copy(path)


def check_folder(folder: str) -> None:
    """Raise where *folder* is nothing to copy: ``UsageError`` without a name, else ``LabError``."""
    if not folder:
        raise UsageError("there is no folder named '' to copy into a guest")
    path = _absolute(folder)
    real = os.path.realpath(path)
    special = os.path.exists(path) and not (os.path.isdir(path) or os.path.isfile(path))
    if "/" in (path, real) or is_hosts_own(path) or is_hosts_own(real) or special:
        raise LabError(f"{folder} cannot be copied into a guest: it is not a folder of files")


def size_of(path: str) -> int:
    """Return how many bytes the file at *path* holds, or all files below the folder there.

    A file with holes counts in full. Raises ``FileError``.
    """
    path = _absolute(path)
    if os.path.isdir(path):
        below = entries_below(path)
        return sum(_size(each.path) for each in below if each.is_file(follow_symlinks=False))
    return _size(path)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError as error:
        raise FileError.from_os("read", path, error) from None


def add_named(files: Files, command: Sequence[str]) -> tuple[str, ...]:
    """Put the files into *files* that words of *command* name; return their paths.

    What the guest has at such a path stays. A program gets its libraries.
    """
    found: list[str] = []
    for word in command:
        path = _absolute(word)
        if not word or path in files or is_hosts_own(path) or not os.path.isfile(path):
            continue
        if os.path.getsize(path) > _LARGEST_BY_NAME or not os.access(path, os.R_OK):
            continue
        files.copy(path)
        found.append(path)
        if os.access(path, os.X_OK):
            add_libraries(files, path)
    return tuple(found)


def _absolute(path: str) -> str:
    # Python keeps two slashes at the beginning, which POSIX leaves open the meaning of.
    return "/" + os.path.abspath(path).lstrip("/")
