"""Run lkm in this process, as the command line would."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from unittest import mock

from lkm.cli.main import main


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str


def lkm(
    *words: str,
    called: str = "lkm",
    env: Mapping[str, str] | None = None,
    terminal: bool = False,
    on_write: Callable[[str], object] | None = None,
) -> Ran:
    """Run ``lkm WORDS`` and return what came of it; *called* is the program's own name.

    With *terminal* stderr claims to be one, so that hints are written to it. *on_write* is given
    each text that is written to stdout, just before that.
    """
    out, err = _Stream(on_write=on_write), _Stream(terminal=terminal)
    with (
        mock.patch.object(sys, "stdout", out),
        mock.patch.object(sys, "stderr", err),
        mock.patch.dict("os.environ", env or {}),
    ):
        status = main([called, *words])
    return Ran(status, out.text(), err.text())


class _Stream(io.TextIOWrapper):
    def __init__(
        self, *, terminal: bool = False, on_write: Callable[[str], object] | None = None
    ) -> None:
        self._terminal = terminal
        self._on_write = on_write
        super().__init__(io.BytesIO(), encoding="utf-8", errors="surrogateescape", newline="\n")

    def write(self, text: str) -> int:
        if self._on_write is not None:
            self._on_write(text)
        return super().write(text)

    def isatty(self) -> bool:
        return self._terminal

    def text(self) -> str:
        if self.closed:
            return ""  # lkm has given it up
        self.flush()
        data: bytes = self.buffer.getvalue()  # type: ignore[attr-defined]  # it is a BytesIO
        return data.decode("utf-8", "surrogateescape")
