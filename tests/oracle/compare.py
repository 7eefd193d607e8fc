"""Run one case by both programs and tell what differs, but for the declared differences."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.oracle.cases import Case, Expected
from tests.oracle.declared import DIFFERENCES, as_told, streams_of
from tests.oracle.kernel import FakeKernel
from tests.oracle.root import Ran, lay_out, run_inside
from tests.oracle.seen import Seen, files_in, problems_between
from tests.oracle.world import HERE, World

_PROGRAMS = ("kmod", "lkm")


@dataclass(frozen=True)
class Verdict:
    """*used* are the declared differences by which the two agree; *problems* is empty then."""

    lkm: Seen
    kmod: Seen
    used: tuple[str, ...]
    problems: tuple[str, ...]


@contextmanager
def a_folder() -> Iterator[Path]:
    """Make a folder for a Comparer, in memory where that is to be had: it holds many links."""
    memory = Path("/dev/shm")
    place = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="lkm-machines-", dir=place) as folder:
        yield Path(folder)


class Comparer:
    """Runs cases; what they share is made once, below *folder*.

    *compared* are the names of those that were run, *used* counts the declared differences by
    which they agree.
    """

    def __init__(self, folder: Path, kmod: Path) -> None:
        self.compared: set[str] = set()
        self.used: Counter[str] = Counter()
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
        """Run *case* by both programs.

        Of a case that ``differs`` all that it does not tell must still be as kmod has it.
        """
        for program in _PROGRAMS:
            self._laid_out(case.world, program)
        with ThreadPoolExecutor() as pool:
            kmod, lkm = pool.map(lambda program: self._seen(case, program), _PROGRAMS)
        wrong = _wrongly_declared(case, lkm, kmod)
        if case.expected.same_as:
            kmod = self._seen(case, "kmod", case.expected.same_as)
        told = streams_of(case.expected)
        used = [case.differs] if case.differs else []
        mine, theirs, line = (
            lkm,
            as_told(case.expected, kmod, lkm),
            case.expected.same_as or case.line,
        )
        for difference in DIFFERENCES:
            if not problems_between(mine, theirs):
                break
            before = mine, theirs
            if difference.line(line) != line:
                line = difference.line(line)
                kmod = self._seen(case, "kmod", line)
                theirs = as_told(case.expected, kmod, lkm)
            mine = difference.apply(mine, "lkm", told)
            theirs = difference.apply(theirs, "kmod", told)
            if (mine, theirs) != before:
                used.append(difference.id)
        problems = (*wrong, *problems_between(mine, theirs))
        self.compared.add(case.name)
        self.used.update(used)
        return Verdict(lkm, kmod, tuple(used), problems)

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


def _wrongly_declared(case: Case, lkm: Seen, kmod: Seen) -> tuple[str, ...]:
    if not case.differs:
        return ("what lkm answers is told, but not by which difference",) * (
            case.expected != Expected()
        )
    if case.differs not in {difference.id for difference in DIFFERENCES}:
        return (f"no difference {case.differs!r} is declared",)
    if not problems_between(lkm, kmod):
        return ("kmod answers the same: no difference to declare",)
    return ()


def _copy(folder: Path, to: Path) -> None:
    # Many small files and links, which Python copies one by one.
    to.parent.mkdir(exist_ok=True)
    subprocess.run(["cp", "-a", "--", str(folder), str(to)], check=True)


def _seen(ran: Ran, kernel: FakeKernel, root: Path) -> Seen:
    return Seen(ran.status, ran.out, ran.err, tuple(kernel.calls), *files_in(root))
