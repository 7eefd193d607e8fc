"""Files of xz, part by part, for cases; made of Python's lzma on the description of the format."""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Sequence

from tests.outcomes.patching import Patch

_HEADER = 12  # of a stream, and as much at its end
LZMA2: dict[str, int] = {"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 20}


def xz(data: bytes, *filters: dict[str, int], check: int = lzma.CHECK_CRC32) -> bytes:
    """Pack *data* as the kernel's build does, with *filters* before LZMA2 or in its place."""
    last = [] if filters and filters[-1]["id"] == lzma.FILTER_LZMA2 else [LZMA2]
    return lzma.compress(data, lzma.FORMAT_XZ, check, filters=[*filters, *last])


def stored_zstd(data: bytes) -> bytes:
    """Return *data* as a frame of zstd whose blocks are not compressed."""
    size = 100_000
    starts = range(0, len(data), size)
    blocks = [data[at : at + size] for at in starts]
    packed = b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(data))
    for number, block in enumerate(blocks, 1):
        packed += struct.pack("<I", len(block) << 3 | (number == len(blocks)))[:3] + block
    return packed


def index_at(stream: bytes) -> int:
    """Return where the index begins in a file of one stream."""
    (words,) = struct.unpack_from("<I", stream, len(stream) - 8)
    return len(stream) - _HEADER - 4 * (int(words) + 1)


def in_blocks(pieces: Sequence[bytes]) -> bytes:
    """Return one stream with a block for each of *pieces*."""
    blocks, rows, begin = b"", b"", xz(b"")[:_HEADER]
    for stream in map(xz, pieces):
        start = index_at(stream)
        blocks += stream[_HEADER:start]
        rows += _rows(stream[start + 2 :])
    index = b"\0" + bytes((len(pieces),)) + rows
    index += bytes(-len(index) % 4)
    index += struct.pack("<I", zlib.crc32(index))
    end = struct.pack("<I", len(index) // 4 - 1) + b"\0\1"
    return begin + blocks + index + struct.pack("<I", zlib.crc32(end)) + end + b"YZ"


def _rows(index: bytes) -> bytes:
    """Return the two numbers of the one block; the last byte of each has its top bit unset."""
    first = next(at for at, byte in enumerate(index) if byte < 0x80)
    second = next(at for at, byte in enumerate(index) if at > first and byte < 0x80)
    return index[: second + 1]


def block_header(*fields: int) -> Patch:
    """Give the first block another header: its flags and all behind, without padding and CRC."""

    def patch(stream: bytes) -> bytes:
        size = (1 + len(fields) + 3) // 4 * 4 + 4
        made = bytes((size // 4 - 1, *fields)).ljust(size - 4, b"\0")
        old = (stream[_HEADER] + 1) * 4
        made += struct.pack("<I", zlib.crc32(made))
        return stream[:_HEADER] + made + stream[_HEADER + old :]

    return patch


def byte(offset: int, value: int | None = None, *, of_index: bool = False) -> Patch:
    """Set a byte, or turn some of its bits; counted from the end, or from the index's begin."""

    def patch(stream: bytes) -> bytes:
        at = (index_at(stream) + offset if of_index else offset) % len(stream)
        new = stream[at] ^ 0x55 if value is None else value
        return stream[:at] + bytes((new,)) + stream[at + 1 :]

    return patch
