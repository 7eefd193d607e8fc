"""Hold the sandbox against real kernels, or record one anew.

python -m tests.outcomes                    live: boot 6.1 and 6.12, compare every case
python -m tests.outcomes 6.1 WORD           one of them, the cases whose ids hold WORD
python -m tests.outcomes record PACKAGE     boot a package's kernel once a case, write it down;
                                            what is recorded is kept, but for a WORD behind it
python -m tests.outcomes root PACKAGE       write anew what replaying needs, without booting
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.outcomes.holding import Held, boot, hold
from tests.outcomes.kernels import (
    RealKernel,
    cases_for,
    in_boots,
    newest_kernel,
    run_for_real,
    steps_by_case,
)
from tests.outcomes.records import RECORDS, record, write_root

_SERIES = ("6.1", "6.12")


def main(words: list[str]) -> int:
    """Do what the words say."""
    if words[:1] == ["record"]:
        kernel, word = RealKernel.of(words[1]), "".join(words[2:3])
        made = record(kernel, word, say=lambda text: print(text, flush=True))
        print(f"written: {made.folder}")
        return 0
    if words[:1] == ["root"]:
        kernel = RealKernel.of(words[1])
        path = RECORDS / kernel.release / "root.tar.xz"
        write_root(kernel, cases_for(kernel.series), path)
        print(f"written: {path}")
        return 0
    chosen = [word for word in words if word in _SERIES] or list(_SERIES)
    others = [word for word in words if word not in _SERIES]
    failed = [live(series, others[0] if others else "") for series in chosen]
    return 1 if any(failed) else 0


def live(series: str, word: str) -> bool:
    """Hold the cases of a series against its newest kernel; print, and tell whether any differ."""
    kernel = newest_kernel("6.1" if series == "6.1" else "6.12")
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
