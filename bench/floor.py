"""What nobody can do without: ``floor.py WORK LIST`` prints the seconds that it takes.

WORK is ``depmod``, ``modinfo`` or ``field`` (modinfo -F). Of each file in the list just the parts
needed are read, and nothing is made of them; a compressed one is decompressed. All cores work, each
on its share of the files.
"""

from __future__ import annotations

import lzma
import os
import struct
import sys
import time
from collections.abc import Collection
from pathlib import Path

_PROGBITS, _SYMBOLS, _STRINGS = 1, 2, 3
_TYPES = {"depmod": (_SYMBOLS, _STRINGS)}
_TAILS = {"modinfo": 1024}  # bytes at the end, where the signature is


def main(work: str, listed: str) -> None:
    """Do the work on the files of the list, and print how long it took."""
    paths = Path(listed).read_text().split("\n")
    jobs = len(os.sched_getaffinity(0))
    start = time.perf_counter()
    needed = _TYPES.get(work, ()), _TAILS.get(work, 0)
    children = [_forked(paths[job::jobs], *needed) for job in range(jobs)]
    statuses = [os.waitpid(child, 0)[1] for child in children]
    print(time.perf_counter() - start)
    sys.exit(any(statuses))


def _forked(paths: list[str], types: Collection[int], tail: int) -> int:
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        for path in paths:
            if path.endswith(".xz"):
                lzma.decompress(Path(path).read_bytes())
            else:
                _read(path, types, tail)
        status = 0
    finally:
        os._exit(status)


def _read(path: str, types: Collection[int], tail: int) -> None:
    """Read .modinfo, the sections of these types and the tail of a 64-bit little-endian module."""
    file = os.open(path, os.O_RDONLY)
    header = os.pread(file, 64, 0)
    start, count, names_at = struct.unpack_from("<Q12xHH", header, 40)
    sections = list(struct.iter_unpack("<II16xQQ24x", os.pread(file, 64 * count, start)))
    _, _, offset, size = sections[names_at]
    modinfo = os.pread(file, size, offset).find(b"\0.modinfo\0") + 1
    for name, kind, offset, size in sections:
        if kind in types or (name == modinfo and kind == _PROGBITS):
            os.pread(file, size, offset)
    if tail:
        os.pread(file, tail, os.fstat(file).st_size - tail)
    os.close(file)


if __name__ == "__main__":
    main(*sys.argv[1:])
