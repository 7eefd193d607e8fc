"""--on lab: the words that reach the guest, and what they mean there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lkm import cpio
from tests.builders.qemu import a_made_up_qemu
from tests.builders.tree import RELEASE, a_root
from tests.builders.vmlinux import an_elf_kernel
from tests.cli.running import lkm


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = a_root(tmp_path / "root")
    (root / "boot").mkdir()
    (root / f"boot/vmlinuz-{RELEASE}").write_bytes(an_elf_kernel())
    assert lkm("depmod", "-b", str(root), RELEASE).status == 0
    said = [("channel", b"hello 0\nout 3\nhi\nended 1\n0status 1\n0")]
    a_made_up_qemu(tmp_path / "bin", said)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def in_guest(machine: Path) -> dict[str, bytes]:
    """Return the files of the guest that was started, by their names."""
    data = (machine / "bin/initramfs").read_bytes()
    return {entry.name: entry.data for entry in cpio.parse_archive(data)}


def command(machine: Path) -> str:
    """Return the command line of that guest."""
    return in_guest(machine)["lab/command"].decode().splitlines()[-1].removeprefix("exec ")


def test_the_words_reach_the_guest_as_they_are(machine: Path) -> None:
    words = ("modprobe", "-d", str(machine / "root"), "-S", RELEASE, "-v", "vfat", "debug='a b'")
    ran = lkm("--on", "lab", *words)

    assert ran.status == 0
    tool, *rest = words
    quoted = " ".join(rest).replace("debug='a b'", "'debug='\"'\"'a b'\"'\"''")
    assert command(machine) == f"lkm {tool} --on lab {quoted}"


def test_it_may_stand_behind_the_command_too(machine: Path) -> None:
    root = str(machine / "root")
    assert lkm("find", "--on", "lab", "--root", root, "vfat").status == 0
    assert command(machine) == f"lkm find --on lab --root {root} vfat"


def test_the_guest_has_the_modules_that_are_named_and_the_root_that_is(machine: Path) -> None:
    root = str(machine / "root")
    lkm("modinfo", "--on", "lab", "-b", root, "-k", RELEASE, "vfat")

    found = in_guest(machine)
    tree = f"usr/lib/modules/{RELEASE}/"
    modules = {Path(name).name for name in found if name.startswith(tree) and name[-3:] == ".ko"}
    assert modules == {"vfat.ko", "fat.ko", "nls-test.ko"}
    assert found[root.lstrip("/")] == b"/"


def test_the_document_is_the_guests_own(
    machine: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    root = str(machine / "root")
    ran = lkm("find", "--on", "lab", "--root", root, "--json", "vfat")

    assert (ran.status, ran.out) == (0, "")
    assert capfdbinary.readouterr().out == b"hi\n"


def test_wrong_words_start_no_guest(machine: Path) -> None:
    assert lkm("--on", "lab", "modprobe", "--bad").status == 1
    assert lkm("--on", "lab", "find", "--bad").status == 2
    assert lkm("--on", "lab", "modprobe", "--help").status == 0
    assert not (machine / "bin/asked").exists()


def test_a_kernel_that_is_not_there_is_the_labs_failure(machine: Path) -> None:
    root = str(machine / "root")
    ran = lkm("modinfo", "--on", "lab", "-b", root, "-k", "9.9", "vfat")

    assert (ran.status, ran.out) == (125, "")
    assert "the kernel 9.9 has no image" in ran.err


def test_a_variable_alone_makes_no_guest_of_this_machine() -> None:
    outside = lkm("--on", "lab", "lsmod")

    assert lkm("--on", "lab", "lsmod", env={"LKM_LAB": RELEASE}) == outside
    assert outside.status == 125, "else it were the running kernel that is asked"
