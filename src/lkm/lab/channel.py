"""What a guest's init says over its channel, apart from the kernel's messages.

The channel is a stream of frames: a line of two words, then as many bytes as the second says.

    hello 0          the kernel has come to the init
    out N, err N     bytes that the command wrote to stdout, to stderr
    outz N, errz N   the same, gzipped
    lost 0           what took the command's output has been killed
    ended N          N bytes: the command's exit status in digits; output may follow
    status N         the same; nothing follows
    state N          lines of /proc/modules of those that are not Live, which were asked for

A line is a few bytes and a serial port moves a few hundred KB a second, hence the gzip.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from lkm.errors import FormatError

_WHAT = "lab channel"
_LONGEST_LINE = 32
_LARGEST = 1 << 20
_GZIP = 31  # zlib's word for a gzip header, and the largest window
_LARGEST_UNPACKED = 1 << 24
KINDS = ("hello", "out", "err", "outz", "errz", "lost", "ended", "status", "state")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, unpacked: its *kind* is never one with a z."""

    kind: str
    data: bytes


class Reader:
    """Takes bytes as they come, and gives the frames that are whole."""

    def __init__(self) -> None:
        self._held = b""
        self._offset = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that end in *data*. Raises ``FormatError`` for what is none."""
        self._held += data
        while (frame := self._take()) is not None:
            yield frame

    def _take(self) -> Frame | None:
        line, newline, rest = self._held.partition(b"\n")
        if len(line) > _LONGEST_LINE:
            raise FormatError(_WHAT, "a line that does not end", offset=self._offset)
        if not newline:
            return None
        kind, _blank, digits = line.decode("ascii", "replace").partition(" ")
        if kind not in KINDS or not (digits.isascii() and digits.isdecimal()):
            raise FormatError(_WHAT, f"no frame begins with {line[:40]!r}", offset=self._offset)
        size = int(digits)
        if size > _LARGEST:
            raise FormatError(_WHAT, f"a frame of {size} bytes", offset=self._offset)
        if len(rest) < size:
            return None
        self._held = rest[size:]
        frame = self._unpacked(kind, rest[:size])
        self._offset += len(line) + 1 + size
        return frame

    def _unpacked(self, kind: str, data: bytes) -> Frame:
        if not kind.endswith("z"):
            return Frame(kind, data)
        unpacker = zlib.decompressobj(_GZIP)
        try:
            whole = unpacker.decompress(data, _LARGEST_UNPACKED)
        except zlib.error:
            raise FormatError(_WHAT, "damaged gzip", offset=self._offset) from None
        if not unpacker.eof:
            raise FormatError(_WHAT, "gzip that does not end", offset=self._offset)
        return Frame(kind[:-1], whole)


def parse_status(data: bytes) -> int:
    """Return the exit status in a frame's *data*. Raises ``FormatError``."""
    if not (data.isdigit() and len(data) <= 3):
        raise FormatError(_WHAT, f"no exit status: {data[:40]!r}")
    return int(data)
