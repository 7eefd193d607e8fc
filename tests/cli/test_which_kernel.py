"""The options that say which kernel is meant, in lkm find and lkm kallsyms."""

from __future__ import annotations

import json
import os
import shutil
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


@pytest.fixture
def fetched(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the kernel under ``root`` where fetched ones lie; return its new root."""
    monkeypatch.setenv("LKM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LKM_STATE", str(tmp_path / "sandbox"))
    place = tmp_path / "data/kernels" / RELEASE
    place.parent.mkdir(parents=True)
    shutil.move(root, place)
    (place / "boot").mkdir()
    (place / f"boot/config-{RELEASE}").write_text("CONFIG_MODULES=y\n")
    return place


@pytest.mark.parametrize("option", ["--release", "--kernel"])
def test_a_fetched_kernel_is_found_by_its_release(fetched: Path, option: str) -> None:
    ran = lkm("find", "vfat", option, RELEASE, "--json")
    assert ran.status == 0, ran.err
    (module,) = json.loads(ran.out)["modules"]
    assert module["file"].startswith(str(fetched))
    assert lkm("kconfig", option, RELEASE).out.startswith(f"# {RELEASE}, from {fetched}/boot")
    assert lkm("--on", "sandbox", "find", "vfat", option, RELEASE).status == 0


def test_a_sandbox_boots_a_fetched_kernel_and_the_lesson_looks_there(fetched: Path) -> None:
    ran = lkm("sandbox", "boot", "--release", RELEASE, "--json")
    assert (ran.status, json.loads(ran.out)["root"]) == (0, str(fetched)), ran.err

    assert "lacks modules that the lesson loads" in lkm("tour", "--release", RELEASE).err


@pytest.mark.usefixtures("fetched")
def test_another_root_and_kmods_commands_do_not_know_fetched_kernels() -> None:
    assert lkm("find", "vfat", "--root", "/", "--release", RELEASE).status == 3
    assert lkm("sandbox", "boot", "--root", "/", "--release", RELEASE).status == 3
    assert lkm("modinfo", "-k", RELEASE, "vfat").status == 1
    assert lkm("modprobe", "-S", RELEASE, "-D", "vfat").status == 1


def test_an_unknown_release_is_told_those_that_were_fetched(fetched: Path) -> None:
    del fetched
    ran = lkm("find", "vfat", "--release", "9.9")
    assert (ran.status, f"fetched: {RELEASE}" in ran.err) == (3, True)


def test_fetched_kernels_are_listed_with_a_mark_and_their_roots(fetched: Path) -> None:
    ran = lkm("kernels")
    assert ran.status == 0
    mark, release, *_, config = ran.out.splitlines()[-1].split()
    assert (mark, release, config) == ("+", RELEASE, f"{fetched}/boot/config-{RELEASE}")

    last = json.loads(lkm("kernels", "--json").out)["kernels"][-1]
    assert (last["release"], last["root"], last["running"]) == (RELEASE, str(fetched), False)
    assert str(fetched) not in lkm("kernels", "--root", "/").out


@pytest.mark.usefixtures("fetched")
def test_the_shell_offers_fetched_kernels_to_lkms_own_verbs() -> None:
    def offered(*words: str) -> str:
        return lkm("complete", "fish", str(len(words) + 1), "lkm", *words, "").out

    assert RELEASE in offered("find", "--release")
    assert RELEASE not in offered("modinfo", "-k")
