"""Read BER as the kernel's decoder does, which is less strict than DER, and has limits of its own.

Tags are one byte, lengths at most two behind their count; a constructed element may end at two
zero bytes instead of having a length. Where a constructed element is wanted, a tag without the
bit for that will do, but not the other way round.

Source: lib/asn1_decoder.c; ITU-T X.690.
"""

from __future__ import annotations

from dataclasses import dataclass

from lkm.errors import FormatError

_CONSTRUCTED = 0x20
_LONG_TAG = 0x1F
_INDEFINITE = 0x80
_MOST_LENGTH_BYTES = 2

INTEGER, BIT_STRING, OCTET_STRING, OBJECT_IDENTIFIER = 0x02, 0x03, 0x04, 0x06
BOOLEAN, IA5_STRING, UTC_TIME, GENERALIZED_TIME = 0x01, 0x16, 0x17, 0x18
SEQUENCE, SET = 0x30, 0x31


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """An element: its *tag*, the length of its *header*, where its *contents* start."""

    tag: int
    header: int
    start: int
    contents: bytes


class Reader:
    """A place in *data* that moves over one element after the other.

    *what* names the format in errors. Whatever does not fit raises ``FormatError``.
    """

    __slots__ = ("_end", "_open", "data", "offset", "what")

    def __init__(self, data: bytes, what: str) -> None:
        self.data = data
        self.what = what
        self.offset = 0
        self._end = len(data)
        # Of each element entered: tag, where it begins and its contents do, the end around it or
        # None where zeros end it.
        self._open: list[tuple[int, int, int, int | None]] = []

    def next_is(self, tag: int) -> bool:
        """Tell whether an element with that *tag* follows; the end is none."""
        return self.offset != self._end and _fits(self._tag(), tag)

    def at_end(self) -> bool:
        """Tell whether the element around, if it has a length, has nothing more."""
        return self.offset == self._end

    def leaf(self, tag: int) -> Piece:
        """Return the element that follows, which must have exactly that *tag*."""
        self._expect(tag)
        return self.any()

    def any(self) -> Piece:
        """Return the element that follows, whatever it is."""
        begin = self.offset
        tag = self._tag()
        length = self._length(tag)
        start = self.offset
        if length is None:
            self._pass_to_zeros()
        else:
            self.offset += length
        contents = self.data[start : self.offset]
        return Piece(tag=tag, header=start - begin, start=start, contents=contents)

    def enter(self, tag: int) -> None:
        """Go into the element that follows, which must have that *tag*."""
        self._expect(tag)
        begin = self.offset
        length = self._length(self.data[begin])
        self._open.append((tag, begin, self.offset, None if length is None else self._end))
        if length is not None:
            self._end = self.offset + length

    def more(self) -> bool:
        """Tell whether the element that was entered last has another part."""
        if self._open[-1][3] is not None:
            return self.offset < self._end
        if self._end - self.offset < 2:
            raise self._error("cut off")
        return self.data[self.offset] != 0

    def leave(self) -> Piece:
        """Come out of the element that was entered last, which must have no more parts."""
        tag, begin, start, around = self._open.pop()
        stop = self.offset
        if around is not None:
            if stop != self._end:
                raise self._error("more parts than belong there")
            self._end = around
        else:
            if self._end - stop < 2:
                raise self._error("cut off")
            if self.data[stop : stop + 2] != b"\0\0":
                raise self._error("no zeros at its end")
            self.offset += 2
        contents = self.data[start:stop]
        return Piece(tag=tag, header=start - begin, start=start, contents=contents)

    def _error(self, problem: str) -> FormatError:
        return FormatError(self.what, problem, offset=self.offset)

    def _tag(self) -> int:
        if self._end - self.offset < 2:
            raise self._error("cut off")
        tag = self.data[self.offset]
        if tag & _LONG_TAG == _LONG_TAG:
            raise self._error("a tag of several bytes")
        return tag

    def _expect(self, wanted: int) -> None:
        tag = self._tag()
        if not _fits(tag, wanted):
            raise self._error(f"tag {tag:#x} where {wanted:#x} belongs")

    def _length(self, tag: int) -> int | None:
        """Go over tag and length; return the length, None where zeros end the element."""
        length = self.data[self.offset + 1]
        self.offset += 2
        left = self._end - self.offset
        if length == _INDEFINITE:
            if not tag & _CONSTRUCTED:
                raise self._error("no length")
            if left < 2:
                raise self._error("cut off")
            return None
        if length > _INDEFINITE:
            count = length - _INDEFINITE
            if count > _MOST_LENGTH_BYTES:
                raise self._error("a length of too many bytes")
            if count > left:
                raise self._error("cut off")
            length = int.from_bytes(self.data[self.offset : self.offset + count], "big")
            self.offset += count
            left -= count
        if length > left:
            raise self._error(f"{length} bytes wanted, {left} left")
        return length

    def _pass_to_zeros(self) -> None:
        """Go over what an element holds that zeros end, and over them."""
        depth = 1
        while depth:
            if self._end - self.offset < 2:
                raise self._error("cut off")
            tag = self.data[self.offset]
            if tag == 0:
                if self.data[self.offset + 1]:
                    raise self._error("no zeros at its end")
                self.offset += 2
                depth -= 1
                continue
            length = self._nested_length(tag)
            if length is None:
                depth += 1
            else:
                self.offset += length

    def _nested_length(self, tag: int) -> int | None:
        """Go over tag and length, which may both be longer here than elsewhere."""
        self.offset += 1
        if tag & _LONG_TAG == _LONG_TAG:
            byte = _INDEFINITE
            while byte & _INDEFINITE:
                if self._end - self.offset < 2:
                    raise self._error("cut off")
                byte = self.data[self.offset]
                self.offset += 1
        length = self.data[self.offset]
        self.offset += 1
        if length == _INDEFINITE:
            if not tag & _CONSTRUCTED:
                raise self._error("no length")
            return None
        left = self._end - self.offset
        if length > _INDEFINITE:
            count = length - _INDEFINITE
            if count > 7 or count > left:  # one less than a size_t has
                raise self._error("bad length")
            length = int.from_bytes(self.data[self.offset : self.offset + count], "big")
            self.offset += count
            left -= count
        if length > left:
            raise self._error(f"{length} bytes wanted, {left} left")
        return length


def _fits(tag: int, wanted: int) -> bool:
    if wanted & _CONSTRUCTED:
        return tag | _CONSTRUCTED == wanted
    return tag == wanted
