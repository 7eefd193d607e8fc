"""Files of the host that come along because a user names them: folders, and words of a command.

They lie in the guest where they lie here, so that a path means the same in both.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence

from lkm.errors import FileError, LabError, UsageError
from lkm.lab.contents.files import Files, entries_below, is_hosts_own
from lkm.lab.contents.programs import add_libraries, add_program
from lkm.names import is_module_file

# A word may name a file by chance; a large one has to be meant.
_LARGEST_BY_NAME = 64 << 20
# What the kernel reads of a script to find its interpreter (BINPRM_BUF_SIZE).
_LONGEST_FIRST_LINE = 256
_GUESTS_PATH = ("/usr/bin", "/usr/sbin")


def add_folder(files: Files, folder: str) -> None:
    """Put *folder*, or a single file, into *files*. Raises ``FileError``, and as below."""
    check_folder(folder)
    path = _absolute(folder)
    if os.path.isdir(path):
        files.copy_tree(path)
    else:
        files.copy(path)
        _add_interpreter(files, path)


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


def files_named(command: Sequence[str]) -> tuple[str, ...]:
    """Return the paths of the files that *command* names, each once.

    Any word may be a file; of what a shell is given as one word, as ``insmod ./a.ko && lsmod``,
    those parts may that have a slash or are called as module files are. What is large, cannot be
    read, or is the host kernel's own, is left out.
    """
    words = [part for word in command for part in (word, *_parts(word))]
    return tuple(dict.fromkeys(_absolute(word) for word in words if word and _is_meant(word)))


def _parts(word: str) -> list[str]:
    """Return what in *word*, a line for a shell, may be the path of a file."""
    if not any(character.isspace() for character in word):
        return []
    reader = shlex.shlex(word, posix=True, punctuation_chars=True)
    reader.whitespace_split = True
    try:
        return [part for part in reader if "/" in part or is_module_file(part)]
    except ValueError:
        return []  # a quote without an end


def _is_meant(word: str) -> bool:
    path = _absolute(word)
    try:
        return (
            not is_hosts_own(path)
            and os.path.isfile(path)
            and os.path.getsize(path) <= _LARGEST_BY_NAME
            and os.access(path, os.R_OK)
        )
    except OSError:
        return False  # it has just gone


def add_named(files: Files, command: Sequence[str]) -> tuple[str, ...]:
    """Put the files into *files* that *command* names; return their paths.

    What the guest has at such a path stays. A program gets its libraries, a script what runs it.
    """
    found = [path for path in files_named(command) if path not in files]
    for path in found:
        files.copy(path)
        if os.access(path, os.X_OK):
            add_libraries(files, path)
        _add_interpreter(files, path)
    return tuple(found)


def _add_interpreter(files: Files, path: str) -> None:
    """Put the program into *files* that runs the script at *path*, where the guest has none."""
    words = _first_line(path)
    if not words or not words[0].startswith("/"):
        return
    if os.path.isfile(words[0]) and words[0] not in files:
        add_program(files, words[0])
    if os.path.basename(words[0]) != "env":
        return
    name = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), "")
    source = shutil.which(name)
    there = any(f"{folder}/{name}" in files for folder in _GUESTS_PATH)
    if source is not None and not there:
        add_program(files, source, f"{_GUESTS_PATH[0]}/{os.path.basename(name)}")


def _first_line(path: str) -> list[str]:
    """Return the words behind the ``#!`` of a script, none for another file."""
    try:
        with open(path, "rb") as file:
            line = file.readline(_LONGEST_FIRST_LINE)
    except OSError as error:
        raise FileError.from_os("read", path, error) from None
    return os.fsdecode(line[2:]).split() if line.startswith(b"#!") else []


def _absolute(path: str) -> str:
    # Python keeps two slashes at the beginning, which POSIX leaves open the meaning of.
    return "/" + os.path.abspath(path).lstrip("/")
