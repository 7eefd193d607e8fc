"""Run a guest whose init does all it has to by itself, then powers off: how kernels are recorded.

Its second port takes what that init says; the last line tells how it ended, and that it ended:

    lab: exit status NUMBER
"""

from __future__ import annotations

import selectors
import socket
import time
from dataclasses import dataclass

from lkm.errors import GuestFailedError, GuestTimedOutError
from lkm.lab.qemu import Guest, Machine, started

END = "lab: exit status "

# As many lines tell why a guest ended; a stack trace has about so many.
_LAST_LINES = 60
_CHUNK = 1 << 16
_APPEND = "console=ttyS0 quiet panic=-1 rdinit=/init"


@dataclass(frozen=True, slots=True)
class Said:
    """What stood on the second port: the *output* before the end line, and the exit *status*.

    *status* is None where the line is missing: the guest died, or was stopped.
    """

    output: str
    status: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A guest that powered off: its init's exit *status* and *output*, the kernel's *console*."""

    status: int
    output: str
    console: str
    duration_s: float


def run(
    kernel: bytes,
    initramfs: bytes,
    *,
    append: str = "",
    memory_mb: int = 512,
    timeout_s: float = 120,
) -> Finished:
    """Boot the ELF *kernel* with *initramfs*; *append* goes behind the command line.

    Raises ``NoLabProgramError``, ``GuestTimedOutError``, and ``GuestFailedError`` where the guest
    ended before its init said how it had ended.
    """
    machine = Machine(
        kernel=kernel,
        initramfs=[initramfs],
        command_line=f"{_APPEND} {append}".rstrip(),
        cpu="",
        memory_mb=memory_mb,
    )
    begun = time.monotonic()
    with started(machine) as guest:
        in_time, console, output = _listen(guest, begun + timeout_s)
        guest.process.kill()
        said = guest.said()
    last = tuple([*said.splitlines(), *as_text(console).splitlines()][-_LAST_LINES:])
    told = parse_output(output)
    if not in_time:
        raise GuestTimedOutError(timeout_s, as_text(output), last)
    if told.status is None:
        raise GuestFailedError(told.output, last)
    return Finished(
        status=told.status,
        output=told.output,
        console=as_text(console),
        duration_s=time.monotonic() - begun,
    )


def parse_output(data: bytes) -> Said:
    """Return what the guest said; bytes that are no UTF-8 are replaced."""
    text = as_text(data)
    before, found, rest = text.rpartition(END)
    number = rest.strip()
    if not found or not (number.isascii() and number.isdigit() and len(number) <= 3):
        return Said(text, None)
    return Said(before, int(number))


def as_text(data: bytes) -> str:
    """Return what came over a serial line, whose lines end with CR LF, as plain lines."""
    return data.decode(errors="replace").replace("\r\n", "\n")


def _listen(guest: Guest, end: float) -> tuple[bool, bytes, bytes]:
    """Return whether the guest ended before *end*, and what came from its two ports."""
    taken: dict[socket.socket, bytearray] = {
        guest.console: bytearray(),
        guest.channel: bytearray(),
    }
    left = dict(taken)
    with selectors.DefaultSelector() as selector:
        for each in left:
            selector.register(each, selectors.EVENT_READ)
        while left and (remains := end - time.monotonic()) > 0:
            for key, _events in selector.select(remains):
                port = key.fileobj
                assert isinstance(port, socket.socket), "only these were registered"
                data = _received(port)
                taken[port] += data
                if not data:
                    selector.unregister(port)
                    del left[port]
    return not left, bytes(taken[guest.console]), bytes(taken[guest.channel])


def _received(port: socket.socket) -> bytes:
    try:
        return port.recv(_CHUNK)
    except OSError:
        return b""
