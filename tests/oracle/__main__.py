"""Run the declared cases and show what differs: ``python -m tests.oracle [WORD...]``.

With words only the cases whose names hold one of them; with -v also what was seen of each.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.oracle.cases import cases
from tests.oracle.compare import Comparer, Verdict, a_folder
from tests.oracle.declared import unused


def main(words: list[str]) -> int:
    verbose = "-v" in words
    wanted = [word for word in words if word != "-v"]
    chosen = [case for case in cases() if not wanted or any(word in case.name for word in wanted)]
    kmod = Path("/usr/bin/kmod")
    links = Path(tempfile.mkdtemp())
    for tool in ("kmod", "depmod"):
        (links / tool).symlink_to(kmod)
    wrong = 0
    with a_folder() as folder:
        comparer = Comparer(folder, links / "kmod")
        for case in chosen:
            verdict = comparer.compare(case)
            wrong += bool(verdict.problems)
            if verdict.problems or verbose:
                print(f"== {case.name}")
                _show(verdict)
    agreeing = len(chosen) - wrong
    print(f"{len(chosen)} cases, {agreeing} agree; by declared difference: {dict(comparer.used)}")
    idle = [] if wanted else unused(comparer.used)
    if idle:
        print(f"!! declared, but needed by no case: {', '.join(idle)}")
    return 1 if wrong or idle else 0


def _show(verdict: Verdict) -> None:
    for name, seen in (("kmod", verdict.kmod), ("lkm", verdict.lkm)):
        print(f"-- {name}: status {seen.status}")
        for stream in (seen.out, seen.err):
            print(stream.decode("utf-8", "backslashreplace"), end="")
        for call in seen.calls:
            print(f"   {call}")
    for problem in verdict.problems:
        print(f"!! {problem:.1000}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
