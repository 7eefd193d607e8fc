"""End in good order by a signal: what was begun is undone on the way out."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """Remembers a signal, since what it raises may come where Python swallows it."""

    def __init__(self) -> None:
        self.got: int | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal."""
        self.got = number
        self.end()

    def end(self) -> None:
        """Raise what ends the program, if a signal has come."""
        if self.got == signal.SIGINT:
            raise KeyboardInterrupt
        if self.got is not None:
            sys.exit(128 + self.got)


@contextmanager
def ended_by_signals() -> Iterator[Interrupts]:
    """Have SIGINT, SIGTERM and SIGHUP raise an exception in the block."""
    interrupts = Interrupts()
    wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupts) for number in wanted}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
