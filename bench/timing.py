"""Time two ways to do the same work in turn, and say how they compare.

Machines are noisy and their noise drifts, so no time stands alone: each run of the one is paired
with the run of the other that follows it, and it is the ratios of the pairs that count.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

Words = list[str | Path]
"""A command line."""

_SAMPLE_S = 0.001
_SHOWN = 300  # characters of a command that failed
_NOTHING = ("/dev/null", os.O_RDWR, 0)
_TO_FILE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


class FailedError(Exception):
    """What was to be timed did not do its work."""


@dataclass(frozen=True)
class Compared:
    """The seconds of each pair of runs, ours first."""

    pairs: tuple[tuple[float, float], ...]

    @property
    def ours(self) -> float:
        """The median of our times."""
        return median(ours for ours, _ in self.pairs)

    @property
    def theirs(self) -> float:
        """The median of the others."""
        return median(theirs for _, theirs in self.pairs)

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios, which need not be the ratio of the medians."""
        return median(self._ratios)

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest ratio."""
        return min(self._ratios), max(self._ratios)

    @property
    def _ratios(self) -> list[float]:
        return [ours / theirs for ours, theirs in self.pairs]


@dataclass(frozen=True, kw_only=True)
class Run:
    """A program to be run to its end, its output thrown away, or written to the file *output*.

    *before* is done before each run, outside of the time taken. *statuses* are the exit statuses
    of one that did its work. One that *tells* takes the time itself and prints it, in seconds.
    """

    words: Words
    before: Callable[[], None] | None = None
    statuses: frozenset[int] = frozenset({0})
    tells: bool = False
    output: Path | None = None

    def seconds(self) -> float:
        """Run it and return how long it took. Raises ``FailedError``."""
        took, told = self._run(_wait)
        return float(told) if self.tells else took

    def peak(self) -> int:
        """Run it and return the bytes that it held: the sum of its processes' peaks."""
        peaks: dict[int, int] = {}
        self._run(lambda pid: _watch(pid, peaks))
        return sum(peaks.values())

    def _run(self, wait: Callable[[int], int]) -> tuple[float, bytes]:
        if self.before is not None:
            self.before()
        with _in_memory() as out, _in_memory() as said:
            words = [str(word) for word in self.words]
            start = time.perf_counter()
            pid = _spawned(words, out if self.tells else self.output or Path(os.devnull), said)
            status = _ended(pid, wait)
            took = time.perf_counter() - start
            if status not in self.statuses:
                shown = " ".join(words)[:_SHOWN]
                *_, why = ["it said nothing", *_read(said).decode(errors="replace").splitlines()]
                raise FailedError(f"{shown}: status {status}: {why}")
            return took, _read(out)


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Two runs that do the same work, and what there is to say of them besides.

    *floor* does what no program can do without, and nothing else. *same* are pairs of files, one
    of ours and one of theirs, that must be equal afterwards, as far as *read* reads them. *memory*:
    whether it is measured.
    """

    ours: Run
    theirs: Run
    floor: Run | None = None
    same: tuple[tuple[Path, Path], ...] = ()
    read: Callable[[Path], object] = Path.read_bytes
    memory: bool = False


def compare(contest: Contest, pairs: int, on_pair: Callable[[int], None]) -> Compared:
    """Do both in turn, A B A B, after one run of each that does not count.

    *on_pair* is called with the number of each pair before it is run. Raises ``FailedError``.
    """
    on_pair(0)
    contest.ours.seconds()
    contest.theirs.seconds()
    times = []
    for number in range(1, pairs + 1):
        on_pair(number)
        times.append((contest.ours.seconds(), contest.theirs.seconds()))
    for ours, theirs in contest.same:
        if contest.read(ours) != contest.read(theirs):
            raise FailedError(f"{ours} and {theirs} differ")
    return Compared(tuple(times))


@contextmanager
def _in_memory() -> Iterator[int]:
    descriptor = os.memfd_create("output")
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _spawned(words: list[str], out: int | Path, said: int) -> int:
    """Start a program in a process group of its own, so that its whole family can be ended."""
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, *_NOTHING),
        (os.POSIX_SPAWN_DUP2, out, 1)
        if isinstance(out, int)
        else (os.POSIX_SPAWN_OPEN, 1, out, _TO_FILE, 0o644),
        (os.POSIX_SPAWN_DUP2, said, 2),
    ]
    return os.posix_spawnp(words[0], words, os.environ, file_actions=actions, setpgroup=0)


def _read(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


def _ended(pid: int, wait: Callable[[int], int]) -> int:
    """Return the exit status of *pid*; it and its children do not outlive us."""
    try:
        return os.waitstatus_to_exitcode(wait(pid))
    except BaseException:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise


def _wait(pid: int) -> int:
    return os.waitpid(pid, 0)[1]


def _watch(pid: int, peaks: dict[int, int]) -> int:
    """Wait for *pid* and note the peak of each process of its family."""
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        for each in _family(pid):
            peaks[each] = max(peaks.get(each, 0), _peak_so_far(each))
        time.sleep(_SAMPLE_S)


def _family(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):  # of each thread
            with suppress(OSError):  # it has ended
                found += map(int, children.read_text().split())
    return found


def _peak_so_far(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    _, found, rest = text.partition("VmHWM:")  # missing where it has ended
    return int(rest.split()[0]) * 1024 if found else 0
