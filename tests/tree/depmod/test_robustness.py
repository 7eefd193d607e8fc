"""depmod killed, run twice at once, and with nothing left to write with: never half an index."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest

from lkm._fork import Forks
from lkm.cli.main import main
from lkm.module.scanned import ScannedModule
from lkm.tree.depmod.indexes import build_indexes
from lkm.tree.depmod.lock import LOCK_NAME, Lock
from lkm.tree.scan.reading import Scanned, scan_tree
from tests.cli.running import lkm
from tests.tree.trees import RELEASE, a_tree, chained
from tests.tree.users import a_shared_folder, not_root

Known = tuple[tuple[int, int, int, int, int], ScannedModule]
P = ParamSpec("P")
R = TypeVar("R")

MOMENTS = 200
OLD = chained({"a": ["b"], "b": [], "c": ["a"]})
NEW = chained({"a": [], "b": ["c"], "c": [], "d": ["a", "b", "c"]})


class Tree:
    """A tree that is now OLD, now NEW, with the indexes that belong to each."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.directory = a_tree(root, OLD)
        self.indexes = []
        for modules in (NEW, OLD):
            self.becomes(modules)
            self.indexes.append(dict(build_indexes(str(self.directory)).files))

    def becomes(self, modules: Mapping[str, bytes]) -> None:
        """Put *modules* in place of those that are there."""
        for path in (self.directory / "kernel").iterdir():
            path.unlink()
        for name, data in modules.items():
            (self.directory / name).write_bytes(data)

    def age(self) -> None:
        """Make all that is there older than now, and modules younger than indexes."""
        now = time.time()
        for path in self.directory.rglob("*"):
            seconds = now - (50 if path.match("kernel/*") or path.name == "kernel" else 100)
            os.utime(path, (seconds, seconds))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of who writes here."""
        with Lock(str(self.directory)) as lock:
            lock.take(0)
            yield

    def limited(self, limit: str) -> subprocess.CompletedProcess[str]:
        """Run depmod in a process that has all it imports already, under a limit of resources."""
        words = ["lkm", "depmod", "-b", str(self.root), RELEASE]
        program = (
            "import resource, sys; from lkm.cli import depmod, main; "
            f"main.main({[*words[:2], '-n', *words[2:]]!r}); sys.stdout.flush(); "
            f"resource.setrlimit({limit.partition(',')[0]}, ({limit.partition(',')[2]},) * 2); "
            f"sys.exit(main.main({words!r}))"
        )
        command = [sys.executable, "-c", program]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def depmod(self) -> int:
        """Run depmod in this process; return its exit status."""
        return main(["lkm", "depmod", "-b", str(self.root), RELEASE])

    def written(self) -> dict[str, bytes]:
        """Return what there is besides the modules and what the build has left."""
        given = {"kernel", "modules.order", "modules.builtin", "modules.builtin.modinfo"}
        return {p.name: p.read_bytes() for p in self.directory.iterdir() if p.name not in given}

    def assert_each_index_is_whole(self) -> None:
        for name, data in self.written().items():
            if not name.endswith(".lkm-new") and name != LOCK_NAME:
                assert data in [files[name] for files in self.indexes], name


@pytest.fixture
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait for the disk: a killed process takes nothing with it that is written."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@contextmanager
def a_child(work: Callable[[], int]) -> Iterator[int]:
    """Do *work* in a process of its own, which is gone afterwards; yield its number."""
    child = os.fork()
    if child == 0:
        status = 99
        try:
            status = work()
        finally:
            os._exit(status)
    try:
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@pytest.mark.usefixtures("fast_disk")
def test_killed_at_any_moment_it_leaves_each_index_old_or_new(tree: Tree) -> None:
    started = time.monotonic()
    assert tree.depmod() == 0
    whole_run = time.monotonic() - started
    source = random.Random(4)

    for number in range(MOMENTS):
        tree.becomes(NEW if number % 2 else OLD)
        with a_child(tree.depmod):
            time.sleep(source.uniform(0, 1.5) * whole_run)
        tree.assert_each_index_is_whole()

    tree.becomes(NEW)
    assert tree.depmod() == 0
    assert tree.written() == tree.indexes[0]


@pytest.mark.usefixtures("fast_disk")
def test_killed_before_any_of_its_steps_it_is_made_good_by_depmod_a(tree: Tree) -> None:
    tree.becomes(NEW)
    steps = 0
    died = True
    while died:
        for name, data in tree.indexes[1].items():
            (tree.directory / name).write_bytes(data)
        tree.age()
        with a_child(partial(dying_at, steps, tree.depmod)) as child:
            gone = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        assert gone is not None
        died = gone.si_code == os.CLD_KILLED
        tree.assert_each_index_is_whole()

        assert lkm("depmod", "-A", "-b", str(tree.root), RELEASE).status == 0
        assert tree.written() == tree.indexes[0]
        steps += 1
    assert steps > 4 * len(tree.indexes[0])


def dying_at(step: int, work: Callable[[], int]) -> int:
    """Do *work* and be killed before its system call of this number, of those that matter."""
    left = step

    def counted(call: Callable[P, R], *arguments: P.args, **options: P.kwargs) -> R:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return call(*arguments, **options)

    for name in ("open", "fchmod", "fsync", "rename", "unlink"):
        setattr(os, name, partial(counted, getattr(os, name)))
    return work()


def test_several_at_once_take_turns_and_all_succeed(tree: Tree) -> None:
    tree.becomes(NEW)
    command = [sys.executable, "-m", "lkm", "depmod", "-b", str(tree.root), RELEASE]

    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(4)
    ]
    for one in running:
        said, _ = one.communicate(timeout=60)
        assert (one.returncode, said) == (0, b"")
    assert tree.written() == tree.indexes[0]


def test_what_a_live_run_is_writing_is_left_to_it(tree: Tree) -> None:
    assert tree.depmod() == 0
    half = tree.directory / "modules.dep.lkm-new"
    half.write_bytes(b"half")
    with tree.locked():
        assert lkm("depmod", "-A", "-b", str(tree.root), RELEASE).status == 0
        assert half.exists()

    assert lkm("depmod", "-A", "-b", str(tree.root), RELEASE).status == 0
    assert not half.exists()


def test_a_full_disk_changes_nothing(tree: Tree) -> None:
    assert tree.depmod() == 0
    tree.becomes(NEW)
    before = tree.written()

    name = max(tree.indexes[0], key=lambda name: len(tree.indexes[0][name]))
    ran = tree.limited(f"resource.RLIMIT_FSIZE, {len(tree.indexes[0][name]) - 1}")

    assert ran.returncode == 1
    reason = f"Output is truncated: {os.strerror(errno.EFBIG)}"
    assert ran.stderr.splitlines()[0] == f"depmod: ERROR: Could not create index '{name}'. {reason}"
    assert tree.written() == before


def test_without_descriptors_it_says_so(tree: Tree) -> None:
    assert tree.depmod() == 0
    tree.becomes(NEW)
    before = tree.written()

    # Enough to begin with; none is left for a folder inside another.
    ran = tree.limited("resource.RLIMIT_NOFILE, 3")

    assert ran.returncode == 1
    assert "Too many open files" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert tree.written() == before


def test_a_folder_that_may_not_be_written_to_is_an_error(tmp_path: Path) -> None:
    with a_shared_folder(tmp_path) as folder:
        directory = a_tree(folder, OLD)
        with not_root():
            ran = lkm("depmod", "-b", str(folder), RELEASE)

        assert ran.status == 1
        assert ran.err.startswith(f"depmod: ERROR: cannot write {directory}/modules.dep")
        assert not [path for path in directory.iterdir() if path.name.endswith((".bin", "-new"))]


def test_a_module_that_vanishes_meanwhile_is_told(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(
        paths: Sequence[str], *, with_crcs: bool, forks: Forks, known: Mapping[str, Known]
    ) -> Scanned:
        os.unlink(tree.directory / "kernel/a.ko")
        return scan_tree(paths, with_crcs=with_crcs, forks=forks, known=known)

    monkeypatch.setattr("lkm.tree.depmod.making.scan_tree", late)

    (problem,) = build_indexes(str(tree.directory)).problems

    assert problem.text.endswith("/kernel/a.ko: No such file or directory")
