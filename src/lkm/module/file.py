"""Open module files: plain, gzip, xz or zstd, told by content and never by name.

    28 b5 2f fd           zstd, one frame or several
    fd 37 7a 58 5a 00     xz, one stream or several
    1f 8b                 gzip, one member or several
    anything else         the module itself

Source: kmod, libkmod-file.c; RFC 1952; RFC 8878; the xz file format 1.1.
"""

from __future__ import annotations

import errno
import os
import stat
import sys

from lkm._value import Value
from lkm.errors import FileError, FormatError, MissingLibraryError
from lkm.names import module_name, module_name_of_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final, Literal, Protocol

    from lkm.elf.file import Range
    from lkm.names import ModuleName

    Compression = Literal["", "gzip", "xz", "zstd"]

    class _Decompressor(Protocol):
        @property
        def eof(self) -> bool: ...

        @property
        def unused_data(self) -> bytes: ...

        def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


_MAGICS: tuple[tuple[bytes, Compression], ...] = (
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x1f\x8b", "gzip"),
)
_MAGIC_SIZE = 6

# O_NONBLOCK: opening a pipe must not wait for somebody to write to it.
_OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK

# What a file may grow to; a 100-byte file that claims gigabytes is an attack. Of Debian's modules
# test_bpf.ko has 4.9 MB in an xz file of 45 KB; the others have less than eight times what they
# are packed in and half a MB. xz -9 needs a dictionary of 64 MB.
_SIZE_BASE = 8 << 20
_SIZE_FACTOR = 8
_XZ_MEMORY = 128 << 20


class ModuleImage(Value):
    """A module as the kernel wants it: uncompressed ELF bytes, signature still appended.

    *path* is empty where the bytes came from no file; *compression* is what they were wrapped in.
    """

    __slots__ = ("compression", "data", "name", "path")

    def __init__(
        self, name: ModuleName, data: bytes, path: str = "", compression: Compression = ""
    ) -> None:
        self.name: Final = name
        self.data: Final = data
        self.path: Final = path
        self.compression: Final = compression

    def __repr__(self) -> str:
        size = f"<{len(self.data)} bytes>"
        return f"ModuleImage({self.name!r}, {size}, {self.path!r}, {self.compression!r})"


