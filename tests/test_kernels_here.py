"""Where Debian's kernels cannot be had, the reason is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import debian
from tests.debian import NotHere, a_kernel, newest


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder in which programs are looked for, and have an empty cache."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(debian, "CACHE", tmp_path / "cache")
    return folder


def a_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_another_system_is_no_debian(programs: Path) -> None:
    with pytest.raises(NotHere, match="this is no Debian"):
        a_kernel("linux-image-amd64")
    assert list(programs.iterdir()) == []


def test_what_apt_says_last_is_the_reason_and_the_architecture_is_named(programs: Path) -> None:
    for name in ("dpkg", "apt-cache"):
        a_program(programs / name, "exit 0")
    a_program(programs / "apt-get", "echo one >&2; echo E: no network >&2; exit 100")

    with pytest.raises(NotHere) as caught:
        a_kernel("linux-image-s390x", "s390x")

    text = str(caught.value)
    assert text.startswith("apt-get -qq update")
    assert text.endswith("APT::Architecture=s390x: E: no network")
    assert "Dir::" not in text


def test_lists_of_earlier_do_where_there_is_no_network(programs: Path) -> None:
    for name in ("dpkg", "apt-get"):
        a_program(programs / name, "exit 0")
    a_program(programs / "apt-cache", 'echo "  Depends: linux-image-9-s390x"')
    unpacked = debian.CACHE / "linux-image-9-s390x"
    unpacked.mkdir(parents=True)
    assert a_kernel("linux-image-s390x", "s390x") == unpacked

    a_program(programs / "apt-get", "exit 100")
    stamp = debian.CACHE / "apt-s390x/updated"
    os.utime(stamp, (0, 0))
    assert a_kernel("linux-image-s390x", "s390x") == unpacked


def test_a_package_that_apt_does_not_know_is_named(programs: Path) -> None:
    for name in ("dpkg", "apt-get", "apt-cache"):
        a_program(programs / name, "exit 0")

    with pytest.raises(NotHere, match="no package linux-image-arm64; its sources have none for"):
        a_kernel("linux-image-arm64", "arm64")
    with pytest.raises(NotHere, match=r"no package \^x; run apt-get update"):
        newest("^x")
