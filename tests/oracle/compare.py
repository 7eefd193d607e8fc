"""Run one case by both programs and tell what differs, but for the declared differences."""

from __future__ import annotations

import compileall
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lkm.errors import FormatError
from lkm.tree.trie import TrieIndex
from tests.oracle.cases import Case
from tests.oracle.kernel import FakeKernel
from tests.oracle.root import Ran, lay_out, run_inside
from tests.oracle.world import HERE, World


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A declared difference: whose output (*of*: ``lkm`` or ``kmod``) is rewritten before the two
    are compared, in which stream (``out`` or ``err``), and how. In the stream ``line`` it is kmod's
    command line that is rewritten; in ``file`` a file of such a path does not count. Without a
    pattern it is one that cases declare whole.
    """

    id: str
    reason: str
    of: str = ""
    stream: str = ""
    pattern: str = ""
    becomes: str = ""

    def line(self, line: str) -> str:
        """Return the command line that makes kmod 30 do what *line* does today."""
        return re.sub(self.pattern, self.becomes, line) if self.stream == "line" else line

    def apply(self, what: Seen, program: str) -> Seen:
        if self.of != program or not self.pattern or self.stream == "line":
            return what
        if self.stream == "file":
            kept = {n: data for n, data in what.files.items() if not re.search(self.pattern, n)}
            return Seen(what.status, what.out, what.err, what.calls, kept)
        pattern = re.compile(self.pattern.encode(), re.MULTILINE)
        text = pattern.sub(self.becomes.encode(), getattr(what, self.stream))
        return what.but(**{self.stream: text})


@dataclass(frozen=True)
class Seen:
    """What can be seen of one run."""

    status: int
    out: bytes
    err: bytes
    calls: tuple[str, ...]
    files: Mapping[str, object]

    def but(self, *, out: bytes | None = None, err: bytes | None = None) -> Seen:
        return Seen(
            self.status,
            self.out if out is None else out,
            self.err if err is None else err,
            self.calls,
            self.files,
        )


@dataclass(frozen=True)
class Verdict:
    """*used* are the declared differences by which the two agree; *problems* is empty then."""

    lkm: Seen
    kmod: Seen
    used: tuple[str, ...]
    problems: tuple[str, ...]


DIFFERENCES: Sequence[Difference] = tuple(
    Difference(id=name, **table)
    for name, table in tomllib.loads((HERE / "differences.toml").read_text()).items()
)


@contextmanager
def a_folder() -> Iterator[Path]:
    """Make a folder for a Comparer, in memory where that is to be had: it holds many links."""
    memory = Path("/dev/shm")
    place = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="lkm-machines-", dir=place) as folder:
        yield Path(folder)


class Comparer:
    """Runs cases; what they share is made once, below *folder*."""

    def __init__(self, folder: Path, kmod: Path) -> None:
        self._folder = folder
        self._kmod = kmod
        self._world: World | None = None
        self._library = folder / "preload.so"
        source, library = str(HERE / "preload.c"), str(self._library)
        command = ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-o", library, source, "-ldl"]
        subprocess.run(command, check=True)
        # Else each start of lkm would compile it anew: a run may not write among the sources.
        compileall.compile_dir(str(HERE.parents[1] / "src"), quiet=2)
        programs = {
            "kmod": kmod.resolve(),
            "lkm": Path(sysconfig.get_path("scripts")) / "lkm",
        }
        for name, program in programs.items():
            lay_out(folder / "empty" / name, f"/host{program}")

    def compare(self, case: Case) -> Verdict:
        """Run *case* by both programs."""
        kmod, lkm = self._seen(case, "kmod"), self._seen(case, "lkm")
        if case.differs:
            return _judge_declared(case, lkm, kmod)
        used = []
        mine, theirs, line = lkm, kmod, case.line
        for difference in DIFFERENCES:
            if not _problems(mine, theirs):
                break
            before = mine, theirs
            if difference.line(line) != line:
                line = difference.line(line)
                theirs = kmod = self._seen(case, "kmod", line)
            mine, theirs = difference.apply(mine, "lkm"), difference.apply(theirs, "kmod")
            if (mine, theirs) != before:
                used.append(difference.id)
        return Verdict(lkm, kmod, tuple(used), _problems(mine, theirs))

    def _seen(self, case: Case, program: str, line: str = "") -> Seen:
        root = self._folder / "run" / program
        _copy(self._laid_out(case.world, program), root)
        try:
            kernel = FakeKernel(root, case.world.answers)
            kernel.boot(case.world.loaded, case.world.cmdline)
            env = {
                "FAKE_RELEASE": case.world.release,
                "LKM_CACHE": "/fake/cache",
                "XDG_STATE_HOME": "/fake/state",
                **case.env,
            }
            with kernel:
                ran = run_inside(root, line or case.line, library=self._library, env=env)
            return _seen(ran, kernel, root)
        finally:
            shutil.rmtree(root)

    def _laid_out(self, world: World, program: str) -> Path:
        """Return the machine as *world* has it; cases of one table share theirs."""
        laid = self._folder / "laid"
        if world is not self._world:
            shutil.rmtree(laid, ignore_errors=True)
            self._world = world
        root = laid / program
        if not root.exists():
            _copy(self._folder / "empty" / program, root)
            world.write(root, self._kmod)
        return root


def _copy(folder: Path, to: Path) -> None:
    # Many small files and links, which Python copies one by one.
    to.parent.mkdir(exist_ok=True)
    subprocess.run(["cp", "-a", "--", str(folder), str(to)], check=True)


def _seen(ran: Ran, kernel: FakeKernel, root: Path) -> Seen:
    return Seen(ran.status, ran.out, ran.err, tuple(kernel.calls), _files(root))


def _files(root: Path) -> dict[str, object]:
    """Return what lies in *root* that is not the machine's own; an index as its entries."""
    found: dict[str, object] = {}
    todo = [str(root)]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                inside = entry.path.removeprefix(f"{root}/")
                if entry.is_symlink():
                    target = os.readlink(entry.path)
                    if not target.startswith("/host/"):
                        found[inside] = f"-> {target}"
                elif entry.is_dir():
                    todo.append(entry.path)
                elif entry.is_file():
                    data = Path(entry.path).read_bytes()
                    found[inside] = _index(data) if entry.name.endswith(".bin") else data
    return found


