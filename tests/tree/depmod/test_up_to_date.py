"""What depmod -A takes for a reason to write the indexes anew."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lkm.tree.depmod.indexes import build_indexes, write_indexes
from lkm.tree.depmod.up_to_date import is_up_to_date
from tests.tree.trees import a_tree, chained

NOW_S = int(time.time())


def an_indexed_tree(root: Path) -> Path:
    """Return a tree whose indexes are ten seconds younger than all else."""
    directory = a_tree(root, chained({"a": ["b"], "b": []}))
    write_indexes(build_indexes(str(directory)).files, str(directory))
    for path in (*directory.rglob("*"), directory):
        given = path.suffix == ".ko" or path.is_dir()
        aged(path, -20 if given else -10)
    return directory


def aged(path: Path, seconds: float) -> None:
    moment = NOW_S * 1_000_000_000 + int(seconds * 1_000_000_000)
    os.utime(path, ns=(moment, moment))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])
    aged(path, -10)


def zeroed(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-8] + bytes(8))
    aged(path, -10)


def linked(directory: Path) -> None:
    more = directory.parent / "more"
    more.mkdir()
    (more / "c.ko").write_bytes(b"")
    (directory / "kernel/more").symlink_to(more)
    aged(more, -20)
    aged(directory / "kernel", -20)


STALE: dict[str, Callable[[Path], object]] = {
    "a module": lambda tree: aged(tree / "kernel/a.ko", -9.999999999),
    "a module in a folder that a link leads to": linked,
    "a folder, from which a module may be gone": lambda tree: aged(tree / "kernel", -9),
    "an index is missing": lambda tree: (tree / "modules.symbols.bin").unlink(),
    "an index is something else": lambda tree: (tree / "modules.alias.bin").write_text("x" * 20),
    "an index is cut off": lambda tree: cut(tree / "modules.dep.bin"),
    "the end of an index was never written": lambda tree: zeroed(tree / "modules.symbols.bin"),
    "no modules.dep": lambda tree: (tree / "modules.dep").unlink(),
}


@pytest.mark.parametrize("change", STALE.values(), ids=STALE.keys())
def test_what_makes_indexes_stale(tmp_path: Path, change: Callable[[Path], object]) -> None:
    directory = an_indexed_tree(tmp_path)
    assert is_up_to_date(str(directory), str(directory))[0]

    change(directory)

    assert not is_up_to_date(str(directory), str(directory))[0]


FRESH: dict[str, Callable[[Path], object]] = {
    "as old as the indexes": lambda tree: aged(tree / "kernel/a.ko", -10),
    "what the build has left": lambda tree: aged(tree / "modules.order", 0),
    "the tree's own folder": lambda tree: aged(tree, 0),
    "what is no module": lambda tree: (tree / "note.txt").touch(),
    "a module in build": lambda tree: a_tree(tree / "build", chained({"x": []})),
}


@pytest.mark.parametrize("change", FRESH.values(), ids=FRESH.keys())
def test_what_leaves_them_as_they_are(tmp_path: Path, change: Callable[[Path], object]) -> None:
    directory = an_indexed_tree(tmp_path)

    change(directory)

    assert is_up_to_date(str(directory), str(directory))[0]