class FileSlices:
    """An open file whose slices are bytes, each read when asked for.

    So that a question about a 4 MB file reads the few KB that answer it. Raises ``FileError``
    where the file system refuses, ``FormatError`` if the file shrinks meanwhile.
    """

    def __init__(self, path: str) -> None:
        self.path: Final = path
        self._fd = -1
        try:
            self._fd = os.open(path, _OPEN_FLAGS)
            status = os.fstat(self._fd)
        except OSError as error:
            raise FileError.from_os("read", path, error) from error
        if stat.S_ISDIR(status.st_mode):
            raise FileError("read", path, errno.EISDIR)
        if not stat.S_ISREG(status.st_mode):
            raise FormatError("module", "not a regular file", path=path, remedy="")
        self._size: Final = status.st_size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, key: Range, /) -> bytes:
        start, stop, step = key.indices(self._size)
        if step != 1:
            return self[start:stop][::step]
        data = self._read(stop - start, start)
        while start + len(data) < stop:  # a signal or a network file system cut the read short
            more = self._read(stop - start - len(data), start + len(data))
            if not more:
                raise FormatError("module", "the file shrank", offset=start, path=self.path)
            data += more
        return data

    def close(self) -> None:
        """Close the file; slices of it are refused from then on."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()

    def _read(self, size: int, offset: int) -> bytes:
        if size <= 0:
            return b""
        try:
            return os.pread(self._fd, size, offset)
        except OSError as error:
            raise FileError.from_os("read", self.path, error) from error


def read_image(path: str) -> ModuleImage:
    """Read the whole module file at *path* and unwrap it.

    Raises ``FileError``, ``FormatError`` for a wrapping that is cut off, damaged or grows out of
    all proportion, and ``MissingLibraryError``.
    """
    slices = FileSlices(path)
    try:
        return image_from_bytes(slices[:], path=path)
    finally:
        slices.close()


def unread_image(path: str) -> ModuleImage:
    """Return the module file at *path* without its bytes: only what it is wrapped in is read.

    For a kernel that is handed the file itself. Raises ``FileError``, and ``FormatError`` for what
    is no ordinary file.
    """
    slices = FileSlices(path)
    try:
        return ModuleImage(module_name_of_path(path), b"", path, detect(slices[:_MAGIC_SIZE]))
    finally:
        slices.close()


def image_from_bytes(data: bytes, name: str = "", path: str = "") -> ModuleImage:
    """Return the module in *data*, unwrapped; its name is *name*, else made from *path*.

    Raises what ``read_image`` raises.
    """
    try:
        compression, plain = decompress(data)
    except FormatError as error:
        raise error.at(path) if path else error from None
    chosen = module_name(name) if name else module_name_of_path(path)
    return ModuleImage(chosen, plain, path, compression)


def open_slices(path: str) -> tuple[Compression, bytes | FileSlices]:
    """Open the module file at *path* for reading in parts: the file, or the bytes unwrapped.

    A plain file comes back open; the caller closes it. Raises what ``read_image`` raises.
    """
    slices = FileSlices(path)
    if not detect(slices[:_MAGIC_SIZE]):
        return "", slices
    try:
        return decompress(slices[:])
    except FormatError as error:
        raise error.at(path) from None
    finally:
        slices.close()


def detect(data: bytes) -> Compression:
    """Return what *data*, the first bytes of a file, says that the file is wrapped in."""
    for magic, compression in _MAGICS:
        if data.startswith(magic):
            return compression
    return ""


def decompress(data: bytes) -> tuple[Compression, bytes]:
    """Return how *data* was wrapped, and what was in it.

    Raises ``FormatError`` for more than 8 MiB plus eight times *data*, ``MissingLibraryError``
    where Python lacks the library for the format.
    """
    compression = detect(data)
    if not compression:
        return "", data
    limit = largest_unpacked(len(data))
    what = f"{compression} file"
    new, errors = codec(compression)
    parts: list[bytes] = []
    size, rest = 0, data
    while rest and (not parts or detect(rest) == compression):
        decompressor = new()
        try:
            part = decompressor.decompress(rest, limit - size + 1)
        except errors as error:
            raise FormatError(what, f"damaged: {error}") from error
        size += len(part)
        if size > limit:
            raise FormatError(what, f"grows past {limit} bytes, from {len(data)}")
        if not decompressor.eof:
            raise FormatError(what, "cut off", offset=len(data))
        parts.append(part)
        rest = decompressor.unused_data
        if compression == "xz" and len(rest) - len(rest.lstrip(b"\0")) & 3 == 0:
            rest = rest.lstrip(b"\0")  # streams may be padded, by whole words
    if rest and compression != "gzip":  # what follows a gzip member does not count
        raise FormatError(what, f"{len(rest)} bytes of something else behind it")
    return compression, parts[0] if len(parts) == 1 else b"".join(parts)


def largest_unpacked(size: int) -> int:
    """Return how many bytes may come out of a wrapped file of *size* bytes."""
    return _SIZE_BASE + _SIZE_FACTOR * size


def codec(
    compression: Compression,
) -> tuple[Callable[[], _Decompressor], tuple[type[Exception], ...]]:
    """Return what makes a decompressor of that format, and the errors that it raises.

    Raises ``MissingLibraryError`` where Python lacks the library.
    """
    # Imported here: most files are plain, or wrapped in one way only.
    try:
        if compression == "gzip":
            import zlib

            return (lambda: zlib.decompressobj(31)), (zlib.error,)
        if compression == "xz":
            import lzma

            return (lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY)), (lzma.LZMAError,)
        return _zstd()
    except ImportError as error:
        library = {"gzip": "zlib", "xz": "lzma"}.get(compression, "backports.zstd")
        raise MissingLibraryError(library, f"reading a {compression} file") from error


def _zstd() -> tuple[Callable[[], _Decompressor], tuple[type[Exception], ...]]:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd.ZstdDecompressor, (zstd.ZstdError,)
