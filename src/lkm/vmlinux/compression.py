"""Unpack what a kernel is compressed with, and check the size word that its build appends.

Source: scripts/Makefile.lib (size_append, xzkern, zstd22, lz4); scripts/extract-vmlinux;
the xz, lzma and gzip formats.
"""

from __future__ import annotations

import bz2
import lzma
import sys
import zlib
from collections.abc import Callable
from typing import Literal, Protocol

from lkm.errors import FormatError, MissingLibraryError
from lkm.vmlinux import lz4

Compression = Literal["", "gzip", "xz", "zstd", "lzma", "bzip2", "lz4", "lzo"]

_MAGICS: tuple[tuple[bytes, Compression], ...] = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (lz4.MAGIC, "lz4"),
    (b"\x5d\0\0", "lzma"),
    (b"\x89LZO\0\r\n\x1a\n", "lzo"),
)

# Kernels are packed with dictionaries of up to 128 MB.
_XZ_MEMORY = 192 << 20
_SIZE_WORD = 4


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def detect(data: bytes) -> Compression:
    """Return what *data*, the first bytes or more, is compressed with; empty for nothing known."""
    for magic, compression in _MAGICS:
        if data.startswith(magic):
            return compression
    return ""


def unpack_payload(data: bytes, compression: Compression, limit: int) -> bytes:
    """Return what *data*, known to be in that form, unpacks to.

    What stands after it is passed over, but four bytes are the size word and must be right. Raises
    ``FormatError`` for damage, for LZO, and for more than *limit* bytes; ``MissingLibraryError``
    where Python lacks zstd.
    """
    what = f"{compression} file"
    if compression == "lzo":
        raise FormatError(what, "compressed with LZO, which lkm cannot unpack")
    if compression == "lz4":
        plain, end = lz4.unpack_legacy(data, limit)
        rest = data[end:]
    else:
        plain, rest = _stream(data, compression, limit, what)
    if len(rest) == _SIZE_WORD and int.from_bytes(rest, "little") != len(plain):
        problem = f"unpacks to {len(plain)} bytes, but the size word after it says"
        raise FormatError(what, f"{problem} {int.from_bytes(rest, 'little')}")
    return plain


def _stream(data: bytes, compression: Compression, limit: int, what: str) -> tuple[bytes, bytes]:
    new, errors = _codec(compression)
    try:
        decompressor = new()
        plain = decompressor.decompress(data, limit + 1)
    except errors as error:
        raise FormatError(what, f"damaged: {error}") from None
    except MemoryError:
        raise FormatError(what, "wants more memory than there is") from None
    if len(plain) > limit:
        raise FormatError(what, f"grows past {limit} bytes, from {len(data)}")
    if not decompressor.eof:
        raise FormatError(what, "cut off", offset=len(data))
    return plain, decompressor.unused_data


def _codec(
    compression: Compression,
) -> tuple[Callable[[], _Decompressor], tuple[type[Exception], ...]]:
    if compression == "gzip":
        return (lambda: zlib.decompressobj(31)), (zlib.error,)
    if compression == "bzip2":
        return bz2.BZ2Decompressor, (OSError, ValueError)
    if compression == "zstd":
        return _zstd()
    form = lzma.FORMAT_XZ if compression == "xz" else lzma.FORMAT_ALONE
    return (lambda: lzma.LZMADecompressor(form, _XZ_MEMORY)), (lzma.LZMAError,)


def _zstd() -> tuple[Callable[[], _Decompressor], tuple[type[Exception], ...]]:
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd  # it may be missing
        else:
            from backports import zstd
    except ImportError as error:
        raise MissingLibraryError("backports.zstd", "reading a zstd kernel image") from error
    return zstd.ZstdDecompressor, (zstd.ZstdError,)
