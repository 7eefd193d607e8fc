"""Read and compare symbol tables of 200,000 lines, which ``tables.py FOLDER`` writes.

``tables.py FOLDER WORK FILE`` prints the seconds that a work takes on ``before`` and that file, or
on that file alone.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from lkm.kallsyms.diff import compare
from lkm.kallsyms.snapshot import read_snapshot, write_snapshot

_COUNT = 200_000
_OWN = 160_000  # of the kernel itself; all others are of modules


def write(folder: Path) -> None:
    """Write ``before``, what may become of it, and some of these as snapshots (``.saved``)."""
    lines = _lines()
    chance = random.Random(2)
    module = [f"{0xFFFFFFFFC1000000 + 32 * n:016x} t fn{n}\t[btrfs]" for n in range(4000)]
    tables = {
        "before": lines,
        "loaded": lines[:_OWN] + module + lines[_OWN:],
        "moved": [f"{int(line[:16], 16) + 0x2000000:016x}{line[16:]}" for line in lines],
        "thinned": [line for line in lines if chance.random() < 0.99],
    }
    for name, table in tables.items():
        (folder / name).write_text("\n".join(table) + "\n")
    for name in ("before", "loaded", "moved"):
        write_snapshot(read_snapshot(str(folder / name)), str(folder / f"{name}.saved"))


def _lines() -> list[str]:
    own = [
        f"{0xFFFFFFFF81000000 + 64 * n:016x} t some_function_of_{n % 9973}_{n}" for n in range(_OWN)
    ]
    rest = [
        f"{0xFFFFFFFFC0200000 + 64 * n:016x} t module_function_{n}\t[module{n // 400}]"
        for n in range(_COUNT - _OWN)
    ]
    return own + rest


def _split(before: Path, after: Path) -> None:
    for path in (before, after):
        path.read_text().split("\n")


def _diff(before: Path, after: Path) -> None:
    compare(read_snapshot(str(before)), read_snapshot(str(after)))


def _diff_saved(before: Path, after: Path) -> None:
    _diff(Path(f"{before}.saved"), Path(f"{after}.saved"))


def _parse(_before: Path, after: Path) -> None:
    _ = read_snapshot(str(after)).names  # nothing is taken apart before it has to be


def _load(_before: Path, after: Path) -> None:
    _ = read_snapshot(f"{after}.saved").names


_WORKS: Mapping[str, Callable[[Path, Path], None]] = {
    "split": _split,
    "diff": _diff,
    "diff-saved": _diff_saved,
    "parse": _parse,
    "load": _load,
}


def main(folder: str, work: str = "", file: str = "") -> None:
    """Write the tables, or time one work."""
    if not work:
        write(Path(folder))
        return
    before, after = Path(folder, "before"), Path(folder, file)
    start = time.perf_counter()
    _WORKS[work](before, after)
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main(*sys.argv[1:])
