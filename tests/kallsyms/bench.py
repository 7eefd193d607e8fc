"""Time the reading and comparing of tables of 200,000 lines: python -m tests.kallsyms.bench.

The measure is what Python needs to read both files and to split their lines. Each figure is the
best of several runs, in milliseconds.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lkm.kallsyms.diff import compare
from lkm.kallsyms.snapshot import read_snapshot, write_snapshot
from lkm.kallsyms.table import SymbolTable

_COUNT = 200_000
_RUNS = 7


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        _measure(Path(folder))


def _measure(folder: Path) -> None:
    before, loaded, moved, scattered, saved, saved_loaded = (
        folder / name for name in ("before", "loaded", "moved", "scattered", "saved", "saved2")
    )
    lines = _lines()
    chance = random.Random(2)
    module = [f"{0xFFFFFFFFC1000000 + 32 * n:016x} t fn{n}\t[btrfs]" for n in range(4000)]
    _write(before, lines)
    _write(loaded, lines[:160_000] + module + lines[160_000:])
    _write(moved, [f"{int(line[:16], 16) + 0x2000000:016x}{line[16:]}" for line in lines])
    _write(scattered, [line for line in lines if chance.random() < 0.99])
    write_snapshot(read_snapshot(str(before)), str(saved))
    write_snapshot(read_snapshot(str(loaded)), str(saved_loaded))

    def both(one: Path, two: Path) -> Callable[[], object]:
        return lambda: compare(read_snapshot(str(one)), read_snapshot(str(two)))

    text = before.read_bytes()
    print(f"{_COUNT} lines, {len(text)} bytes; snapshot {saved.stat().st_size} bytes")
    _time("read both files, split their lines", lambda: (_split(before), _split(loaded)))
    _time("parse one", lambda: SymbolTable.from_text(text))
    _time("parse one, with all columns", lambda: SymbolTable.from_text(text).columns)
    _time("read one snapshot", lambda: read_snapshot(str(saved)))
    _time("read and diff: a module was loaded", both(before, loaded))
    _time("read and diff two snapshots of that", both(saved, saved_loaded))
    _time("read and diff: 1 line in 100 went", both(before, scattered))
    _time("read and diff: all moved", both(before, moved))


def _split(path: Path) -> list[str]:
    return path.read_text().split("\n")


def _lines() -> list[str]:
    own = [
        f"{0xFFFFFFFF81000000 + 64 * n:016x} t some_function_of_{n % 9973}_{n}"
        for n in range(160_000)
    ]
    rest = [
        f"{0xFFFFFFFFC0200000 + 64 * n:016x} t module_function_{n}\t[module{n // 400}]"
        for n in range(_COUNT - len(own))
    ]
    return own + rest


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n")


def _time(what: str, call: Callable[[], object]) -> None:
    best = min(_once(call) for _ in range(_RUNS))
    print(f"{best * 1000:8.1f}  {what}")


def _once(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
