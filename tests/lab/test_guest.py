"""What is put into a guest, before there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.errors import LabError, UsageError
from lkm.lab.architectures import of_host
from lkm.lab.guest import Wanted, initramfs

RELEASE = "6.1"


def wanted(
    *command: str, folder: str = "/", copies: tuple[str, ...] = (), roots: tuple[str, ...] = ()
) -> Wanted:
    """Return what a guest of this machine's kind without a tree gets, or skip."""
    architecture = of_host()
    if architecture is None:
        pytest.skip("there is no lab for this machine")
    return Wanted(
        architecture=architecture,
        release=RELEASE,
        directory="",
        command=command,
        folder=folder,
        copies=copies,
        roots=roots,
    )


def test_too_much_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with open(tmp_path / "holes", "wb") as file:
        file.truncate(1 << 40)

    with pytest.raises(LabError, match=f"^{tmp_path} is too large.* 1048576 MiB"):
        initramfs(wanted(copies=("/etc/passwd", str(tmp_path))))


def test_a_folder_without_a_name_is_refused() -> None:
    with pytest.raises(UsageError):
        initramfs(wanted(copies=("",)))
