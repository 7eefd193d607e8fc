"""Standard streams that are closed, full, or not read to the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.tree import RELEASE

COMMANDS = {
    "lsmod": ("--on", "sandbox", "lsmod"),
    "modinfo": ("modinfo", "-b", "{root}", "-k", RELEASE, "vfat"),
    "modinfo --json": ("modinfo", "--json", "-b", "{root}", "-k", RELEASE, "vfat"),
    "modprobe -D": ("modprobe", "-d", "{root}", "-S", RELEASE, "-D", "vfat"),
    "modprobe -c": ("modprobe", "-d", "{root}", "-S", RELEASE, "-c"),
    "depmod -n": ("depmod", "-n", "-b", "{root}", RELEASE),
    "kernels": ("kernels", "--root", "{root}"),
    "find": ("find", "--root", "{root}", "--release", RELEASE),
    "sandbox status": ("sandbox", "status"),
    "help": ("--help",),
    "version": ("--version",),
    "help of a verb": ("find", "--help"),
    "an error": ("modprobe",),
}
OWN = ("kernels", "find", "sandbox", "help", "version")


def in_a_shell(root: Path, case: str, redirection: str) -> subprocess.CompletedProcess[str]:
    words = " ".join(word.format(root=root) for word in COMMANDS[case])
    return subprocess.run(
        ["/bin/bash", "-c", f'"{sys.executable}" -m lkm {words} {redirection}'],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )


@pytest.mark.parametrize("case", COMMANDS)
def test_a_closed_stdout_is_one_line_and_a_status(sandbox: Path, case: str) -> None:
    done = in_a_shell(sandbox, case, ">&-")

    (line,) = done.stderr.splitlines()
    assert "ERROR" in line
    assert done.returncode == (3 if case.split(maxsplit=1)[0] in OWN else 1)


@pytest.mark.parametrize("case", COMMANDS)
def test_a_closed_stderr_changes_nothing(sandbox: Path, case: str) -> None:
    with_it, without = in_a_shell(sandbox, case, ""), in_a_shell(sandbox, case, "2>&-")

    assert (without.returncode, without.stdout) == (with_it.returncode, with_it.stdout)


@pytest.mark.parametrize("case", COMMANDS)
def test_a_full_device_is_an_error(sandbox: Path, case: str) -> None:
    done = in_a_shell(sandbox, case, "> /dev/full")

    (line,) = done.stderr.splitlines()
    assert ("No space left on device" in line) == (case != "an error")
    assert done.returncode == (3 if case.split(maxsplit=1)[0] in OWN else 1)


def test_a_reader_that_goes_away_ends_it_quietly(root: Path) -> None:
    # So much that it cannot all stand in the pipe when the reader goes.
    tree = root / "lib/modules" / RELEASE
    lines = "".join(f"alias many{number:06}{'x' * 60} lone\n" for number in range(20_000))
    (tree / "modules.alias").write_text(lines)
    (tree / "modules.alias.bin").unlink()

    done = in_a_shell(root, "modprobe -c", "2>/dev/null | head -n 1; exit ${PIPESTATUS[0]}")

    assert done.returncode == 141
    assert done.stderr == ""