def _index(data: bytes) -> object:
    # kmod leaves an index without a source empty; a case may have broken one.
    try:
        return tuple(TrieIndex.from_bytes(data).items()) if data else ()
    except FormatError:
        return data


def _judge_declared(case: Case, lkm: Seen, kmod: Seen) -> Verdict:
    problems = []
    if case.differs not in {difference.id for difference in DIFFERENCES}:
        problems.append(f"no difference {case.differs!r} is declared")
    if not _problems(lkm, kmod):
        problems.append("kmod answers the same: no difference to declare")
    told = case.expected
    for what, wanted, got in (
        ("status", told.status, lkm.status),
        ("stdout", told.out, lkm.out.decode("utf-8", "replace")),
        ("stderr", told.err, lkm.err.decode("utf-8", "replace")),
        ("calls", told.calls, lkm.calls),
    ):
        if wanted is not None and wanted != got:
            problems.append(f"{what}: declared {wanted!r}, lkm {got!r}")
    return Verdict(lkm, kmod, (case.differs,), tuple(problems))


def _problems(lkm: Seen, kmod: Seen) -> tuple[str, ...]:
    problems = [
        f"{what}: kmod {theirs!r}, lkm {mine!r}"
        for what, theirs, mine in (
            ("status", kmod.status, lkm.status),
            ("stdout", kmod.out, lkm.out),
            ("stderr", kmod.err, lkm.err),
            ("calls", kmod.calls, lkm.calls),
        )
        if theirs != mine
    ]
    for name in sorted({*kmod.files, *lkm.files}):
        theirs, mine = kmod.files.get(name), lkm.files.get(name)
        if theirs != mine:
            problems.append(f"file {name}: kmod {theirs!r:.400}, lkm {mine!r:.400}")
    return tuple(problems)
