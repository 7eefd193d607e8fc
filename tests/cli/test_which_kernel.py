"""The options that say which kernel is meant, in lkm find and lkm kallsyms."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lkm.kernel.image_facts import read_kernel_facts, write_facts
from lkm.teaching import RELEASE as TAUGHT
from lkm.teaching import teaching_root
from tests.builders.tree import RELEASE
from tests.cli.running import lkm
from tests.kernel.images import SYMBOLS, saved_facts

MAP = "ffffffff81000000 T _text\nffffffff81000010 T only_in_the_map\n"


@pytest.fixture
def facts(root: Path) -> Path:
    """Save facts of the kernel under ``root`` in its boot folder; return the file."""
    (root / "boot").mkdir()
    path = root / f"boot/facts-{RELEASE}"
    path.write_bytes(saved_facts(release=RELEASE))
    return path


def test_the_only_kernel_under_a_root_is_searched(root: Path) -> None:
    named = lkm("find", "vfat", "--root", str(root), "--release", RELEASE)
    assert named.status == 0
    assert lkm("find", "vfat", "--root", str(root)) == named


def test_saved_facts_name_a_kernel_as_its_image_does(root: Path, facts: Path) -> None:
    named = lkm("find", "vfat", "--root", str(root), "--release", RELEASE)
    assert lkm("find", "vfat", "--vmlinux", str(facts), "--root", str(root)) == named
    assert lkm("find", "vfat", "--vmlinux", str(facts)) == named, "its tree lies beside boot"

    assert lkm("kallsyms", "--vmlinux", str(facts)).out.encode() == SYMBOLS.as_text()


def test_an_image_of_another_release_is_an_error(facts: Path) -> None:
    ran = lkm("find", "vfat", "--vmlinux", str(facts), "--release", "6.2.0")
    assert (ran.status, f"is the kernel {RELEASE}, not 6.2.0" in ran.err) == (2, True)


@pytest.mark.usefixtures("facts")
def test_an_installed_kernel_without_image_shows_the_symbols_saved(root: Path) -> None:
    tree = str(root / "lib/modules" / RELEASE)
    for words in (("--root", str(root)), ("--kernel", tree)):
        ran = lkm("kallsyms", *words)
        assert (ran.status, ran.out.encode()) == (0, SYMBOLS.as_text()), ran.err


def test_the_teaching_kernel_shows_its_symbols() -> None:
    ran = lkm("kallsyms", "_printk", "--root", teaching_root(), "--release", TAUGHT)
    assert (ran.status, len(ran.out.splitlines())) == (0, 1), ran.err


def test_a_system_map_is_a_symbol_table_too(root: Path) -> None:
    (root / "boot").mkdir()
    path = root / f"boot/System.map-{RELEASE}"
    path.write_text(MAP)

    assert lkm("kallsyms", "--vmlinux", str(path)).out == MAP
    assert lkm("kallsyms", "--root", str(root), "--release", RELEASE).out == MAP


def test_a_pipe_is_no_image_and_is_not_waited_for(tmp_path: Path) -> None:
    path = str(tmp_path / "pipe")
    os.mkfifo(path)
    ran = lkm("kallsyms", "--vmlinux", path)
    assert (ran.status, "not a regular file" in ran.err) == (3, True)


def test_facts_that_were_saved_are_read_back_whole(facts: Path, tmp_path: Path) -> None:
    written = tmp_path / "written"
    write_facts(read_kernel_facts(str(facts)), str(written))

    assert read_kernel_facts(str(written)) == read_kernel_facts(str(facts))
    assert os.listdir(tmp_path).count("written") == len(list(tmp_path.glob("written*")))
