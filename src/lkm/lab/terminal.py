"""A shell in a guest, on this terminal: each key goes there, and what it answers comes here."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import termios
import tty
from collections.abc import Iterator

from lkm.lab.faults import Fault
from lkm.lab.qemu import Machine, started
from lkm.lab.session import Ended, Session

_STDIN, _STDOUT = 0, 1

LEAVE = b"\x1d"
"""The key that ends a guest which no longer answers: Ctrl-]."""


def run_shell(machine: Machine, *, timeout_s: float | None = None) -> Ended:
    """Start *machine*, whose command has the terminal of stdin and stdout; wait for it.

    An oops is shown and does not end it. Raises what ``run_command`` does.
    """
    with started(machine) as guest, _raw(_STDIN):
        session = Session(guest, out=_nothing, err=_nothing, ends_with_oops=False)

        def show(data: bytes) -> None:
            view = memoryview(data)
            while view:
                view = view[os.write(_STDOUT, view) :]

        def type_in(data: bytes) -> None:
            if LEAVE in data:
                raise KeyboardInterrupt
            guest.terminal.setblocking(True)
            guest.terminal.sendall(data)
            guest.terminal.setblocking(False)

        def tell_size(*_signal: object) -> None:
            columns, rows = shutil.get_terminal_size()
            with contextlib.suppress(OSError):
                guest.channel.sendall(f"size {rows} {columns}\n".encode())

        def tell_oops(fault: Fault) -> None:
            show("".join(f"\r\n{line}" for line in fault.lines).encode() + b"\r\n")

        session.on_hello = tell_size
        session.on_oops = tell_oops
        session.also(guest.terminal, show)
        session.also(_STDIN, type_in)
        with _on_resize(tell_size):
            return session.run(timeout_s)


@contextlib.contextmanager
def _raw(terminal: int) -> Iterator[None]:
    before = termios.tcgetattr(terminal)
    tty.setraw(terminal)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _on_resize(tell: object) -> Iterator[None]:
    assert callable(tell)
    before = signal.signal(signal.SIGWINCH, tell)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)


def _nothing(_data: bytes) -> None:
    """Take what a shell on a terminal does not write."""
