"""Unpack a file that the kernel is told to unpack itself (MODULE_INIT_COMPRESSED_FILE).

A kernel knows one format, the one that its own modules are packed in. What it takes is not what
the programs take:

    gzip   the checksum at the end is not looked at, of the optional fields of the header only
           the name is known, further members are not seen
    xz     ``xz_decoding`` tells
    zstd   a file that is cut off is unpacked as far as it goes; further frames are not seen

The kernel bounds none of this but by its memory, which is not known here.

Source: kernel/module/decompress.c; its line for zstd: commit 169a58ad824d, of Linux 6.2.
"""

from __future__ import annotations

import errno
import re
import zlib
from collections.abc import Iterator

from lkm.loader.file.given import COMPRESSED_FILE, GivenFile
from lkm.loader.file.xz_decoding import (
    ARM,
    ARM64,
    ARMTHUMB,
    IA64,
    MAGIC,
    POWERPC,
    RISCV,
    SPARC,
    X86,
    UnknownOutcomeError,
    XzStatus,
    decode_xz,
)
from lkm.loader.findings import Finding, refusal
from lkm.loader.options import KernelOptions
from lkm.module.file import codec, largest_unpacked

_CHECK = "decompression"
_PACKING = "pack it as the kernel's build does: xz --check=crc32 --lzma2=dict=1MiB"
_ANOTHER_FORMAT = "leave the flag away, and hand the module over unpacked"

_GROWS = "it grows out of all proportion: whether the kernel has the memory is not known"

# What a dictionary may have without a doubt: as much as ``xz -9`` asks for.
_LARGEST_DICTIONARY = 64 << 20
_Unpacked = tuple[bytes, int]

_GZIP_HEADER = b"\x1f\x8b\x08"
_GZIP_HEADER_SIZE = 10
_GZIP_NAMED = 8
_BUFFER_ERROR = -5  # zlib's Z_BUF_ERROR: it cannot go on, for want of input

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_LARGEST_WINDOW_LOG = 31
# Texts of libzstd's errors and their numbers, which the kernel logs. Source: zstd_errors.h.
_ZSTD_ERRORS = {
    "Unsupported frame parameter": 14,
    "Frame requires too much memory for decoding": 16,
    "Data corruption detected": 20,
    "Restored data doesn't match checksum": 22,
    "Dictionary mismatch": 32,
    "Src size is incorrect": 72,
}


def decompression(file: GivenFile) -> Iterator[Finding]:
    """Unpack the file, where the flag says that it is packed and the kernel can.

    Raises ``MissingLibraryError`` where Python lacks the library for the kernel's format.
    """
    if not file.flags & COMPRESSED_FILE:
        return
    options = file.kernel.options
    if not options.module_decompress:
        yield Finding(
            check=_CHECK,
            errno=errno.EOPNOTSUPP,
            evidence="the kernel unpacks no modules (CONFIG_MODULE_DECOMPRESS is off)",
            remedy=_ANOTHER_FORMAT,
        )
        return
    try:
        yield from _unpack(file)
    except UnknownOutcomeError as error:
        yield Finding(check=_CHECK, errno=errno.EINVAL, evidence=str(error), could_not_tell=True)


def compression_of(options: KernelOptions) -> str:
    """Return the format that a kernel with *options* unpacks, empty if none.

    It is what ``/sys/module/compression`` says.
    """
    if not options.module_decompress:
        return ""
    if options.module_compress_gzip:
        return "gzip"
    if options.module_compress_xz:
        return "xz"
    return "zstd" if options.module_compress_zstd else ""


def _unpack(file: GivenFile) -> Iterator[Finding]:
    limit = largest_unpacked(len(file.data))
    compression = compression_of(file.kernel.options)
    if compression == "gzip":
        unpacked = _from_gzip(file.data, limit)
    elif compression == "xz":
        unpacked = _from_xz(file.data, _filters(file.kernel.options), limit)
    elif compression == "zstd":
        unpacked = _from_zstd(file.data, limit)
    else:
        raise UnknownOutcomeError("which format the kernel unpacks is not known")
    if isinstance(unpacked, Finding):
        yield unpacked
        return
    plain, dictionary = unpacked
    file.data = plain
    if dictionary > _LARGEST_DICTIONARY:
        yield Finding(
            check=_CHECK,
            evidence=f"whether the kernel has {dictionary >> 20} MiB to unpack it is not known",
            remedy=_PACKING,
            could_not_tell=True,
        )


