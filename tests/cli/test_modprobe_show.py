"""modprobe -R of many words."""

from __future__ import annotations

from pathlib import Path

from lkm.tree.trie.writer import build_index
from tests.builders.elf import a_module
from tests.builders.tree import RELEASE, a_root
from tests.cli.running import lkm
from tests.tree.users import a_shared_folder, not_root


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
