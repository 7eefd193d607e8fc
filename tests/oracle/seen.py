"""What can be seen of one run of a program, and where two runs differ."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lkm.errors import FormatError
from lkm.tree.trie.index import TrieIndex


@dataclass(frozen=True)
class Seen:
    """What can be seen of one run. *files* are by their paths in the root, folders among them."""

    status: int
    out: bytes
    err: bytes
    calls: tuple[str, ...]
    files: Mapping[str, object]
    modes: Mapping[str, str]


def problems_between(lkm: Seen, kmod: Seen) -> tuple[str, ...]:
    """Return what of *lkm*'s run is not *kmod*'s, in words."""
    problems = [
        f"{what}: kmod {theirs!r}, lkm {mine!r}"
        for what, theirs, mine in (
            ("status", kmod.status, lkm.status),
            ("stdout", kmod.out, lkm.out),
            ("stderr", kmod.err, lkm.err),
            ("calls", kmod.calls, lkm.calls),
        )
        if theirs != mine
    ]
    for name in sorted({*kmod.files, *lkm.files}):
        theirs, mine = kmod.files.get(name), lkm.files.get(name)
        if theirs != mine:
            problems.append(f"file {name}: kmod {theirs!r:.400}, lkm {mine!r:.400}")
        elif kmod.modes[name] != lkm.modes[name]:
            problems.append(f"mode of {name}: kmod {kmod.modes[name]}, lkm {lkm.modes[name]}")
    return tuple(problems)


def files_in(root: Path) -> tuple[dict[str, object], dict[str, str]]:
    """Return what lies in *root* that is not the machine's own, and the modes of all that.

    Of a file it is the bytes, of an index its entries, of a folder and of a link a word.
    """
    found: dict[str, object] = {}
    modes: dict[str, str] = {}
    todo = [str(root)]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                if entry.is_symlink() and os.readlink(entry.path).startswith("/host/"):
                    continue
                inside = entry.path.removeprefix(f"{root}/")
                found[inside] = _content(entry)
                modes[inside] = f"{entry.stat(follow_symlinks=False).st_mode:o}"
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
    return found, modes


def _content(entry: os.DirEntry[str]) -> object:
    if entry.is_symlink():
        return f"-> {os.readlink(entry.path)}"
    if not entry.is_file():
        return "a folder" if entry.is_dir() else "a node"
    data = Path(entry.path).read_bytes()
    return _index(data) if entry.name.endswith(".bin") else data


def _index(data: bytes) -> object:
    # A case may have broken one, and kmod leaves one without a source empty, without a header.
    try:
        return tuple(TrieIndex.from_bytes(data).items())
    except FormatError:
        return data
