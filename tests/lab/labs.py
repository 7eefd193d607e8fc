"""Labs for tests: Debian's kernels, unpacked once, and what a command comes to on them."""

from __future__ import annotations

from dataclasses import dataclass

from lkm.errors import NoLabProgramError
from lkm.lab import runs
from lkm.lab.runs import Run
from lkm.lab.setup import LabKernel, LabRequest
from tests.conftest import missing
from tests.debian import NotHere
from tests.outcomes.kernels import RealKernel, newest_kernel


@dataclass(frozen=True)
class Said:
    """What a command wrote, and how it ended."""

    run: Run
    status: int | None
    out: str
    err: str


def a_kernel(series: str) -> RealKernel:
    """Return Debian's newest kernel of *series*, or skip."""
    try:
        return newest_kernel("6.12" if series == "6.12" else "6.1")
    except NotHere as error:
        missing("debian", str(error))
        raise


def lab_of(kernel: RealKernel) -> LabKernel:
    """Return that kernel for the lab."""
    image = kernel.root / f"boot/vmlinuz-{kernel.release}"
    return LabKernel(release=kernel.release, root=str(kernel.root), image=str(image))


def run_in_lab(kernel: RealKernel, request: LabRequest, *, timeout_s: float = 120) -> Said:
    """Run the command of *request* on *kernel*, or skip where there is no QEMU."""
    run = runs.run_in_lab(lab_of(kernel), request, timeout_s=timeout_s)
    if isinstance(run.error, NoLabProgramError):
        missing("lab", str(run.error))
    status = None if run.ended is None else run.ended.status
    return Said(run, status, run.out.decode(errors="replace"), run.err.decode(errors="replace"))
