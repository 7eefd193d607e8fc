"""Bounded reading of binary formats."""

from __future__ import annotations

import struct

from lkm import _text
from lkm.errors import FormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal


class Cursor:
    """A place in a buffer that moves as fields are read, and cannot leave it.

    *order* is ``"<"`` (little endian) or ``">"``; *what* names the format in errors; *end* bounds
    a nested record. Every read past the end raises ``FormatError`` with the offset of the field.
    """

    __slots__ = ("data", "end", "offset", "order", "what")

    def __init__(
        self,
        data: bytes,
        *,
        order: Literal["<", ">"],
        what: str,
        offset: int = 0,
        end: int | None = None,
    ) -> None:
        self.data = data
        self.order = order
        self.what = what
        self.offset = offset
        self.end = len(data) if end is None else min(end, len(data))

    def take(self, size: int) -> bytes:
        """Return the next *size* bytes."""
        start = self.offset
        if size < 0 or start < 0 or start + size > self.end:
            problem = f"cut off: {size} bytes wanted, {max(self.end - start, 0)} left"
            raise FormatError(self.what, problem, offset=min(start, len(self.data)))
        self.offset = start + size
        return self.data[start : start + size]

    def u8(self) -> int:
        """Return the next byte as a number."""
        return self.take(1)[0]

    def u16(self) -> int:
        """Return the next 16-bit number."""
        return self._number("H", 2)

    def u32(self) -> int:
        """Return the next 32-bit number."""
        return self._number("I", 4)

    def u64(self) -> int:
        """Return the next 64-bit number."""
        return self._number("Q", 8)

    def text(self) -> str:
        """Return the text up to the next NUL, which is passed over."""
        stop = self.data.find(b"\0", self.offset, self.end) if self.offset <= self.end else -1
        if stop < 0:
            raise FormatError(
                self.what, "text without its NUL", offset=min(self.offset, len(self.data))
            )
        start, self.offset = self.offset, stop + 1
        return _text.decode(self.data[start:stop])

    def _number(self, code: str, size: int) -> int:
        number: int = struct.unpack(self.order + code, self.take(size))[0]
        return number
