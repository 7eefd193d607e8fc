"""Files that the kernel is to unpack itself; 6.1 unpacks none, 6.12 unpacks xz."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Callable

from tests.outcomes.case import EVERY, MODS, TAINT, Case, Series, debian, load, single, tiny
from tests.outcomes.packing import (
    LZMA2,
    block_header,
    byte,
    in_blocks,
    index_at,
    stored_zstd,
    xz,
)
from tests.outcomes.patching import Patch, cut, flipped, patched

PACKED = 4  # MODULE_INIT_COMPRESSED_FILE
_UNPACKING: tuple[Series, ...] = ("6.12",)
_LAST = bytes((0x21, 1, 0x16))  # the filter LZMA2, with a dictionary of 8 MiB


def of(
    id: str,  # noqa: A002  # it is one
    what: str,
    make: Callable[[bytes], bytes],
    *,
    flags: int = PACKED,
    series: tuple[Series, ...] = _UNPACKING,
) -> Case:
    """Return the case of the distribution's own module, signed, packed by *make*."""
    return single(f"packed-{id}", what, debian("crc8", make), flags=flags, series=series)


def xz_of(id: str, what: str, *patches: Patch) -> Case:  # noqa: A002
    """Return the case of that module, packed as it should be and then patched."""
    return of(id, what, lambda data: patched(xz(data), *patches))


def header(id: str, what: str, *fields: int) -> Case:  # noqa: A002
    """Return the case of a block with another header: its flags, and what follows."""
    return xz_of(f"header-{id}", what, block_header(*fields))


def filtered(name: str, what: str, *filters: dict[str, int], check: int = lzma.CHECK_CRC32) -> Case:
    """Return the case of that module behind *filters*."""
    return of(name, what, lambda data: xz(data, *filters, check=check))


def _halves(data: bytes) -> bytes:
    half = len(data) // 2
    return xz(data[:half]) + xz(data[half:])


def _blocks(data: bytes) -> bytes:
    return in_blocks([data[:4096], data[4096:6096], data[6096:]])


X86, DELTA = {"id": lzma.FILTER_X86}, {"id": lzma.FILTER_DELTA, "dist": 4}

FORMATS = (
    of("xz", "xz as the distribution's own modules have it", xz, series=EVERY),
    of("plain", "the flag, and a file that is not packed", lambda data: data, series=EVERY),
    of("no-flag", "a packed file without the flag", xz, flags=0, series=EVERY),
    of("gzip", "gzip", lambda data: gzip.compress(data, mtime=0), series=EVERY),
    of("zstd", "zstd", stored_zstd),
    of("lzma", "LZMA alone", lambda data: lzma.compress(data, lzma.FORMAT_ALONE)),
    of("and-modversions", "the flag, and to ignore the CRCs", xz, flags=PACKED | 1),
    of("and-vermagic", "the flag, and to ignore all", xz, flags=PACKED | 3),
    of("unsigned", "its signature is gone", lambda data: xz(data[:-1])),
    of("changed", "changed under its signature, then packed", lambda data: xz(flipped(-100)(data))),
    of("trailing", "a module with more behind", lambda data: xz(data + b"zz")),
    of("nothing", "nothing, packed", lambda _data: xz(b"")),
    of("text", "what is no module", lambda _data: xz(b"x" * 5000)),
    of("text-page", "the same, of a page exactly", lambda _data: xz(b"x" * 4096)),
    of("short", "a byte less than an ELF header", lambda data: xz(data[:63])),
    of("twice", "packed twice", lambda data: xz(xz(data))),
    Case(
        id="packed-in-a-row",
        what="packed and plain ones, good and bad, one after the other",
        files={
            "p": debian("crc8", xz),
            "u": tiny("tm_ok", xz),
            "b": tiny("tm_missing", xz),
            "c": debian("crc8", xz, cut(-1)),
            "t": tiny("tm_params", xz),
        },
        steps=(
            load("c", flags=PACKED),
            load("p", flags=PACKED),
            load("p", flags=PACKED),
            load("u", flags=PACKED),
            load("b", flags=PACKED),
            load("t", "i=x", flags=PACKED),
            load("t", "i=7", flags=PACKED),
            MODS,
            TAINT,
        ),
        series=_UNPACKING,
    ),
)

