"""modprobe -R of many words."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lkm.tree.trie import index, match
from lkm.tree.trie.writer import build_index
from tests.builders.elf import a_module
from tests.builders.tree import RELEASE, a_root
from tests.cli.running import lkm
from tests.tree.users import a_shared_folder, not_root

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lkm.tree.trie.nodes import Nodes
    from lkm.tree.trie.reached import Found

_KEY_BYTES = 100


def test_many_words_are_told_of_in_their_order_files_among_them(tmp_path: Path) -> None:
    root = a_root(tmp_path, {"kernel/one.ko": a_module(name="one", modinfo=["alias=al:*"])})
    file = str(root / "lib/modules" / RELEASE / "kernel/one.ko")
    assert lkm("depmod", "-b", str(root), RELEASE).status == 0
    words = ["al:x", file, "nosuch", "one", "/none.ko", "al:x"]

    ran = lkm("modprobe", "-d", str(root), "-S", RELEASE, "-C", str(tmp_path), "-aR", *words)

    assert ran.out == "one\n" * 4
    assert [line.split()[1:3] for line in ran.err.splitlines()] == [
        ["WARNING:", "Module"],
        ["WARNING:", "Failed"],
    ]


def test_what_cannot_be_read_keeps_nothing_back_of_what_was_found_before(tmp_path: Path) -> None:
    with a_shared_folder(tmp_path) as root:
        directory = root / "lib/modules" / RELEASE
        directory.mkdir(parents=True)
        (directory / "modules.dep.bin").write_bytes(build_index([("one", "one.ko:", 0)]))
        (directory / "modules.alias").touch(mode=0)
        with not_root():
            ran = lkm("modprobe", "-d", str(root), "-S", RELEASE, "-aR", "one", "al:x", "one")

    assert ran.status == 1
    assert ran.out == "one\n"
    assert "modules.alias" in ran.err


def test_an_index_that_nothing_can_replace_is_walked_once_for_all_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "lib/modules" / RELEASE
    directory.mkdir(parents=True)
    (directory / "modules.dep.bin").write_bytes(build_index([("one", "one.ko:", 0)]))
    loop = struct.pack(">III", 0xB007F457, 0x0002_0001, 0x2000_000C) + b"**"
    (directory / "modules.alias.bin").write_bytes(loop + struct.pack(">I", 0x2000_000C))
    # Two keys of the text have more in common below a star than a walk goes along with.
    monkeypatch.setattr(match, "KEY_BYTES", _KEY_BYTES)
    long = "*" + "x" * (_KEY_BYTES + 1)
    lines = f"alias {long}a one\nalias {long}b one\n"
    (directory / "modules.alias").write_text(lines)
    walks = 0

    def counted(nodes: Nodes, root: int, texts: Iterable[bytes]) -> list[Found]:
        nonlocal walks
        walks += 1
        return found_each(nodes, root, texts)

    found_each = match.match_each
    monkeypatch.setattr(index, "match_each", counted)
    words = ["one", "one", *(f"{'x' * (_KEY_BYTES + 2)}{number}" for number in range(9)), "one"]

    ran = lkm("modprobe", "-d", str(tmp_path), "-S", RELEASE, "-C", str(tmp_path), "-aR", *words)

    assert ran.out == "one\n" * 2
    assert "a key without end" in ran.err
    assert walks == 2  # of the file, and of what its text makes
