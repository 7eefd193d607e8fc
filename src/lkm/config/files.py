r"""Which configuration files there are, in what order, and what a line of one is.

Both modprobe.d and depmod.d are read this way: of two files with the same name the directory named
first wins; then all files are read in byte order of their names.

Source: kmod, libkmod/libkmod-config.c; modprobe.d(5); shared/util.c (lines that a backslash joins).
"""

from __future__ import annotations

import os

from lkm import _text
from lkm._value import Value
from lkm.config.directives import Complaint, Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final, Literal

DIRECTORIES = ("etc", "run", "usr/local/lib", "usr/lib", "lib")


class ConfigFiles(Value):
    """The files to read, in reading order, and complaints about entries that are none."""

    __slots__ = ("complaints", "paths")

    def __init__(self, paths: tuple[str, ...], complaints: tuple[Complaint, ...] = ()) -> None:
        self.paths: Final = paths
        self.complaints: Final = complaints


class LogicalLine(Value):
    """A line after joining: its *text*, and the *first* and *last* line of the file it spans."""

    __slots__ = ("first", "last", "text")

    def __init__(self, first: int, last: int, text: str) -> None:
        self.first: Final = first
        self.last: Final = last
        self.text: Final = text


def config_files(
    root: str, kind: Literal["modprobe.d", "depmod.d"], *, extra: Iterable[str] = ()
) -> ConfigFiles:
    """List the configuration files under *root*, in reading order.

    *extra* are paths that take their part in the order by their names, as the module tree's
    ``modules.softdep`` does.
    """
    directories = [os.path.join(root or "/", place, kind) for place in DIRECTORIES]
    return files_of_paths(directories, extra=extra)


def files_of_paths(paths: Iterable[str], *, extra: Iterable[str] = ()) -> ConfigFiles:
    """List the files that *paths* name, each a directory of ``*.conf`` or a file by any name.

    What does not exist is passed over.
    """
    found: dict[str, str] = {}
    complaints: list[Complaint] = []
    for path in paths:
        if os.path.isdir(path):
            _add_directory(path, found, complaints)
        elif os.path.exists(path):
            found.setdefault(path.rpartition("/")[2], path)
    for path in extra:
        found.setdefault(path.rpartition("/")[2], path)
    names = sorted(found, key=_text.encode)
    return ConfigFiles(tuple([found[name] for name in names]), tuple(complaints))


def _add_directory(directory: str, found: dict[str, str], complaints: list[Complaint]) -> None:
    try:
        names = os.listdir(directory)
    except OSError:  # unreadable counts as empty, as in kmod
        return
    for name in sorted(names):
        if name.startswith(".") or not name.endswith(".conf") or len(name) < len("x.conf"):
            continue
        path = f"{directory}/{name}"
        if os.path.isdir(path):
            text = f"Directories inside directories are not supported: {path}"
            complaints.append(
                Complaint(
                    Source(path, 0),
                    name,
                    "a directory inside a configuration directory is not read",
                    f"libkmod: ERROR: conf_files_filter_out: {text}",
                )
            )
            continue
        found.setdefault(name, path)


def logical_lines(text: str) -> tuple[LogicalLine, ...]:
    r"""Split *text* into lines, joined and unquoted, without the empty ones and the comments.

    A backslash at the end of a line joins the next one to it; before any other character it only
    vanishes. A ``#`` makes a comment only where it comes first, so an indented one does not.
    """
    lines: list[LogicalLine] = []
    number = 0
    physical = text.split("\n")
    if not physical[-1]:
        physical.pop()
    while number < len(physical):
        first = number + 1
        line = physical[number]
        number += 1
        if "\\" in line:
            line, number = _joined(physical, number)
        # kmod holds a line as a C string: a NUL ends it.
        line = line.partition("\0")[0]
        if line.strip(" \t") and not line.startswith("#"):
            lines.append(LogicalLine(first, number, line))
    return tuple(lines)


def _joined(physical: list[str], number: int) -> tuple[str, int]:
    """Return the logical line that ends before line index *number* or later, and where it ends."""
    parts: list[str] = []
    while True:
        unquoted, open_ended = _unquoted(physical[number - 1])
        parts.append(unquoted)
        if not open_ended or number >= len(physical):
            return "".join(parts), number
        number += 1


def _unquoted(line: str) -> tuple[str, bool]:
    """Return *line* without its backslashes, and whether one at its end asks for the next."""
    pieces = line.split("\\")
    kept = [pieces[0]]
    index = 1
    while index < len(pieces):
        piece = pieces[index]
        if not piece and index + 1 < len(pieces):  # two in a row: the second one stays
            kept.append("\\" + pieces[index + 1])
            index += 2
            continue
        if not piece:
            return "".join(kept), True
        kept.append(piece)
        index += 1
    return "".join(kept), False


def read_text(path: str) -> str | None:
    """Return what *path* holds, or None where it cannot be read; kmod passes over such a file."""
    try:
        with open(path, "rb") as file:
            return _text.decode(file.read())
    except OSError:
        return None