CHECKS = (
    filtered("check-none", "no check", check=lzma.CHECK_NONE),
    filtered("check-crc64", "CRC64, as xz does it unless told", check=lzma.CHECK_CRC64),
    filtered("check-sha256", "SHA-256", check=lzma.CHECK_SHA256),
    filtered("x86", "code of x86 filtered", X86),
    filtered("x86-no-check", "the same without a check", X86, check=lzma.CHECK_NONE),
    filtered("x86-start", "the same with an offset", X86 | {"start_offset": 16}),
    filtered("delta", "the filter for differences", DELTA),
    filtered("x86-delta", "both", X86, DELTA),
    filtered("arm", "code of 32-bit ARM filtered", {"id": lzma.FILTER_ARM}),
    filtered("powerpc", "code of PowerPC", {"id": lzma.FILTER_POWERPC}),
    filtered("ia64", "code of Itanium", {"id": lzma.FILTER_IA64}),
    filtered("dict-4k", "a dictionary of 4 KiB", LZMA2 | {"dict_size": 4096}),
    xz_of("dict-64m", "a dictionary of 64 MiB", block_header(0, 0x21, 1, 28)),
    filtered("lc0", "other numbers of LZMA", LZMA2 | {"lc": 0, "lp": 4, "pb": 0}),
)

STREAMS = (
    of("blocks", "three blocks", _blocks),
    of("streams", "two streams, of which the kernel takes the first", _halves),
    xz_of("padding-4", "4 bytes of padding behind", lambda stream: stream + bytes(4)),
    xz_of("padding-3", "3 bytes, which is no padding", lambda stream: stream + bytes(3)),
    xz_of("garbage", "garbage behind", lambda stream: stream + b"garbage"),
    xz_of("second-cut", "a second stream that is cut", lambda stream: stream + stream[:50]),
    xz_of("padding-front", "padding in front", lambda stream: bytes(4) + stream),
)

CUT = (
    xz_of("cut-1", "one byte", cut(1)),
    xz_of("cut-5", "not even the magic", cut(5)),
    xz_of("cut-6", "the magic alone", cut(6)),
    xz_of("cut-12", "the stream's header alone", cut(12)),
    xz_of("cut-24", "the headers alone", cut(24)),
    xz_of("cut-half", "half of it", lambda stream: stream[: len(stream) // 2]),
    xz_of("cut-index", "no index", lambda stream: stream[: index_at(stream)]),
    xz_of("cut-foot", "no footer", cut(-12)),
    xz_of("cut-end", "the last byte is missing", cut(-1)),
)

DAMAGED = (
    xz_of("stream-flags", "flags of the stream that there are not", byte(6, 1)),
    xz_of("stream-check", "another check, whose header's CRC is then wrong", byte(7, 2)),
    xz_of("stream-crc", "the CRC of the stream's header", byte(8)),
    xz_of("block-size", "a block's header of no size", byte(12, 0)),
    xz_of("block-size-255", "a block's header of 1 KiB", byte(12, 255)),
    xz_of("block-crc", "the CRC of the block's header", byte(20)),
    xz_of("data", "the data itself", byte(300)),
    xz_of("data-first", "the first byte of the range coder, at which nobody looks", byte(30, 7)),
    xz_of("check-wrong", "the check", byte(-1, of_index=True)),
    xz_of("index-mark", "the mark of the index", byte(0, of_index=True)),
    xz_of("index-count", "the number of blocks in the index", byte(1, 9, of_index=True)),
    xz_of("foot-crc", "the CRC of the footer", byte(-12)),
    xz_of("foot-size", "the size of the index in the footer", byte(-8, 9)),
    xz_of("foot-flags", "the check in the footer", byte(-3, 4)),
    xz_of("foot-magic", "the last byte", byte(-1, 0)),
)

HEADERS = (
    header("dict-4g", "a dictionary of 4 GiB", 0, 0x21, 1, 40),
    header("props-2", "LZMA2 with two bytes of properties", 0, 0x21, 2, 0x16, 0),
    header("unknown", "a filter that there is not", 0, 0x22, 1, 0x16),
    header("padding", "padding that is no zero", 0, *_LAST, 1),
    header("three", "three filters", 2, 4, 0, 4, 0, *_LAST),
    header("reserved", "a reserved flag", 4, *_LAST),
    header("none", "no filter", 0),
    header("size", "a packed size that is wrong", 0x40, 5, *_LAST),
    header("plain-size", "an unpacked size that is wrong", 0x80, 5, *_LAST),
    header("number-long", "a size in more bytes than need be", 0x40, 0x80, 0, *_LAST),
    header("number-endless", "a size that does not end", 0x40, *[0xFF] * 12, *_LAST),
    header("filter-0", "filter 0", 1, 0, 0, *_LAST),
)

CASES = (*FORMATS, *CHECKS, *STREAMS, *CUT, *DAMAGED, *HEADERS)
