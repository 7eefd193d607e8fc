"""Hold the sandbox against real kernels, or record what one answers: see README.md.

python -m tests.outcomes                    live: boot 6.1 and 6.12, compare every case
python -m tests.outcomes 6.1 WORD           one of them, the cases whose ids hold WORD
python -m tests.outcomes record PACKAGE     boot a package's kernel once a case, write it down
python -m tests.outcomes root PACKAGE       write anew what replaying needs, without booting
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.debian import NotHere
from tests.outcomes.case import EVERY, Series
from tests.outcomes.holding import Held, boot, hold
from tests.outcomes.kernels import (
    RealKernel,
    UnknownSeriesError,
    cases_for,
    in_boots,
    newest_kernel,
    run_for_real,
    steps_by_case,
)
from tests.outcomes.records import RECORDS, record, write_root

_WORDS = ("live", "record", "root")


def main(words: Sequence[str]) -> int:
    """Do what the words say; return the exit status."""
    # What is done most has no word of its own: "6.1 elf" is "live 6.1 elf".
    first = words[0] if words else ""
    args = _parser().parse_args(words if first in {*_WORDS, "-h", "--help"} else ["live", *words])
    try:
        if args.command == "live":
            return _live(args.words)
        kernel = RealKernel.of(args.package)
        if args.command == "record":
            made = record(kernel, args.word, say=lambda text: print(text, flush=True))
            print(f"written: {made.folder}")
        else:
            path = Path(args.into) / kernel.release / "root.tar.xz"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_root(kernel, cases_for(kernel.series), path)
            print(f"written: {path}")
    except (NotHere, UnknownSeriesError) as error:
        print(f"tests.outcomes: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.outcomes")
    commands = parser.add_subparsers(dest="command", required=True)
    live = commands.add_parser("live", help="boot kernels and compare (where no command is given)")
    live.add_argument(
        "words", nargs="*", metavar="SERIES|WORD", help="6.1 or 6.12; a part of cases' ids"
    )
    recording = commands.add_parser("record", help="boot a kernel once a case, and write it down")
    recording.add_argument("package", help="a package of Debian's, as linux-image-6.1.0-56-amd64")
    recording.add_argument(
        "word", nargs="?", default="", help="record these cases anew; without, those that are new"
    )
    root = commands.add_parser("root", help="write what replaying needs, without booting")
    root.add_argument("package", help="as with record")
    root.add_argument("--into", default=RECORDS, metavar="FOLDER", help="instead of records/")
    return parser


def _live(words: Sequence[str]) -> int:
    chosen = [series for series in EVERY if series in words] or EVERY
    others = [word for word in words if word not in EVERY]
    if len(others) > 1:
        print(f"tests.outcomes: one word at most, not {' '.join(others)}", file=sys.stderr)
        return 2
    failed = [live(series, "".join(others)) for series in chosen]
    return 1 if any(failed) else 0


def live(series: Series, word: str) -> bool:
    """Hold the cases of a series against its newest kernel; print, and tell whether any differ."""
    kernel = newest_kernel(series)
    held = held_live(kernel, word)
    bad = [each for each in held if each.differs]
    steps = sum([each.steps for each in held])
    print(f"{kernel.release}: {len(held) - len(bad)} of {len(held)} cases agree, {steps} steps")
    for each in bad:
        print(f"  {each.case.id}: {each.case.what}")
        for line in each.differs:
            print(f"    {line}")
    return bool(bad)


def held_live(kernel: RealKernel, word: str = "") -> list[Held]:
    """Boot *kernel*, run its cases in rows, and hold the sandbox against them in the same rows."""
    held: list[Held] = []
    for row in in_boots(cases_for(kernel.series, word)):
        real = steps_by_case(row, run_for_real(kernel, row))
        with tempfile.TemporaryDirectory() as folder:
            sandbox = boot(Path(folder) / "s", kernel.root, kernel.release, row[0].command_line)
            with sandbox:
                held += hold(sandbox, row, kernel, real)
    return held


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
