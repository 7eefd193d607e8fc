r"""Keep a symbol table in a small file, and read it back.

    header     "lkm symbols\n", u16 version, u8 address size, u8 0, u32 CRC-32 of the content,
               u32 its size; all numbers are little-endian
    content    zlib stream, up to the end of the file, of
               release, NUL
               u32 number of symbols n; the type letters, n bytes
               n addresses of 8 bytes, transposed: all lowest bytes, then all second ones ...
               u32 number of runs r; r x u32 symbols in a row of one module; r module names, each
               with a NUL (empty: the kernel itself)
               n names, each with a line feed

Column by column the same things stand together, which packs to half of what the text packs to; and
each column is one call to read, a small part of the time that the text takes.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys
import zlib
from array import array
from itertools import groupby

from lkm import _text
from lkm.errors import FileError, FormatError
from lkm.kallsyms.parse import Columns
from lkm.kallsyms.table import SymbolTable

_WHAT = "symbol snapshot"
_MAGIC = b"lkm symbols\n"
_VERSION = 1
_HEADER = struct.Struct("<12sHBBII")
# What a snapshot may unpack to. Tables without addresses pack to a hundredth, others to a tenth.
_SIZE_BASE = 16 << 20
_SIZE_FACTOR = 256
_ADDRESS_SIZE = 8
# The text of half a million symbols has some 30 MB.
_LARGEST_FILE = 256 << 20


def save(table: SymbolTable) -> bytes:
    """Return the snapshot of *table*: its symbols and its release.

    Raises ``FormatError`` for a table that has a line end in a name, or a type that is no letter.
    """
    columns = table.columns
    runs = [(module, len(list(group))) for module, group in groupby(columns.modules)]
    addresses = array("Q", columns.addresses)
    if sys.byteorder == "big":
        addresses.byteswap()
    packed = addresses.tobytes()
    try:
        types = columns.types.encode("latin-1")
    except UnicodeEncodeError:
        raise FormatError(_WHAT, "a type letter that no table has") from None
    names = columns.joined_names()
    if names.count(b"\n") != len(columns.types):
        raise FormatError(_WHAT, "a line end in a symbol's name")
    content = b"".join(
        [
            _text.encode(table.release.replace("\0", "")) + b"\0",
            struct.pack("<I", len(columns.types)) + types,
            *(packed[byte::_ADDRESS_SIZE] for byte in range(_ADDRESS_SIZE)),
            struct.pack(f"<I{len(runs)}I", len(runs), *(count for _, count in runs)),
            _text.encode("".join([module.replace("\0", "") + "\0" for module, _ in runs])),
            names,
        ]
    )
    header = _HEADER.pack(
        _MAGIC, _VERSION, columns.address_size, 0, zlib.crc32(content), len(content)
    )
    return header + zlib.compress(content, 6)


def load(data: bytes) -> SymbolTable:
    """Return the table that the snapshot *data* holds.

    Raises ``FormatError`` for anything that is cut off, damaged, or of a version not known.
    """
    if len(data) < _HEADER.size:
        raise FormatError(_WHAT, "cut off", offset=len(data))
    magic, version, address_size, spare, checksum, size = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise FormatError(_WHAT, "no snapshot of symbols", offset=0)
    if version != _VERSION or address_size not in (4, 8) or spare:
        raise FormatError(_WHAT, f"version {version} is not known", offset=len(_MAGIC))
    content = _unpacked(data, size)
    if zlib.crc32(content) != checksum:
        raise FormatError(_WHAT, "its checksum is wrong")
    return _Content(content).table(address_size)


def read_snapshot(path: str) -> SymbolTable:
    """Read the file at *path*: a snapshot, or the text of ``/proc/kallsyms`` itself.

    Raises ``FileError``, also for a device or a FIFO, which may never end, and ``FormatError``,
    also for a file larger than any table.
    """
    data = _read(path)
    try:
        if len(data) > _LARGEST_FILE:
            raise FormatError(_WHAT, f"more than {_LARGEST_FILE >> 20} MiB, so no symbol table")
        return load(data) if is_snapshot(data) else SymbolTable.from_text(data)
    except FormatError as error:
        raise error.at(path) from error


def is_snapshot(data: bytes) -> bool:
    """Tell by its first bytes whether *data* is a snapshot."""
    return data.startswith(_MAGIC)


def write_snapshot(table: SymbolTable, path: str) -> None:
    """Write the snapshot of *table* to *path*; a file is replaced as a whole or not at all.

    A link stays one, and what it leads to is replaced. A device or a FIFO is written into. Raises
    ``FileError``, also for a folder, and what ``save`` raises.
    """
    data = save(table)
    try:
        mode = _mode(path)
        if mode is not None and stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if mode is None or stat.S_ISREG(mode):
            _replace(os.path.realpath(path), data, mode)
        else:
            with open(path, "wb", buffering=0) as device:
                _write_all(device.fileno(), data)
    except OSError as error:
        raise FileError.from_os("write", path, error) from error


def _mode(path: str) -> int | None:
    """Return the mode of what *path* leads to, None where there is nothing."""
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def _replace(path: str, data: bytes, mode: int | None) -> None:
    """Put *data* in the place of the regular file at *path*, whose permissions stay."""
    partial = f"{path}.{os.getpid()}.partial"
    try:
        with open(partial, "wb") as file:
            file.write(data)
        if mode is not None:
            os.chmod(partial, stat.S_IMODE(mode))
        os.replace(partial, path)
    except OSError:
        if os.path.lexists(partial):
            os.unlink(partial)
        raise


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _read(path: str) -> bytes:
    """Return the regular file at *path*, or its beginning if it is larger than any table."""
    try:
        # Opening a FIFO would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise FileError("read", path, errno.EINVAL, "name a regular file")
            return file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise FileError.from_os("read", path, error) from error


def _unpacked(data: bytes, size: int) -> bytes:
    if size > _SIZE_BASE + _SIZE_FACTOR * len(data):
        raise FormatError(_WHAT, f"claims {size} bytes, in {len(data)}", offset=_HEADER.size)
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(data[_HEADER.size :], size + 1)
    except zlib.error as error:
        raise FormatError(_WHAT, f"damaged: {error}") from error
    if not stream.eof or len(content) != size:
        raise FormatError(_WHAT, "cut off, or longer than it says", offset=len(data))
    if stream.unused_data:
        raise FormatError(_WHAT, "bytes after its end", offset=len(data) - len(stream.unused_data))
    return content


class _Content:
    """The unpacked content; its checksum was right, but whoever wrote it may have meant harm."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.offset = 0

    def table(self, address_size: int) -> SymbolTable:
        release = self.texts(1)[0]
        (count,) = self.numbers(1)
        types = self.take(count).decode("latin-1")
        addresses = self.addresses(count)
        (runs,) = self.numbers(1)
        counts = self.numbers(runs)
        if sum(counts) != count:
            raise FormatError(_WHAT, f"{sum(counts)} symbols in modules, of {count}")
        modules: list[str] = []
        for module, symbols in zip(self.texts(runs), counts, strict=True):
            modules += [module] * symbols
        joined = self.lines(count)
        return SymbolTable(
            Columns(
                addresses=addresses,
                types=types,
                joined=joined,
                modules=tuple(modules),
                address_size=address_size,
            ),
            release=release,
        )

    def take(self, size: int) -> bytes:
        start = self.offset
        if size > len(self.data) - start:
            raise FormatError(_WHAT, f"cut off: {size} bytes wanted", offset=start)
        self.offset = start + size
        return self.data[start : self.offset]

    def numbers(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}I", self.take(4 * count))

    def addresses(self, count: int) -> array[int]:
        transposed = self.take(_ADDRESS_SIZE * count)
        packed = bytearray(len(transposed))
        for byte in range(_ADDRESS_SIZE):
            packed[byte::_ADDRESS_SIZE] = transposed[byte * count : (byte + 1) * count]
        addresses = array("Q")
        addresses.frombytes(packed)
        if sys.byteorder == "big":
            addresses.byteswap()
        return addresses

    def texts(self, count: int) -> tuple[str, ...]:
        """Return the next *count* texts, each of which ends in a NUL."""
        found = []
        for _ in range(count):
            end = self.data.find(b"\0", self.offset)
            if end < 0:
                raise FormatError(_WHAT, "a text without its end", offset=len(self.data))
            found.append(_text.decode(self.data[self.offset : end]))
            self.offset = end + 1
        return tuple(found)

    def lines(self, count: int) -> bytes:
        """Return all that is left, which must be *count* lines."""
        left = self.data[self.offset :]
        if left.count(b"\n") != count or left[-1:] != (b"\n" if count else b""):
            raise FormatError(_WHAT, f"not {count} names at its end", offset=self.offset)
        return left
