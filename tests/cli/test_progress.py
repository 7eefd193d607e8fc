"""The bar that stands on a terminal while many files are read."""

from __future__ import annotations

import io
import os
import pty
import signal
import subprocess
import sys
import time
from itertools import count, pairwise
from pathlib import Path

import pytest

from lkm.cli.console import Console
from lkm.cli.main import INTERRUPTED_STATUS
from lkm.cli.progress import Bar
from tests.builders.elf import a_module
from tests.builders.tree import a_root
from tests.cli.running import lkm

MANY = 400


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Return a root with more modules than are read in a moment, without indexes."""
    data = a_module(name="m", modinfo=["description=One of many"])
    return a_root(tmp_path / "root", {f"kernel/m{each}.ko": data for each in range(MANY)})


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a second pass whenever somebody looks at the clock."""
    monkeypatch.setattr("lkm.cli.progress.monotonic", count().__next__)


def indexed(root: Path) -> Path:
    (release,) = os.listdir(root / "lib/modules")
    assert lkm("depmod", "--no-cache", "-b", str(root), release).status == 0
    return root


def shown(text: str) -> str:
    """Return what is left on a terminal's line after *text*."""
    line: list[str] = []
    place = 0
    for letter in text:
        if letter == "\r":
            place = 0
        else:
            line[place : place + 1] = [letter]
            place += 1
    return "".join(line)


@pytest.mark.usefixtures("slowly")
def test_the_bar_moves_and_is_gone_in_the_end(many: Path) -> None:
    ran = lkm(
        "find", "--no-cache", "--description", "many", "--root", str(indexed(many)), terminal=True
    )

    assert len(ran.out.splitlines()) == 2 * MANY
    steps = [step for step in ran.err.split("\r") if step.strip()]
    assert len(steps) > 3
    assert all(step.startswith("lkm find: reading modules ") for step in steps)
    assert steps == sorted(steps)
    assert max(map(len, steps)) < 80
    assert shown(ran.err).strip() == ""


@pytest.mark.parametrize(
    ("terminal", "words"),
    [
        (False, ("--description", "many")),
        (True, ("--description", "many", "--json")),
        (True, ("m7", "--description", "many")),
    ],
    ids=["a pipe", "JSON", "one file"],
)
def test_there_is_no_bar(many: Path, terminal: bool, words: tuple[str, ...]) -> None:
    ran = lkm("find", "--no-cache", *words, "--root", str(indexed(many)), terminal=terminal)

    assert (ran.status, ran.err) == (0, "")


@pytest.mark.usefixtures("slowly")
def test_there_is_none_where_all_is_remembered(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lkm.tree.memory.tree_cache.SETTLING_NS", -60 * 1_000_000_000)
    monkeypatch.setattr("lkm.cache.SETTLING_NS", -60 * 1_000_000_000)
    words = ("find", "--description", "many", "--root", str(indexed(many)))
    first = lkm(*words, terminal=True)
    again = lkm(*words, terminal=True)

    assert (first.status, first.out) == (again.status, again.out)
    assert (first.err != "", again.err) == (True, "")


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("slowly")
@pytest.mark.parametrize("columns", [5, 20, 40, 80])
def test_however_narrow_it_says_how_much(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lkm.cli.progress._columns", lambda _console: columns)
    err = _Terminal()
    Bar(Console("lkm find", io.StringIO(), err), "reading modules")(300, 1000)

    assert "30%" in err.getvalue()
    assert len(shown(err.getvalue())) < columns


def test_it_comes_after_a_while_and_changes_ten_times_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("lkm.cli.progress.monotonic", lambda: now[0])
    err = _Terminal()
    bar = Bar(Console("lkm find", io.StringIO(), err), "reading modules")
    steps = []
    for thousandth in range(1000):
        now[0] = thousandth / 1000
        before = err.getvalue()
        bar(thousandth, 1000)
        if err.getvalue() != before:
            steps.append(thousandth)

    assert 190 < steps[0] < 210
    assert all(after - one >= 100 for one, after in pairwise(steps))
    assert len(steps) >= 7


def test_interrupted_it_leaves_a_clean_line(many: Path) -> None:
    program = (
        "import sys, time; from lkm.tree.scan import reading as scan; real = scan.scan_share;"
        "scan.scan_share = lambda paths, crcs: (time.sleep(len(paths) / 50), real(paths, crcs))[1];"
        "from lkm.cli.main import main; sys.exit(main())"
    )
    words = ("find", "--no-cache", "--description", "many", "--root", str(indexed(many)))
    master, terminal = pty.openpty()
    ran = subprocess.Popen(
        [sys.executable, "-c", program, *words], stdout=subprocess.PIPE, stderr=terminal
    )
    os.close(terminal)
    seen = ""
    while "%" not in seen:
        seen += os.read(master, 1024).decode()
    time.sleep(0.1)
    ran.send_signal(signal.SIGINT)
    ran.communicate()
    try:
        while more := os.read(master, 1024).decode():
            seen += more
    except OSError:  # so the end of a terminal is told
        os.close(master)

    assert ran.returncode == INTERRUPTED_STATUS
    assert shown(seen).strip() == ""
