"""Unpack xz as the kernel's own decoder does, which takes less than the xz program.

    stream   header: magic, two bytes of flags, CRC-32 of these; blocks; index; footer
    block    header: its size / 4 - 1, flags, sizes if the flags say so, filters, zeros, CRC-32;
             LZMA2 data; zeros up to a multiple of 4; CRC-32 of what it unpacks to, or nothing
    index    0, number of blocks, for each its size without zeros and unpacked; zeros; CRC-32
    footer   CRC-32 of what follows; size of the index / 4 - 1; the flags again; ``YZ``

The decoder ends with the first stream: it sees nothing of what follows. It knows no check but
CRC-32, and of filters, beside LZMA2, at most one for machine code, without a start offset. Here
liblzma undoes the filters; the container around them is read as the kernel reads it.

Source: lib/xz/xz_dec_stream.c; lib/xz/xz_dec_lzma2.c; the xz file format 1.1.
"""

from __future__ import annotations

import enum
import zlib
from dataclasses import dataclass

from lkm.errors import MissingLibraryError

MAGIC = b"\xfd7zXZ\0"

POWERPC, IA64, ARM, ARMTHUMB, SPARC, ARM64, RISCV, X86 = 5, 6, 7, 8, 9, 10, 11, 4
"""The filters for machine code, by their ids in the file."""

_HEADER_SIZE = 12
_FOOTER_MAGIC = b"YZ"
_CRC32 = 1
_LZMA2 = 0x21
_MOST_PROPERTIES = 39
_MOST_NUMBER_BYTES = 9
_SMALLEST_DICTIONARY = 4096
_UNSEEN = 20
# Of liblzma's filters Python has these; of the rest it cannot tell what they make of the bytes.
_PYTHON_HAS = frozenset({X86, POWERPC, IA64, ARM, ARMTHUMB, SPARC})


class XzStatus(enum.IntEnum):
    """How the kernel's decoder ends, in its numbers."""

    CUT_OFF = 0
    STREAM_END = 1
    OPTIONS_ERROR = 6
    DATA_ERROR = 7


class UnknownOutcomeError(Exception):
    """What only the kernel could tell, or what lkm does not unpack: the reason. Never leaves."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What came out of a file: *data*, whole if *status* is STREAM_END.

    *dictionary* is the largest one asked for, in bytes.
    """

    status: XzStatus
    data: bytes
    dictionary: int


class _EndError(Exception):
    """The decoder ends before the stream does."""

    def __init__(self, status: XzStatus) -> None:
        super().__init__(status)
        self.status = status


_DAMAGED = XzStatus.DATA_ERROR
_NOT_TAKEN = XzStatus.OPTIONS_ERROR


def decode_xz(data: bytes, filters: frozenset[int], limit: int) -> Decoded:
    """Return what the kernel's decoder makes of *data*, which begins with the magic.

    *filters* are those for machine code that the kernel was built with. Raises
    ``UnknownOutcomeError`` for more than *limit* bytes, and for a filter that Python does not
    have; ``MissingLibraryError`` where Python has no lzma.
    """
    stream = _Stream(data, filters, limit)
    try:
        stream.read()
    except _EndError as end:
        return Decoded(end.status, b"", stream.dictionary)
    parts = stream.parts
    data = parts[0] if len(parts) == 1 else b"".join(parts)
    return Decoded(XzStatus.STREAM_END, data, stream.dictionary)


@dataclass(frozen=True, slots=True, kw_only=True)
class _BlockHeader:
    """The fields of a block's header; sizes that it does not state are None, no filter is 0."""

    size: int
    packed: int | None
    unpacked: int | None
    filter_id: int
    dictionary: int


