"""--no-cache and LKM_CACHE=off: the same is said, and nothing is remembered."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lkm.cli.definitions import definition
from lkm.cli.main import DROP_INS, VERBS
from tests.builders.tree import RELEASE
from tests.builders.vmlinux import an_elf_kernel
from tests.cli.running import Ran, lkm
from tests.kernel.images import saved_facts

# Those that are about no kernel.
WITHOUT = ("completion", "install-links", "man", "schema")

COMMANDS = {
    "find": ("find", "--author", "body", "--root", "{root}"),
    "signer": ("find", "--signer", "*", "--root", "{root}"),
    "depmod": ("depmod", "-n", "-b", "{root}", RELEASE),
    "modprobe": ("modprobe", "-d", "{root}", "-S", RELEASE, "-D", "vfat"),
    "modinfo": ("modinfo", "-b", "{root}", "-k", RELEASE, "vfat"),
    "kallsyms": ("kallsyms", "--vmlinux", "{root}/boot/image"),
    "kconfig": ("kconfig", "--vmlinux", "{root}/boot/image"),
    "sandbox": ("sandbox", "boot", "--root", "{root}", "--vmlinux", "{root}/boot/image"),
    "on the sandbox": ("lsmod", "--on", "sandbox"),
    "kmod": ("kmod", "static-nodes", "--on", "sandbox"),
    "kernels": ("kernels", "--root", "{root}"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where facts would be remembered, also those of files made just now."""
    folder = tmp_path / "facts"
    monkeypatch.setenv("LKM_CACHE", str(folder))
    monkeypatch.setattr("lkm.tree.memory.tree_cache.SETTLING_NS", -60 * 1_000_000_000)
    monkeypatch.setattr("lkm.cache.SETTLING_NS", -60 * 1_000_000_000)
    return folder


@pytest.fixture
def bare(root: Path) -> Path:
    """Return a root whose kernel has an image with facts, and no indexes."""
    tree = root / "lib/modules" / RELEASE
    for name in os.listdir(tree):
        if name.endswith(".bin") or name in ("modules.dep", "modules.alias", "modules.symbols"):
            (tree / name).unlink()
    (root / "boot").mkdir()
    (root / "boot/image").write_bytes(saved_facts(release=RELEASE))
    return root


def said(ran: Ran) -> tuple[int, str, str]:
    return ran.status, ran.out, ran.err


@pytest.mark.parametrize("name", COMMANDS)
def test_without_the_cache_the_same_is_said_and_no_folder_touched(
    name: str, bare: Path, folder: Path
) -> None:
    words = [word.format(root=bare) for word in COMMANDS[name]]
    assert lkm("--no-cache", "sandbox", "status").status == 0  # it has booted, and said so
    runs = [
        lkm(words[0], "--no-cache", *words[1:]),
        lkm("--no-cache", *words),
        lkm(*words, "--no-cache"),
        lkm(*words, env={"LKM_CACHE": "off"}),
    ]
    assert not folder.exists()
    runs += [lkm(*words), lkm(*words), lkm("--no-cache", *words)]

    assert all(said(ran) == said(runs[0]) for ran in runs[1:])
    assert runs[0].status in (0, 1, 3)
    assert "--no-cache" not in runs[1].err


def test_what_could_be_remembered_is_remembered(bare: Path, folder: Path) -> None:
    assert lkm("find", "--author", "body", "--root", str(bare)).status == 0

    assert any(each.name.startswith("scan-") for each in folder.iterdir())


@pytest.mark.parametrize("name", [*DROP_INS, *VERBS])
def test_every_command_about_a_kernel_takes_it(name: str) -> None:
    command = definition(name)
    keys = {option.key for option in command.options}

    assert ("no_cache" in keys) == (name not in WITHOUT)
    assert all("no_cache" in {one.key for one in each.options} for each in command.actions)


def test_alone_it_is_no_command() -> None:
    ran = lkm("--no-cache")

    assert (ran.status, ran.out) == (2, "")
    assert "no command follows" in ran.err


def test_completion_knows_it_before_the_command_and_behind_it() -> None:
    for words in (("lkm", "--no"), ("lkm", "find", "--no"), ("lkm", "depmod", "--no-c")):
        ran = lkm("complete", "fish", str(len(words) - 1), *words)
        assert "--no-cache\t" in ran.out, words
    ran = lkm("complete", "fish", "3", "lkm", "--no-cache", "kernels", "--on")
    assert "--on" in ran.out


def test_a_kernel_that_is_booted_is_read_once(root: Path, folder: Path) -> None:
    image = root / "image"
    image.write_bytes(an_elf_kernel(banner=f"Linux version {RELEASE} (test)"))
    words = ("sandbox", "boot", "--root", str(root), "--vmlinux", str(image))

    assert lkm(*words, "--no-cache").status == 0
    assert not folder.exists()
    assert lkm(*words).status == 0

    assert [each.name for each in folder.iterdir() if each.name.startswith("vmlinux-")]
