"""Read texts out of a string table: NUL-ended, named by their offset.

Nothing keeps a file from letting a million entries name one text of ten million bytes, each from
another offset on. So what is taken out of a table is bounded by the table's size; linkers let
names share their ends, which is why it may be some times as much.
"""

from __future__ import annotations

from lkm import _text
from lkm.errors import FormatError

_SHARED = 8
_SPARE = 1 << 16


class StringTable:
    """The contents of a string table; *what* names the file in errors."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._what = what
        self._texts: dict[int, str] = {}
        self._left = _SHARED * len(data) + _SPARE

    def text(self, start: int) -> str:
        """Return the text at offset *start*.

        Raises ``FormatError`` if it does not lie inside the table, and if far more text was taken
        out of the table than is in it.
        """
        known = self._texts.get(start)
        if known is not None:
            return known
        data = self._data
        stop = data.find(b"\0", start) if 0 <= start < len(data) else -1
        if stop < 0:
            problem = f"a name at {start} of a string table of {len(data)} bytes"
            raise FormatError(self._what, problem)
        self._left -= stop - start
        if self._left < 0:
            raise FormatError(self._what, "names that overlap without end in a string table")
        text = self._texts[start] = _text.decode(data[start:stop])
        return text
