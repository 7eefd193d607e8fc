"""Try inputs in a child process, one after the other, and see what each costs.

Memory: the child takes down its resident size once the target is ready, has the kernel forget the
highest size so far before each input (``/proc/self/clear_refs``), and looks at the highest size
after it. Unlike a limit of address space that counts what was really touched, unlike tracemalloc
also what libraries in C took, and it costs microseconds. What earlier inputs left behind counts
too; an input over its limit is therefore tried again, alone in a child of its own.

Time: that of the processor, since others may be busy on this machine. An input over a second is
tried alone three times, and the shortest counts. A child that says nothing for ``hang_s`` seconds
of the clock is killed, and the input that it was at has failed.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import resource
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path

from lkm.errors import LkmError
from tests.fuzz.inputs import Input, Run, Target

SLOW_S = 1.0
SLOW = "slow"
MEMORY_FACTOR, MEMORY_BASE = 16, 64 << 20
# Against a child that would take the machine's whole memory before its input is over.
_MOST_MEMORY = 6 << 30
_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What came of input *number*: *kind* in a few words, *problem* a traceback or empty."""

    number: int
    kind: str
    seconds: float = 0.0
    memory: int = 0
    size: int = 0
    problem: str = ""

    @property
    def too_large(self) -> bool:
        """Tell whether it took more memory than its size allows."""
        return self.memory > MEMORY_FACTOR * self.size + MEMORY_BASE


@dataclass(slots=True)
class Summary:
    """What came of many inputs; *failures* are those that are defects."""

    count: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    slowest: Seen | None = None
    largest: Seen | None = None
    failures: list[Seen] = field(default_factory=list)

    def add(self, seen: Seen) -> None:
        """Count *seen*."""
        self.count += 1
        self.kinds[seen.kind] += 1
        if self.slowest is None or seen.seconds > self.slowest.seconds:
            self.slowest = seen
        if self.largest is None or seen.memory > self.largest.memory:
            self.largest = seen
        if seen.problem:
            self.failures.append(seen)

    @property
    def defects(self) -> list[Seen]:
        """Those of the failures that no busy machine can have caused: not the slow ones."""
        return [seen for seen in self.failures if seen.kind != SLOW]

    def merge(self, other: Summary) -> None:
        """Add what *other* counted."""
        self.count += other.count
        self.kinds += other.kinds
        self.failures += other.failures
        slowest = [seen for seen in (self.slowest, other.slowest) if seen is not None]
        largest = [seen for seen in (self.largest, other.largest) if seen is not None]
        self.slowest = max(slowest, key=lambda seen: seen.seconds, default=None)
        self.largest = max(largest, key=lambda seen: seen.memory, default=None)


def run_target(
    target: Target, inputs: Callable[[int], Input], numbers: range, *, hang_s: float = 60
) -> Summary:
    """Try those of the *inputs* that have those *numbers*; see ``Summary``."""
    summary = Summary()
    start = numbers.start
    while start < numbers.stop:
        batch = range(start, min(start + _BATCH, numbers.stop))
        for seen in _in_child(target, inputs, batch, hang_s):
            summary.add(_confirmed(target, inputs, seen, hang_s))
            start = seen.number + 1
    return summary


def try_alone(target: Target, data: Input, *, hang_s: float = 60) -> Seen:
    """Try one input in a child of its own."""
    (seen,) = _in_child(target, lambda _number: data, range(1), hang_s)
    return seen


def _confirmed(target: Target, inputs: Callable[[int], Input], seen: Seen, hang_s: float) -> Seen:
    """Return *seen*, as a problem if it is slow or large also when it is tried alone."""
    if seen.problem or (seen.seconds <= SLOW_S and not seen.too_large):
        return seen
    again = [try_alone(target, inputs(seen.number), hang_s=hang_s) for _ in range(3)]
    dead = next((each for each in again if each.problem), None)
    if dead is not None:
        return replace(dead, number=seen.number)
    seconds = min(each.seconds for each in again)
    alone = replace(seen, seconds=seconds, memory=min(each.memory for each in again))
    if alone.too_large:
        problem = f"{alone.memory >> 20} MB for {alone.size} bytes"
        return replace(alone, kind="too large", problem=problem)
    if seconds > SLOW_S:
        return replace(alone, kind=SLOW, problem=f"{seconds:.2f} s for {alone.size} bytes")
    return alone


def _in_child(
    target: Target, inputs: Callable[[int], Input], numbers: range, hang_s: float
) -> Iterator[Seen]:
    """Yield what came of each input; the last one may have hung or killed the child."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory(prefix="lkm-fuzz-", dir=_memory_folder()) as folder:
        child = context.Process(target=_child, args=(target, inputs, numbers, folder, theirs))
        child.start()
        theirs.close()
        try:
            for number in numbers:
                if not ours.poll(hang_s):
                    yield Seen(number=number, kind="hung", problem=f"nothing for {hang_s} s")
                    return
                try:
                    seen = ours.recv()
                except EOFError:
                    child.join()
                    problem = f"the child died, status {child.exitcode}"
                    yield Seen(number=number, kind="died", problem=problem)
                    return
                yield seen
        finally:
            ours.close()
            child.kill()
            child.join()


def _memory_folder() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _child(
    target: Target,
    inputs: Callable[[int], Input],
    numbers: range,
    folder: str,
    answers: Connection[Seen, Seen],
) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    run = target.prepare(Path(folder))
    gc.collect()
    gc.freeze()
    before = _resident("VmRSS")
    for number in numbers:
        answers.send(_tried(run, number, inputs(number), before))
    answers.close()


def _tried(run: Run, number: int, data: Input, before: int) -> Seen:
    problem = ""
    # Where the kernel has no such file the highest size of all inputs so far counts.
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w", encoding="ascii") as peak:
        peak.write("5")
    started = time.process_time()
    try:
        kind = run(data)
    except LkmError as error:
        kind = type(error).__name__
    except BaseException as error:  # noqa: BLE001  # whatever it is, it is what is looked for
        kind = f"!{type(error).__name__}"
        problem = traceback.format_exc()[-6000:]
    return Seen(
        number=number,
        kind=kind,
        seconds=time.process_time() - started,
        memory=max(0, _resident("VmHWM") - before),
        size=len(data.data),
        problem=problem,
    )


def _resident(which: str) -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(which):
                return int(line.split()[1]) << 10
    return 0
