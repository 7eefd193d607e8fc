"""What reads what a guest says, and the programs that are put into one."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Sequence
from pathlib import Path

from lkm.elf.dynamic import read_dynamic
from lkm.elf.file import ElfFile
from lkm.elf.segments import mapped_part
from lkm.errors import FormatError
from lkm.kernel.kmsg import kernel_lines
from lkm.lab.batch import parse_output
from lkm.lab.channel import Frame, Reader, parse_status
from lkm.lab.faults import find_fault
from tests.fuzz import corpus
from tests.fuzz.inputs import ContradictionError, Input, Run, Target
from tests.fuzz.mutate import mutate_bytes, mutate_either, mutate_lines
from tests.fuzz.mutate_elf import mutate_elf

_PACKED = gzip.compress(b"vfat 24576 0 - Live 0xffffffffc0220000\n" * 40, mtime=0)
_FRAMES = b"hello 0\nout 5\nModuloutz %d\n%serr 3\n\xff\x00\nstate 0\nended 1\n7status 1\n7" % (
    len(_PACKED),
    _PACKED,
)
_CONSOLE = b"""[    6.5] BUG: kernel NULL pointer dereference, address: 0000000000000000
[    6.5] Oops: 0000 [#1] PREEMPT SMP NOPTI
[    6.5] RIP: 0010:tm_oops_init+0x5/0x1000 [tm_oops]
[    6.5] Modules linked in: tm_oops(OE+) vfat fat
[    6.6] ---[ end trace 0000000000000000 ]---
[    6.7] Kernel panic - not syncing: Fatal exception
lab: exit status 3
"""
_KMSG = b"""4,512,6500123,-;tm_ok: loading out-of-tree module taints kernel.
 SUBSYSTEM=module
3,513,6500124,c;tm: a \\x1b[31m line\\x0aand more
14,514,6500125,-;from a user
"""


def _channel(_folder: Path) -> Run:
    def run(given: Input) -> str:
        whole = _frames([given.data])
        if _frames([given.data[:9], given.data[9:40], given.data[40:]]) != whole:
            raise ContradictionError("in parts it says something else")
        for frame in whole:
            if isinstance(frame, Frame) and frame.kind == "status":
                parse_status(frame.data)
        return f"{len(whole)} frames"

    return run


def _frames(parts: Sequence[bytes]) -> list[Frame | str]:
    """Return the frames in *parts*, and in the end what was wrong."""
    reader = Reader()
    found: list[Frame | str] = []
    try:
        for part in parts:
            found += reader.feed(part)
    except FormatError as error:
        found.append(error.problem)
    return found


def _console(_folder: Path) -> Run:
    def run(given: Input) -> str:
        parse_output(given.data)
        fault = find_fault(given.data.decode(errors="replace"))
        return "no fault" if fault is None else fault.kind

    return run


def _kmsg(_folder: Path) -> Run:
    return lambda given: "some" if kernel_lines(given.data) else "none"


def _program(_folder: Path) -> Run:
    def run(given: Input) -> str:
        cut = mapped_part(given.data)
        if mapped_part(cut) != cut:
            raise ContradictionError("what is cut can be cut again")
        return f"{len(read_dynamic(ElfFile.from_bytes(given.data)).needed)} libraries"

    return run


def _programs(_real: bool) -> Sequence[Input]:
    found = shutil.which("true")
    own = [Input("true", Path(found).read_bytes())] if found else []
    return [*own, *corpus.built_modules()[:2]]


TARGETS = (
    Target(
        name="lab-channel",
        seeds=lambda _real: [Input("frames", _FRAMES)],
        mutate=mutate_either,
        prepare=_channel,
    ),
    Target(
        name="lab-console",
        seeds=lambda _real: [Input("console", _CONSOLE)],
        mutate=mutate_lines,
        prepare=_console,
    ),
    Target(
        name="kmsg", seeds=lambda _real: [Input("kmsg", _KMSG)], mutate=mutate_bytes, prepare=_kmsg
    ),
    Target(name="program", seeds=_programs, mutate=mutate_elf, prepare=_program),
)