def _refused(text: str) -> Finding:
    return refusal(_CHECK, text, errno.EINVAL)


def _of_another_kind(text: str, kind: str) -> Finding:
    remedy = f"this kernel unpacks {kind} only: {_ANOTHER_FORMAT}"
    return refusal(_CHECK, text, errno.EINVAL, remedy=remedy)


def _from_gzip(data: bytes, limit: int) -> _Unpacked | Finding:
    start = _gzip_header_size(data)
    if not start:
        return _of_another_kind("not a gzip compressed module", "gzip")
    decompressor = zlib.decompressobj(-15)
    try:
        plain = decompressor.decompress(data[start:], limit + 1)
    except zlib.error as error:
        found = re.match(r"Error (-\d+) ", str(error))
        return _refused(f"decompression failed with status {found[1] if found else -3}")
    if len(plain) > limit:
        raise UnknownOutcomeError(_GROWS)
    if not decompressor.eof:
        return _refused(f"decompression failed with status {_BUFFER_ERROR}")
    return plain, 0


def _gzip_header_size(data: bytes) -> int:
    """Return the size of a header as the kernel reads it, 0 where it takes it for none."""
    if len(data) < _GZIP_HEADER_SIZE or not data.startswith(_GZIP_HEADER):
        return 0
    if not data[3] & _GZIP_NAMED:
        return _GZIP_HEADER_SIZE
    return data.find(b"\0", _GZIP_HEADER_SIZE) + 1


def _from_xz(data: bytes, filters: frozenset[int], limit: int) -> _Unpacked | Finding:
    if not data.startswith(MAGIC):
        return _of_another_kind("not an xz compressed module", "xz")
    decoded = decode_xz(data, filters, limit)
    if decoded.status == XzStatus.STREAM_END:
        return decoded.data, decoded.dictionary
    text = f"decompression failed with status {int(decoded.status)}"
    if decoded.status == XzStatus.OPTIONS_ERROR:
        return refusal(
            _CHECK,
            text,
            errno.EINVAL,
            evidence="of xz the kernel takes no check but CRC32, and only filters that it knows",
            remedy=_PACKING,
        )
    return _refused(text)


def _filters(options: KernelOptions) -> frozenset[int]:
    """Return the filters for machine code that a kernel with *options* has."""
    built = {
        X86: options.xz_dec_x86,
        POWERPC: options.xz_dec_powerpc,
        IA64: options.xz_dec_ia64,
        ARM: options.xz_dec_arm,
        ARMTHUMB: options.xz_dec_armthumb,
        SPARC: options.xz_dec_sparc,
        ARM64: options.xz_dec_arm64,
        RISCV: options.xz_dec_riscv,
    }
    return frozenset([number for number, is_built in built.items() if is_built])


def _from_zstd(data: bytes, limit: int) -> _Unpacked | Finding:
    if not data.startswith(_ZSTD_MAGIC):
        return _of_another_kind("not a zstd compressed module", "zstd")
    if not _zstd_header_is_whole(data):
        return _refused("ZSTD-compressed data has an incomplete frame header")
    new, errors = codec("zstd")
    try:
        plain = new().decompress(data, limit + 1)
    except errors as error:
        for text, number in _ZSTD_ERRORS.items():
            if str(error).endswith(text):
                return _refused(f"ZSTD-decompression failed with status {number}")
        raise UnknownOutcomeError(f"the kernel's number for what zstd says: {error}") from None
    if len(plain) > limit:
        raise UnknownOutcomeError(_GROWS)
    return plain, _zstd_window(data)


def _zstd_header_is_whole(data: bytes) -> bool:
    """Tell whether a frame's header is there to its end, and says nothing that is not allowed."""
    if len(data) < 6:
        return False
    flags = data[4]
    in_one_piece = bool(flags & 0x20)
    size = 5 + (not in_one_piece) + (0, 1, 2, 4)[flags & 3]
    size += (1 if in_one_piece else 0, 2, 4, 8)[flags >> 6]
    window_log = 0 if in_one_piece else (data[5] >> 3) + 10
    return len(data) >= size and not flags & 8 and window_log <= _ZSTD_LARGEST_WINDOW_LOG


def _zstd_window(data: bytes) -> int:
    """Return the size of the window that a frame asks for, 0 where it is that of its contents."""
    return 0 if data[4] & 0x20 else (8 + (data[5] & 7)) << (data[5] >> 3) + 7
