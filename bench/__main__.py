"""Time lkm and kmod in turn, A B A B, and print how they compare.

Exit status: 0 when every case asked for was timed, whatever the ratios; 1 when one could not be.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench import machine, report
from bench.cases import CASES, Case
from bench.report import Outcome
from bench.timing import FailedError, compare
from bench.workshop import Workshop
from tests.debian import CACHE, NotHere

_FLOORS = 5  # it needs no pairs, being compared with nothing


def main(words: Sequence[str]) -> int:
    """Run the cases that *words* name."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=f"{__doc__}".partition("\n")[0]
    )
    parser.add_argument("word", nargs="*", help="only the cases whose names have one of these")
    parser.add_argument("--pairs", type=int, default=7, help="of runs, at least (default: 7)")
    args = parser.parse_args(words)
    if args.pairs < 1:
        parser.error("at least one pair")
    chosen = [case for case in CASES if not args.word or any(w in case.name for w in args.word)]
    if not chosen:
        parser.error("no case has such a name; there are:\n" + "\n".join(c.name for c in CASES))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of the clearing away
    for name in ("MODPROBE_OPTIONS", "KMOD_LOG"):
        os.environ.pop(name, None)
    # Beside the kernels, since hard links reach no other file system.
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=CACHE) as folder:
        workshop = Workshop(Path(folder))
        os.environ.update(
            LKM_CACHE=str(workshop.remembered), LKM_STATE=f"{folder}/state", LC_ALL="C.UTF-8"
        )
        return _run(chosen, workshop, args.pairs)


def _run(cases: Sequence[Case], workshop: Workshop, pairs: int) -> int:
    """Time the *cases* and print what came of them; why one cannot be timed is told."""
    outcomes: list[Outcome] = []
    status = 0
    print(machine.described(workshop, pairs), end="", flush=True)
    warning = machine.disturbed(os.getloadavg()[0], len(os.sched_getaffinity(0)))
    if warning:
        print(warning, file=sys.stderr, flush=True)
    for place, case in enumerate(cases, 1):
        progress = Progress(f"{place}/{len(cases)} {case.name}", pairs * case.times)
        try:
            outcomes.append(_timed(case, workshop, progress))
        except (NotHere, FailedError) as reason:
            progress.end(f"left out: {reason}")
            status = 1
        except KeyboardInterrupt:
            progress.end("interrupted")
            status = 130
            break
    print(machine.kernels(workshop))
    print(report.times(outcomes))
    print(report.memory(outcomes), end="")
    return status


def _timed(case: Case, workshop: Workshop, progress: Progress) -> Outcome:
    progress.say("preparing")
    contest = case.prepare(workshop)
    compared = compare(contest, progress.pairs, progress.pair)
    peaks = floor = None
    if contest.memory:
        progress.say("memory")
        peaks = contest.ours.peak(), contest.theirs.peak()
    if contest.floor is not None:
        progress.say("floor")
        contest.floor.seconds()
        floor = median(contest.floor.seconds() for _ in range(_FLOORS))
    progress.end(report.number(compared.ratio))
    return Outcome(case=case, compared=compared, floor=floor, peaks=peaks)


class Progress:
    """Where one case is: on a terminal one line that changes, elsewhere a line at its end."""

    def __init__(self, name: str, pairs: int) -> None:
        self.name = name
        self.pairs = pairs

    def pair(self, number: int) -> None:
        """Say that a pair is being run; number 0 does not count."""
        self.say(f"pair {number} of {self.pairs}" if number else "warming up")

    def say(self, what: str) -> None:
        """Show what is being done."""
        if sys.stderr.isatty():
            print(f"\r\x1b[K{self.name}: {what}", end="", file=sys.stderr, flush=True)

    def end(self, what: str) -> None:
        """Show how it ended."""
        start = "\r\x1b[K" if sys.stderr.isatty() else ""
        print(f"{start}{self.name}: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
