"""Run one command in a guest, from its start to its end, whatever that is."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from lkm.errors import FormatError, GuestFailedError, GuestOutputError
from lkm.lab.channel import Frame, Reader, parse_status
from lkm.lab.faults import Fault, find_fault
from lkm.lab.qemu import Guest, Machine, started

Sink = Callable[[bytes], None]
"""Takes bytes as they come; raises ``TimeoutError`` where nobody takes them from it."""

_CHUNK = 1 << 16
# How long an oops may take to be written.
_FAULT_S = 2.0
# A process that the command has left behind may be silent for so long, and write for so long.
_SILENT_S = 2.0
_LEFT_BEHIND_S = 10.0
# What a guest that hangs is given to say where.
_STATE_S = 1.5
_TRACE_S = 3.0
_ON_ITS_WAY_S = 0.02
_TURN_S = 0.25
_MOST_CONSOLE = 1 << 22
_LAST_LINES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a guest ended.

    *status* is the command's, None where that had not ended. *fault* is the oops or panic that
    there was. *hung* tells that its time was over, and *stuck* which modules were not Live then,
    as lines of ``/proc/modules``; *came* whether its kernel had come to the init at all. *console*
    is what the kernel said.
    """

    status: int | None
    fault: Fault | None
    hung: bool
    stuck: tuple[str, ...]
    came: bool
    console: str
    duration_s: float

    @property
    def last(self) -> tuple[str, ...]:
        """The last lines that the kernel said."""
        return tuple(self.console.splitlines()[-_LAST_LINES:])


def run_command(machine: Machine, out: Sink, err: Sink, *, timeout_s: float) -> Ended:
    """Start *machine*, hand what its command writes to *out* and *err* as it comes; wait for it.

    Raises ``GuestFailedError`` where the guest ended by itself before its command did, and said
    nothing of a fault; and what starting it raises.
    """
    with started(machine) as guest:
        return Session(guest, out, err).run(timeout_s)