class _Stream:
    """The way through one stream: the place in the file, and the blocks so far."""

    def __init__(self, data: bytes, filters: frozenset[int], limit: int) -> None:
        self.data = data
        self.filters = filters
        self.left = limit
        self.offset = 0
        self.check = 0
        self.dictionary = 0
        self.parts: list[bytes] = []
        self.records: list[tuple[int, int]] = []

    def read(self) -> None:
        header = self._take(_HEADER_SIZE)
        flags = header[6:8]
        _must(zlib.crc32(flags) == int.from_bytes(header[8:12], "little"))
        _must(flags[0] == 0 and flags[1] <= _CRC32, _NOT_TAKEN)
        self.check = flags[1]
        while first := self._take(1)[0]:
            self.offset -= 1
            self._block((first + 1) * 4)
        self._index(self.offset - 1)

    def _take(self, size: int) -> bytes:
        found = self.data[self.offset : self.offset + size]
        if len(found) < size:
            raise _EndError(XzStatus.CUT_OFF)
        self.offset += size
        return found

    def _expect(self, expected: bytes) -> None:
        # Byte by byte in the kernel: a wrong one counts even if the file ends behind it.
        found = self.data[self.offset : self.offset + len(expected)]
        _must(expected.startswith(found))
        self._take(len(expected))

    def number(self) -> int:
        """Read a number of 7 bits a byte, as short as can be."""
        value = 0
        for count in range(_MOST_NUMBER_BYTES):
            byte = self._take(1)[0]
            value |= (byte & 0x7F) << 7 * count
            if not byte & 0x80:
                _must(bool(byte) or not count)
                return value
        raise _EndError(_DAMAGED)

    def _block(self, header_size: int) -> None:
        header = _block_header(self._take(header_size), self.filters)
        self.dictionary = max(self.dictionary, header.dictionary)
        start = self.offset
        data = self._unpack(header)
        packed = self.offset - start
        _must(header.packed in {None, packed} and header.unpacked in {None, len(data)})
        self._expect(bytes(-packed % 4))
        if self.check == _CRC32:
            self._expect(zlib.crc32(data).to_bytes(4, "little"))
        self.parts.append(data)
        self.left -= len(data)
        self.records.append((header_size + packed + 4 * self.check, len(data)))

    def _unpack(self, header: _BlockHeader) -> bytes:
        try:
            import lzma  # Python can be built without it
        except ImportError as error:
            raise MissingLibraryError("lzma", "reading an xz file") from error
        # A dictionary need not be larger than all that may come out.
        size = max(_SMALLEST_DICTIONARY, min(header.dictionary, self.left + 1))
        chain: list[dict[str, int]] = [{"id": lzma.FILTER_LZMA2, "dict_size": size}]
        if header.filter_id:
            if header.filter_id not in _PYTHON_HAS:
                raise UnknownOutcomeError(f"Python cannot undo the filter {header.filter_id} of xz")
            chain.insert(0, {"id": header.filter_id})
        packed, end = _as_liblzma_wants(self.data[self.offset :])
        try:
            decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, None, chain)
            data = decompressor.decompress(packed, self.left + 1)
        except lzma.LZMAError:
            if end <= len(packed):
                raise _EndError(_DAMAGED) from None
            try:  # The kernel does not look at the last bytes of a chunk that is cut off.
                again = lzma.LZMADecompressor(lzma.FORMAT_RAW, None, chain)
                again.decompress(packed[:-_UNSEEN], self.left + 1)
            except lzma.LZMAError:
                raise _EndError(_DAMAGED) from None
            raise _EndError(XzStatus.CUT_OFF) from None
        taken = len(packed) - len(decompressor.unused_data)
        _must(header.packed is None or taken <= header.packed)
        _must(header.unpacked is None or len(data) <= header.unpacked)
        if len(data) > self.left:
            raise UnknownOutcomeError(
                "it grows out of all proportion: whether the kernel has the memory is not known"
            )
        if not decompressor.eof:
            raise _EndError(XzStatus.CUT_OFF)
        self.offset += taken
        return data

    def _index(self, start: int) -> None:
        _must(self.number() == len(self.records))
        stated = [(self.number(), self.number()) for _record in self.records]
        self._expect(bytes(-(self.offset - start) % 4))
        _must(stated == self.records)
        size = self.offset - start
        self._expect(zlib.crc32(self.data[start : self.offset]).to_bytes(4, "little"))
        footer = self._take(_HEADER_SIZE)
        _must(footer[10:] == _FOOTER_MAGIC)
        _must(zlib.crc32(footer[4:10]) == int.from_bytes(footer[:4], "little"))
        _must(int.from_bytes(footer[4:8], "little") == size // 4)
        _must(footer[8:10] == bytes((0, self.check)))


def _must(holds: bool, status: XzStatus = _DAMAGED) -> None:
    if not holds:
        raise _EndError(status)


def _block_header(data: bytes, filters: frozenset[int]) -> _BlockHeader:
    """Read a block's header; what it lacks is damage, what it asks too much an option."""
    body = data[:-4]
    _must(zlib.crc32(body) == int.from_bytes(data[-4:], "little"))
    flags = body[1]
    _must(not flags & (0x3E if filters else 0x3F), _NOT_TAKEN)
    fields = _Stream(body, filters, 0)
    fields.offset = 2
    try:
        packed = fields.number() if flags & 0x40 else None
        unpacked = fields.number() if flags & 0x80 else None
    except _EndError:
        raise _EndError(_DAMAGED) from None
    rest = body[fields.offset :]
    filter_id = 0
    if flags & 1:
        _must(len(rest) >= 2 and rest[0] in filters and not rest[1], _NOT_TAKEN)
        filter_id, rest = rest[0], rest[2:]
    _must(len(rest) >= 2)
    _must(rest[:2] == bytes((_LZMA2, 1)), _NOT_TAKEN)
    _must(len(rest) >= 3)
    _must(rest[2] <= _MOST_PROPERTIES and not any(rest[3:]), _NOT_TAKEN)
    return _BlockHeader(
        size=len(data),
        packed=packed,
        unpacked=unpacked,
        filter_id=filter_id,
        dictionary=(2 | rest[2] & 1) << (rest[2] // 2 + 11),
    )


def _as_liblzma_wants(packed: bytes) -> tuple[bytes, int]:
    """Return LZMA2 data with zero where a chunk's range coder begins, and where its end should be.

    The kernel's decoder shifts that byte out unseen, liblzma refuses any other than zero.
    """
    wrong: list[int] = []
    offset = 0
    while offset < len(packed) and (control := packed[offset]):
        if control < 0x80:
            offset += 3 + int.from_bytes(packed[offset + 1 : offset + 3], "big") + 1
            continue
        start = offset + (6 if control >= 0xC0 else 5)
        if start < len(packed) and packed[start]:
            wrong.append(start)
        offset = start + int.from_bytes(packed[offset + 3 : offset + 5], "big") + 1
    if wrong:
        changed = bytearray(packed)
        for place in wrong:
            changed[place] = 0
        packed = bytes(changed)
    return packed, offset + 1
