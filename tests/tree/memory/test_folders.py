"""What is remembered of folders never hides what has changed in them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lkm.cache import Cache
from lkm.tree.memory.folders import Folders
from lkm.tree.scan.walking import walk

NOW = -60 * 1_000_000_000


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lkm.tree.memory.tree_cache.SETTLING_NS", NOW)
    monkeypatch.setattr("lkm.cache.SETTLING_NS", NOW)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for path in ("kernel/fs/a.ko", "kernel/fs/b.ko.xz", "kernel/net/c.ko", "kernel/net/notes.txt"):
        file = tmp_path / "tree" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path / "tree"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(str(tmp_path / "cache"))


def remembered_walk(tree: Path, cache: Cache) -> tuple[str, ...]:
    folders = Folders(cache, str(tree))
    found = walk(str(tree), folders=folders)
    folders.remember()
    assert found == walk(str(tree))
    return found.paths


def test_a_remembered_walk_finds_the_same(tree: Path, cache: Cache) -> None:
    assert remembered_walk(tree, cache) == remembered_walk(tree, cache)
    assert len(remembered_walk(tree, cache)) == 3


def test_folders_that_have_not_changed_are_not_read(
    tree: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    remembered_walk(tree, cache)
    read: list[str] = []
    scandir = os.scandir

    def watched(path: str) -> os._ScandirIterator[str]:
        read.append(os.path.basename(path.rstrip("/")))
        return scandir(path)

    (tree / "kernel/fs/new.ko").touch()
    monkeypatch.setattr("lkm.tree.scan.walking.os.scandir", watched)
    folders = Folders(cache, str(tree))

    found = walk(str(tree), folders=folders)

    assert read == ["tree", "fs"]
    assert len(found.paths) == 4


def test_what_comes_goes_and_is_renamed_is_seen(tree: Path, cache: Cache) -> None:
    remembered_walk(tree, cache)
    (tree / "kernel/fs/a.ko").rename(tree / "kernel/net/z.ko")
    assert len(remembered_walk(tree, cache)) == 3
    (tree / "kernel/new").mkdir()
    (tree / "kernel/new/n.ko").touch()
    assert len(remembered_walk(tree, cache)) == 4
    (tree / "kernel/net").rename(tree / "kernel/network")
    assert len(remembered_walk(tree, cache)) == 4
    (tree / "kernel/fs/b.ko.xz").unlink()
    (tree / "kernel/fs").rmdir()
    (tree / "kernel/fs").touch()
    assert len(remembered_walk(tree, cache)) == 3


def test_a_folder_with_a_link_is_looked_at_each_time(tree: Path, cache: Cache) -> None:
    target = tree.parent / "elsewhere"
    target.mkdir()
    (tree / "kernel/net/link").symlink_to(target)
    assert len(remembered_walk(tree, cache)) == 3

    target.rmdir()
    target.touch()
    (tree / "kernel/net/link").rename(tree / "kernel/net/link.ko")
    assert len(remembered_walk(tree, cache)) == 4
    target.unlink()
    assert len(remembered_walk(tree, cache)) == 3


def test_a_folder_that_has_just_changed_is_not_remembered(
    tree: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lkm.tree.memory.tree_cache.SETTLING_NS", 2_000_000_000)

    remembered_walk(tree, cache)

    assert Folders(cache, str(tree)).names(f"{tree}/kernel/fs/") is None