class Session:
    """A guest, and what it has said so far.

    *out* and *err* take what its command writes. *ends_with_oops* tells whether an oops is the end.
    *on_hello* is called when its init has come, *on_oops* when an oops has been told to its end.
    """

    def __init__(self, guest: Guest, out: Sink, err: Sink, *, ends_with_oops: bool = True) -> None:
        self.on_hello: Callable[[], None] | None = None
        self.on_oops: Callable[[Fault], None] | None = None
        self._guest = guest
        self._sinks = {"out": out, "err": err}
        self._ends_with_oops = ends_with_oops
        self._reader = Reader()
        self._console = bytearray()
        self._started = time.monotonic()
        self._stopped: float | None = None
        self._selector = selectors.DefaultSelector()
        self._takers: dict[int, Sink] = {}
        self._ports: set[int] = set()
        self._came = False
        self._status: int | None = None
        self._ended_at: float | None = None
        self._heard_at = self._started
        self._is_stalled = False
        self._fault_at: float | None = None
        self._done = False
        self._state: bytes | None = None
        self._ports = {
            self.also(guest.console, self._take_console),
            self.also(guest.channel, self._take_channel),
        }

    def also(self, port: socket.socket | int, sink: Sink) -> int:
        """Give *sink* what comes from *port* while the guest runs; return its descriptor."""
        descriptor = port if isinstance(port, int) else port.fileno()
        self._selector.register(descriptor, selectors.EVENT_READ)
        self._takers[descriptor] = sink
        return descriptor

    def run(self, timeout_s: float | None) -> Ended:
        """Wait until the command has ended, or something else ends the guest."""
        end = None if timeout_s is None else self._started + timeout_s
        with self._selector:
            hung = not self._listen(end, self._is_over) and self._status is None
            self._stopped = time.monotonic()
            asks = hung and self._came and not self._is_stalled
            stuck = self._ask_where() if asks else ()
            # What is on its way: an oops may have come with the status of the command it killed.
            self._listen(time.monotonic() + _ON_ITS_WAY_S, lambda: False)
            if self._fault_at is not None:
                self._listen(time.monotonic() + _FAULT_S, self._is_told)
        return self._outcome(hung=hung, stuck=stuck)

    def _listen(self, end: float | None, is_over: Callable[[], bool]) -> bool:
        """Take what comes until *is_over*, or the guest has ended; False where time was over."""
        while self._ports and not is_over():
            left = _TURN_S if end is None else end - time.monotonic()
            ready = self._selector.select(max(0, min(left, _TURN_S)))
            for key, _events in ready:
                self._take(key.fd)
            if (end is not None and left <= 0) or self._is_stalled:
                return False
        return True

    def _take(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._takers[descriptor](data)
            return
        self._selector.unregister(descriptor)
        self._ports.discard(descriptor)

    def _take_console(self, data: bytes) -> None:
        # A line may come in parts.
        seen = self._console.rfind(b"\n") + 1
        self._console += data
        if self._fault_at is None and find_fault(_text(self._console[seen:])) is not None:
            self._fault_at = time.monotonic()
        if self._fault_at is not None and self.on_oops is not None:
            fault = find_fault(_text(self._console))
            if fault is not None and fault.ended:
                self.on_oops(fault)
                self.on_oops = None
        if self._fault_at is None:
            del self._console[:-_MOST_CONSOLE]
        else:  # the first fault is what counts
            del self._console[2 * _MOST_CONSOLE :]

    def _take_channel(self, data: bytes) -> None:
        self._heard_at = time.monotonic()
        try:
            for frame in self._reader.feed(data):
                self._take_frame(frame)
        except FormatError as error:
            raise GuestFailedError(str(error), self._last()) from None
        except TimeoutError:  # whoever reads has not taken it in time
            self._is_stalled = True

    def _take_frame(self, frame: Frame) -> None:
        if frame.kind in self._sinks:
            self._sinks[frame.kind](frame.data)
        elif frame.kind == "lost":
            raise GuestOutputError("what the command wrote is lost: what takes it was killed, too")
        elif frame.kind == "hello":
            self._came = True
            if self.on_hello is not None:
                self.on_hello()
        elif frame.kind == "state":
            self._state = frame.data
        else:
            self._status = parse_status(frame.data)
            self._done = frame.kind == "status"
            self._ended_at = self._ended_at or time.monotonic()

    def _is_over(self) -> bool:
        if self._fault_at is not None and (self._ends_with_oops or self._has_panicked()):
            return self._is_told() or time.monotonic() > self._fault_at + _FAULT_S
        if self._done:
            return True
        now = time.monotonic()
        return self._ended_at is not None and (
            now > self._heard_at + _SILENT_S or now > self._ended_at + _LEFT_BEHIND_S
        )

    def _is_told(self) -> bool:
        """Tell whether all of an oops has come; a panic ends the machine by itself."""
        fault = find_fault(_text(self._console))
        return fault is not None and fault.ended and fault.kind == "oops"

    def _has_panicked(self) -> bool:
        fault = find_fault(_text(self._console))
        return fault is not None and fault.kind == "panic"

    def _ask_where(self) -> tuple[str, ...]:
        """Return the modules that a guest whose time is over says are not Live.

        One whose processor is taken by a module's code cannot answer: then a trace of that code
        comes on the console.
        """
        with contextlib.suppress(OSError):
            self._guest.channel.sendall(b"state\n")
        self._listen(time.monotonic() + _STATE_S, lambda: self._state is not None)
        if self._state is None:
            self._guest.interrupt()
            self._listen(time.monotonic() + _TRACE_S, lambda: False)
        return tuple((self._state or b"").decode(errors="replace").splitlines())

    def _outcome(self, *, hung: bool, stuck: tuple[str, ...]) -> Ended:
        fault = find_fault(_text(self._console))
        if self._status is None and fault is None and not hung:
            raise GuestFailedError("", self._last())
        return Ended(
            status=self._status,
            fault=fault,
            hung=hung,
            stuck=stuck,
            came=self._came,
            console=_text(self._console),
            duration_s=(self._stopped or time.monotonic()) - self._started,
        )

    def _last(self) -> tuple[str, ...]:
        self._guest.process.kill()
        said = self._guest.said().splitlines()
        return tuple([*said, *_text(self._console).splitlines()][-_LAST_LINES:])


def _text(console: bytes | bytearray) -> str:
    return console.decode(errors="replace").replace("\r\n", "\n")
