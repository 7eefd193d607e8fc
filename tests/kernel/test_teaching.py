"""A sandbox that nobody booted has the teaching kernel."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lkm.errors import StateFileError
from lkm.kernel.sandbox import Sandbox
from lkm.module.file import read_image
from lkm.teaching import RELEASE, teaching_root
from tests.kernel.trees import RELEASE as OTHER
from tests.kernel.trees import a_root


def test_opening_boots_it_once_and_says_so_once(tmp_path: Path) -> None:
    said: list[str] = []

    first = Sandbox.open(str(tmp_path / "state"), notice=said.append)
    again = Sandbox.open(str(tmp_path / "state"), notice=said.append)

    assert first.release() == again.release() == RELEASE
    (sentence,) = said
    assert RELEASE in sentence
    assert "lkm sandbox boot" in sentence


def test_it_is_known_from_its_facts_and_no_module_has_to_be_read(tmp_path: Path) -> None:
    status = Sandbox.open(str(tmp_path / "state")).status()

    assert status.root == teaching_root()
    assert (status.assumed, status.assumed_options, status.notes) == (False, (), ())
    assert status.unreadable is None
    assert status.tree_modules > 10


def test_another_kernel_that_was_booted_stays(tmp_path: Path) -> None:
    Sandbox(str(tmp_path / "state")).boot(OTHER, str(a_root(tmp_path / "root")))

    assert Sandbox.open(str(tmp_path / "state")).release() == OTHER


def test_after_a_reset_it_is_booted_again(tmp_path: Path) -> None:
    sandbox = Sandbox.open(str(tmp_path / "state"))
    sandbox.reset()

    assert Sandbox.open(str(tmp_path / "state")).release() == RELEASE


def test_a_file_that_is_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"a diary\n" * 100)

    with pytest.raises(StateFileError):
        Sandbox.open(str(tmp_path / "state"))


def test_every_module_of_it_loads_and_its_symbols_go_with_it(tmp_path: Path) -> None:
    sandbox = Sandbox.open(str(tmp_path / "state"))
    before = sandbox.read("/proc/kallsyms")
    tree = Path(sandbox.status().directory)
    order: list[str] = []
    for line in (tree / "modules.dep").read_text().splitlines():
        path, _colon, rest = line.partition(":")
        order += [each for each in (*reversed(rest.split()), path) if each not in order]

    for path in order:
        sandbox.insert(read_image(str(tree / path)))
    names = [module.name for module in sandbox.modules()]
    lines = sandbox.read("/proc/kallsyms")[len(before) :].decode().splitlines()

    assert {line.split("\t")[1] for line in lines} == {f"[{name}]" for name in names}
    for module in sandbox.modules():
        sandbox.remove(module.name)
    assert sandbox.read("/proc/kallsyms") == before


def test_commands_that_start_together_boot_one_kernel(tmp_path: Path) -> None:
    script = (
        "import sys; from lkm.kernel.sandbox import Sandbox; Sandbox.open(sys.argv[1]).status()"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "state")]

    running = [subprocess.Popen(command, stderr=subprocess.PIPE) for _each in range(3)]

    assert [process.communicate()[1] for process in running] == [b""] * 3
