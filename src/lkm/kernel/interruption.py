"""Signals that ask a process to end, remembered while it must not be cut short."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from types import FrameType
    from typing import Final
else:
    import _signal  # what signal stands on: that one imports enum, which takes 5 ms

_NAMES: Final[dict[int, str]] = {
    _signal.SIGHUP: "SIGHUP",
    _signal.SIGINT: "SIGINT",
    _signal.SIGTERM: "SIGTERM",
}
_SLICE_S = 0.1
_SIGNALLED = 128


class Interruption:
    """Whether SIGINT, SIGTERM or SIGHUP came since ``start``; they do nothing else until ``stop``.

    One that is ignored, as under nohup, or that the program handles itself, is left alone; so are
    all of them in another thread than the main one, where none can be handled. *number* is that of
    the signal that came first, 0 for none; *times* how many came.
    """

    def __init__(self) -> None:
        self.number = 0
        self.times = 0
        self._before: dict[int, object] = {}

    def start(self) -> None:
        """Remember signals from now on."""
        usual = (_signal.SIG_DFL, _signal.default_int_handler)
        for number in _NAMES:
            if _signal.getsignal(number) not in usual:
                continue
            try:
                self._before[number] = _signal.signal(number, self._remember)
            except ValueError:
                return  # this is not the main thread

    def stop(self) -> None:
        """Let them do again what they did before."""
        while self._before:
            number, handler = self._before.popitem()
            _signal.signal(number, handler)  # type: ignore[arg-type]  # what signal returned

    def came(self) -> bool:
        """Tell whether one came."""
        return self.number != 0

    @property
    def name(self) -> str:
        """Its name, such as SIGINT; empty where none came."""
        return _NAMES.get(self.number, "")

    @property
    def status(self) -> int:
        """The exit status of who it ended."""
        return _SIGNALLED + self.number

    def pause(self, seconds: float, *, times: int = 0) -> None:
        """Wait, but no longer than until more than *times* signals came."""
        end = time.monotonic() + seconds
        while self.times <= times and (left := end - time.monotonic()) > 0:
            # A sleep goes on after a signal whose handler raises nothing.
            time.sleep(min(left, _SLICE_S))

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        self.number = self.number or number
        self.times += 1
