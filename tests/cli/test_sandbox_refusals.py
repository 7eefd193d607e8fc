"""What the commands say where the sandbox refuses, waits, or has nothing to write into."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from lkm.kernel.sandbox import Sandbox
from tests.builders.elf import a_module
from tests.cli.running import lkm
from tests.kernel.trees import RELEASE, VERMAGIC, a_root
from tests.report.validating import validate

ON = ("--on", "sandbox")
WAITS = "its init has not returned: lkm sandbox finish slow lets it"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Boot a kernel with "slow", which has an init, and "other", whose struct says "inside"."""
    monkeypatch.setenv("LKM_STATE", str(tmp_path / "state"))
    modules = {
        "slow": a_module(name="slow", vermagic=VERMAGIC),
        "other": a_module(name="inside", vermagic=VERMAGIC),
    }
    root = a_root(tmp_path / "root", modules)
    assert lkm("depmod", "-b", str(root), RELEASE).status == 0
    assert lkm("sandbox", "boot", "--root", str(root)).status == 0
    return root / "lib/modules" / RELEASE


def contents(tree: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in tree.iterdir() if path.is_file()}


def test_depmod_does_not_write_into_the_tree_below_the_sandbox(tree: Path, tmp_path: Path) -> None:
    (tree / "modules.dep").write_text("")
    before = contents(tree)

    ran = lkm(*ON, "depmod")

    assert ran.status != 0
    assert "the sandbox has no tree of its own" in ran.err
    assert contents(tree) == before
    shown = lkm(*ON, "depmod", "-n")
    assert shown.status == 0
    assert "kernel/slow.ko:" in shown.out
    (tmp_path / "out").mkdir()
    assert lkm(*ON, "depmod", "-o", str(tmp_path / "out")).status == 0
    assert contents(tree) == before


def test_insmod_shows_the_module_under_the_name_in_its_struct(tree: Path) -> None:
    ran = lkm(*ON, "insmod", "--json", str(tree / "kernel/other.ko"))

    validate(ran.out)
    assert json.loads(ran.out)["module"]["name"] == "inside"


@pytest.mark.parametrize("command", [("rmmod",), ("modprobe", "-r")])
def test_who_removes_what_is_coming_is_told_what_ends_that(
    tree: Path, command: tuple[str, ...]
) -> None:
    lkm(*ON, "insmod", "--init-returns", "never", str(tree / "kernel/slow.ko"))

    ran = lkm(*ON, *command, "slow")

    assert ran.status == 1
    assert "slow is in use" in ran.err
    assert WAITS in ran.err


def test_to_finish_what_is_live_is_an_error_of_the_kernels(tree: Path) -> None:
    lkm(*ON, "insmod", str(tree / "kernel/slow.ko"))

    ran = lkm("sandbox", "finish", "slow")

    assert ran.status == 1
    assert "ERROR: " in ran.err
    assert "it is live" in ran.err


def test_a_locked_down_kernel_names_insmod_where_that_asks(tree: Path) -> None:
    root = str(tree.parents[2])
    lkm("sandbox", "boot", "--root", root, "--append", "lockdown=integrity")

    lkm(*ON, "insmod", str(tree / "kernel/slow.ko"))
    lkm(*ON, "modprobe", "slow")

    assert [line.text.split(": ")[1] for line in Sandbox().log()] == ["insmod", "modprobe"]


def test_an_older_state_is_told_as_such_and_not_as_wrong_parameters(
    tree: Path, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "state") as connection:
        connection.execute("PRAGMA user_version = 1")
    connection.close()

    ran = lkm(*ON, "insmod", str(tree / "kernel/slow.ko"))

    assert "older lkm" in ran.err
    assert "Invalid parameters" not in ran.err
    assert f"lkm sandbox boot --release {RELEASE} --root {tree.parents[2]}" in ran.err
