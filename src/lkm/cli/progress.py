"""A bar on a terminal that shows how much of a longer work is done."""

from __future__ import annotations

import os
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from lkm.cli.console import Console

# Less is done before anybody has read the line.
_MANY = 200
_LONGEST_BAR, _COLUMNS = 40, 80
# Nor has anybody where it is done at once; and nobody reads faster than it may change.
_PATIENCE_S, _PAUSE_S = 0.2, 0.1


class Bar:
    """One line of stderr, where that is a terminal: *text*, how much is done, and a bar.

    On a narrow terminal it goes without the text. It comes after a while, and changes at times.
    As a context manager it leaves the line empty in the end, however that comes.
    """

    def __init__(self, console: Console, text: str) -> None:
        self._err = console.err
        self._text = f"{console.program}: {text}"
        self._wanted = not console.json and self._err.isatty()
        self._columns = _columns(console) if self._wanted else 0
        self._shown = ""
        self._next = monotonic() + _PATIENCE_S

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._show("")

    def __call__(self, done: int, total: int) -> None:
        """Show that *done* of *total* are done; when that is all, nothing."""
        if not self._wanted or total <= _MANY:
            return
        if done >= total:
            self._show("")
            return
        now = monotonic()
        if now >= self._next:
            self._next = now + _PAUSE_S
            self._show(self._line(done / total))

    def _line(self, part: float) -> str:
        columns = self._columns - 1  # the last one would wrap on some terminals
        line = f"{self._text} {part:4.0%}"
        if len(line) > columns:
            line = f"{part:4.0%}"
        # Two for the brackets and one before them.
        width = min(_LONGEST_BAR, columns - len(line) - 3)
        if width >= 5:
            line += f" [{'#' * int(part * width):.<{width}}]"
        return line[:columns]

    def _show(self, line: str) -> None:
        if line == self._shown:
            return
        # Blanks clear a line on any terminal, whatever it knows of escape sequences.
        text = line or " " * len(self._shown) + "\r"
        self._shown = line
        try:
            self._err.write("\r" + text)
            self._err.flush()
        except OSError:
            self._wanted = False  # nobody can be told


def _columns(console: Console) -> int:
    try:
        return os.get_terminal_size(console.err.fileno()).columns or _COLUMNS
    except (OSError, ValueError):
        return _COLUMNS
