"""What came of a command in a guest, as one value: how it ended, what it wrote, or what failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lkm.errors import GuestFailedError, GuestOutputError, LkmError
from lkm.lab.session import Ended, Sink, run_command
from lkm.lab.setup import LabKernel, LabRequest, set_up
from lkm.lab.terminal import run_shell

_MOST_KEPT = 64 << 20

Verdict = Literal["ended", "oops", "panic", "timeout", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run on the kernel *release*.

    *ended* is None where the guest came to nothing by *error*. *out* and *err* are what the command
    wrote, where that was kept. *notices* are what is good to know of the guest.
    """

    release: str
    ended: Ended | None
    error: LkmError | None = None
    out: bytes = b""
    err: bytes = b""
    notices: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """How it ended; ``ended`` is by the command itself, whatever its status."""
        if self.ended is None:
            return "failed"
        if self.ended.hung:
            return "timeout"
        if self.ended.fault is None:
            return "ended"
        return self.ended.fault.kind if self.ended.came else "failed"


def run_in_lab(kernel: LabKernel, request: LabRequest, *, timeout_s: float = 300) -> Run:
    """Run the command of *request* in a fresh guest, and keep what it writes.

    Raises nothing of lkm's: an error is part of the answer.
    """
    out, err = bytearray(), bytearray()
    notices: tuple[str, ...] = ()
    try:
        lab = set_up(kernel, request)
        notices = lab.notices
        ended = run_command(lab.machine, out.extend, err.extend, timeout_s=timeout_s)
    except LkmError as error:
        return Run(release=kernel.release, ended=None, error=error, notices=notices)
    return Run(release=kernel.release, ended=ended, out=bytes(out), err=bytes(err), notices=notices)


def run_shown(
    kernel: LabKernel,
    request: LabRequest,
    *,
    out: Sink,
    err: Sink,
    notice: Callable[[str], None],
    timeout_s: float | None,
) -> Run:
    """Run the command of *request* in a fresh guest, and hand on what it writes as it comes.

    *notice* is told what is good to know before the guest starts. With ``on_terminal`` the command
    has this process's terminal. Raises what ``set_up`` and the run do.
    """
    lab = set_up(kernel, request)
    for text in lab.notices:
        notice(text)
    if request.on_terminal:
        ended = run_shell(lab.machine, timeout_s=timeout_s)
    else:
        assert timeout_s is not None, "only a person at a terminal waits for ever"
        ended = run_command(lab.machine, out, err, timeout_s=timeout_s)
    return Run(release=kernel.release, ended=ended, notices=lab.notices)


def _into(kept: bytearray) -> Sink:
    def keep(data: bytes) -> None:
        if len(kept) + len(data) > _MOST_KEPT:
            error = GuestOutputError(f"the command wrote more than {_MOST_KEPT >> 20} MiB")
            error.remedy = "that is too much to keep; run it where it is handed on as it comes"
            raise error
        kept.extend(data)

    return keep


def last_lines(error: LkmError | None) -> tuple[str, ...]:
    """Return what a guest that failed had said last."""
    return error.last if isinstance(error, GuestFailedError) else ()
