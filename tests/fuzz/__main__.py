"""Fuzz lkm: ``python -m tests.fuzz [--seed N] [--count N] [--target WORD] [--jobs N]``.

See tests/fuzz/README.md.
"""

from __future__ import annotations

import argparse
import functools
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.inputs import Input, Target, made
from tests.fuzz.running import Seen, Summary, run_target, try_alone
from tests.fuzz.targets import TARGETS

_SHOWN_KINDS = 6


def main(words: Sequence[str] | None = None) -> int:
    """Try many inputs, or one again; return 1 if any is a defect."""
    args = _parser().parse_args(words)
    if args.repeat:
        return _repeat(Path(args.repeat))
    chosen = [target for name, target in TARGETS.items() if not args.target or args.target in name]
    found = Path(args.found or tempfile.mkdtemp(prefix="lkm-fuzz-found-"))
    total = failures = 0
    for target in chosen:
        seeds = target.seeds(not args.small)
        numbers = range(args.first, args.first + max(1, args.count // target.cost))
        inputs = functools.partial(made, target, seeds, args.seed)
        summary = _in_jobs(target, inputs, numbers, args.jobs)
        print(_line(target, summary), flush=True)
        for seen in _of_each_sort(summary.failures):
            print(_kept(found, target, inputs(seen.number), args.seed, seen), flush=True)
        total += summary.count
        failures += len(summary.failures)
    print(f"{total} inputs of {len(chosen)} targets, seed {args.seed}: {failures} defects")
    return 1 if failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seed", type=int, default=1, help="other inputs for each")
    parser.add_argument("--first", type=int, default=0, help="the number of the first input")
    parser.add_argument(
        "--count", type=int, default=2000, help="of the quickest targets; slow ones get fewer"
    )
    parser.add_argument("--target", default="", help="only targets with WORD in their name")
    parser.add_argument("--jobs", type=int, default=1, help="children at a time")
    parser.add_argument("--small", action="store_true", help="no real kernel's files, as in CI")
    parser.add_argument("--found", help="the folder for inputs that are defects")
    parser.add_argument("--repeat", metavar="FILE", help="try one file, named TARGET/...@NAME")
    return parser


def _in_jobs(target: Target, inputs: Callable[[int], Input], numbers: range, jobs: int) -> Summary:
    share = -(-len(numbers) // jobs)
    parts = [numbers[start : start + share] for start in range(0, len(numbers), share)]
    with ThreadPoolExecutor(jobs) as pool:
        done = pool.map(lambda part: run_target(target, inputs, part), parts)
    whole = Summary()
    for summary in done:
        whole.merge(summary)
    return whole


def _line(target: Target, summary: Summary) -> str:
    kinds = ", ".join(f"{kind} {count}" for kind, count in summary.kinds.most_common(_SHOWN_KINDS))
    slowest, largest = summary.slowest, summary.largest
    costs = ""
    if slowest is not None and largest is not None:
        costs = f"slowest {slowest.seconds:.2f} s (#{slowest.number}), "
        costs += f"most memory {largest.memory >> 20} MB (#{largest.number}, {largest.size} bytes)"
    return f"{target.name:<14} {summary.count:>6} inputs; {costs}; {kinds}"


def _of_each_sort(failures: Sequence[Seen]) -> list[Seen]:
    """Return the first of the failures that end in the same lines of a traceback."""
    sorts = {
        "".join(seen.problem.splitlines()[-4:-1]) or seen.kind: seen for seen in failures[::-1]
    }
    return sorted(sorts.values(), key=lambda seen: seen.number)


def _kept(folder: Path, target: Target, data: Input, seed: int, seen: Seen) -> str:
    path = folder / target.name / f"{seed}-{seen.number}@{data.name}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.data)
    problem = "\n".join("    " + line for line in seen.problem.splitlines()[-14:])
    again = f"  python -m tests.fuzz --repeat {path}"
    return f"  !! {seen.kind}, seed {seed} #{seen.number}\n{problem}\n{again}"


def _repeat(path: Path) -> int:
    target = TARGETS[path.parent.name]
    seen = try_alone(target, Input(path.name.partition("@")[2], path.read_bytes()))
    print(f"{seen.kind}, {seen.seconds:.2f} s, {seen.memory >> 20} MB", seen.problem, sep="\n")
    return 1 if seen.problem or seen.too_large else 0


if __name__ == "__main__":
    sys.exit(main())
