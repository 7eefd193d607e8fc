"""The main job on a real Debian kernel, and what kmod says of the same."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import lkm

pytestmark = [pytest.mark.debian, pytest.mark.oracle]


@pytest.fixture
def booted(
    indexed_root: Path, debian_release: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.setenv("LKM_STATE", str(tmp_path / "sandbox"))
    ran = lkm("sandbox", "boot", "--root", str(indexed_root), "--release", debian_release)
    assert ran.status == 0, ran.err
    return indexed_root


def shown_by_kmod(kmod: Path, root: Path, release: str, name: str) -> list[str]:
    """Return the names of the modules that modprobe -D would insert, in its order."""
    command = [str(kmod.parent / "modprobe"), "-d", str(root), "-S", release, "-D", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    paths = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("insmod")]
    return [Path(path).name.partition(".")[0].replace("-", "_") for path in paths]


@pytest.mark.parametrize("name", ["btrfs", "vfat", "xfs", "overlay", "nf_tables", "fs-btrfs"])
def test_what_is_loaded_is_what_kmod_would_load_and_goes_again(
    booted: Path, debian_release: str, kmod: Path, name: str
) -> None:
    expected = shown_by_kmod(kmod, booted, debian_release, name)
    before = lkm("sandbox", "cat", "/proc/modules").out

    loading = lkm("--on", "sandbox", "modprobe", name)

    assert (loading.status, loading.err) == (0, "")
    loaded = [line.split()[0] for line in lkm("--on", "sandbox", "lsmod").out.splitlines()[1:]]
    assert sorted(loaded) == sorted(set(expected))
    assert loaded[0] == expected[-1]

    # The softdeps and the deepest dependencies that modprobe -r leaves are asked for by name.
    assert lkm("--on", "sandbox", "modprobe", "-r", name).status == 0
    for left in reversed(expected):
        assert lkm("--on", "sandbox", "modprobe", "-r", left).status == 0
    assert lkm("sandbox", "cat", "/proc/modules").out == before == ""


def test_depmod_through_the_command_line_equals_kmods(
    booted: Path, debian_release: str, tmp_path: Path
) -> None:
    ran = lkm("depmod", "-b", str(booted), "-o", str(tmp_path), debian_release)

    assert (ran.status, ran.out, ran.err) == (0, "", "")
    theirs = booted / "lib/modules" / debian_release
    ours = tmp_path / "lib/modules" / debian_release
    for name in ("modules.dep", "modules.alias", "modules.symbols", "modules.softdep"):
        assert (ours / name).read_bytes() == (theirs / name).read_bytes()


def test_the_configuration_is_shown_as_kmod_shows_it(
    booted: Path, debian_release: str, kmod: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.conf").write_text("options vfat x=1\nblacklist fat\nalias a-b c-d\n")
    words = ["-C", str(tmp_path), "-d", str(booted), "-S", debian_release, "-c"]
    done = subprocess.run([str(kmod.parent / "modprobe"), *words], capture_output=True, check=True)

    assert lkm("modprobe", *words).out.encode() == done.stdout


def test_kernels_shows_what_the_kernel_has(booted: Path, debian_release: str) -> None:
    (kernel,) = json.loads(lkm("kernels", "--root", str(booted), "--json").out)["kernels"]

    assert kernel["release"] == debian_release
    assert kernel["modules"] > 1000
    assert kernel["indexes"] == "up to date"
    assert kernel["image"] == str(booted / "boot" / f"vmlinuz-{debian_release}")


FINDS = {
    "by name": (("btrfs",), "btrfs"),
    "by file": (("nf_tables.ko",), "nf_tables"),
    "by description": (("--description", "VFAT filesystem"), "vfat"),
    "by author": (("--author", "gordon chaffee"), "vfat"),
    "by alias": (("--alias", "fs-xfs"), "xfs"),
    "by modalias": (("--modalias", "fs-ext4"), "ext4"),
    "by exported symbol": (("--exports", "fat_attach"), "fat"),
    "by needed symbol": (("--needs", "fat_attach", "v*"), "vfat"),
    "by parameter": (("--parameter", "allow_unsafe_interrupts"), "vfio_iommu_type1"),
    "by path": (("--path", "kernel/fs/fat/vfat"), "vfat"),
    "by firmware": (("--firmware", "JR3PCI.idm"), "jr3_pci"),
    "by licence": (("--license", "Dual MIT/GPL"), "gve"),
    "by signer and name": (("--signer", "build time*", "btrfs"), "btrfs"),
    "a built-in by two criteria": (("--alias", "net-pf-1", "unix"), "unix"),
}
NOTHING = {
    "no such name": ("btrfs-but-not-quite",),
    "one of two criteria fails": ("--description", "VFAT filesystem", "btrfs"),
    "a symbol that nobody offers": ("--exports", "fat_attach_nothing"),
    "a device that nobody drives": ("--modalias", "pci:v0000FFFFd0000FFFF"),
}


@pytest.mark.parametrize("case", FINDS)
def test_find_answers_by_every_criterion(
    indexed_root: Path, debian_release: str, case: str
) -> None:
    words, expected = FINDS[case]

    ran = lkm("find", *words, "--root", str(indexed_root), "--release", debian_release, "--json")

    assert expected in [module["name"] for module in json.loads(ran.out)["modules"]]
    assert (ran.status, ran.err) == (0, "")


@pytest.mark.parametrize("case", NOTHING)
def test_find_says_no_by_its_status(indexed_root: Path, debian_release: str, case: str) -> None:
    ran = lkm("find", *NOTHING[case], "--root", str(indexed_root), "--release", debian_release)

    assert (ran.status, ran.out, ran.err) == (1, "", "")
