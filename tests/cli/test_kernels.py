"""lkm kernels."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lkm.tree.installed import installed_kernels
from tests.builders.tree import RELEASE
from tests.cli.running import lkm
from tests.tree.users import a_shared_folder, not_root


def test_each_kernel_is_a_line(root: Path) -> None:
    (root / "boot").mkdir(exist_ok=True)
    (root / "boot/vmlinuz-4.19.0-only").touch()
    (root / "lib/modules/stray").mkdir()

    ran = lkm("kernels", "--root", str(root))

    assert (ran.status, ran.err) == (0, "")
    title, only_image, whole = [line.split() for line in ran.out.splitlines()]
    assert title == ["RELEASE", "MODULES", "INDEXES", "IMAGE", "CONFIG"]
    image = f"{root}/boot/vmlinuz-4.19.0-only"
    assert only_image == ["4.19.0-only", "0", "none", image, "none"]
    assert whole[0] == RELEASE
    assert whole[2:5] == ["up", "to", "date"]


def test_what_is_not_there_is_null_in_json(root: Path) -> None:
    (root / "boot").mkdir(exist_ok=True)
    (root / "boot/vmlinuz-4.19.0-only").touch()

    only_image, whole = json.loads(lkm("kernels", "--root", str(root), "--json").out)["kernels"]

    assert only_image["release"] == "4.19.0-only"
    assert (only_image["directory"], only_image["indexes"]) == (None, None)
    assert whole["directory"] == str(root / "lib/modules" / RELEASE)


def test_a_tree_that_cannot_be_read_is_listed_with_what_is_known(tmp_path: Path) -> None:
    with a_shared_folder(tmp_path) as root:
        (root / "lib/modules/6.1").mkdir(parents=True)
        (root / "lib/modules/6.1").chmod(0)
        with not_root():
            ran = lkm("kernels", "--root", str(root))
            document = json.loads(lkm("kernels", "--root", str(root), "--json").out)
        (root / "lib/modules/6.1").chmod(0o755)

    assert ran.status == 0
    assert ran.out.splitlines()[1].split() == ["6.1", "unknown", "unreadable", "none", "none"]
    (kernel,) = document["kernels"]
    assert (kernel["modules"], kernel["indexes"]) == (None, "unreadable")


def test_a_running_kernel_without_a_tree_is_mentioned(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = installed_kernels(str(root))
    monkeypatch.setattr("lkm.cli.kernels.installed_kernels", lambda _: listed)
    running = os.uname().release

    text = f"the running kernel, {running}, has no modules directory here"
    assert lkm("kernels").err == f"lkm kernels: WARNING: {text}\n"
    assert lkm("kernels", "--root", "/srv/other").err == ""


def test_depmod_quick_writes_unusable_indexes_anew(root: Path) -> None:
    index = root / "lib/modules" / RELEASE / "modules.alias.bin"
    sound = index.read_bytes()
    index.write_bytes(b"")

    ran = lkm("depmod", "-A", "-b", str(root), RELEASE)

    assert (ran.status, ran.out, ran.err) == (0, "", "")
    assert index.read_bytes() == sound
