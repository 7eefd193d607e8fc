"""Write and read cpio archives in the newc format, as the kernel reads an initramfs.

    entry    "070701", 13 numbers of 8 hex digits, the name with its NUL, padding, the data, padding
    magic    "070702" where the check is a sum of the data, which the kernel does not look at
    numbers  inode, mode, uid, gid, nlink, mtime, size of data, device major and minor, rdev major
             and minor, size of the name with its NUL, check (0)
    end      an entry named TRAILER!!!

Name and data each end on a multiple of 4 bytes, counted from the entry's start. Archives may follow
one another, so that a base can be kept and the files of one run appended; zeros may stand between.

Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst; cpio(5).
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from lkm.errors import FormatError

_WHAT = "cpio archive"
_MAGIC = b"070701"
_MAGICS = (_MAGIC, b"070702")
_TRAILER = "TRAILER!!!"
_HEAD = 110
_NUMBERS = struct.Struct(">13I")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: *mode* holds its type too; *data* is a link's target where it is a symlink."""

    name: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def folder(name: str) -> Entry:
    """Return a folder, which must stand before what lies in it."""
    return Entry(name, stat.S_IFDIR | 0o755)


def file(name: str, data: bytes, permissions: int = 0o644) -> Entry:
    """Return a regular file."""
    return Entry(name, stat.S_IFREG | permissions, data)


def link(name: str, target: str) -> Entry:
    """Return a symlink; a target that is not UTF-8 has its bytes as surrogates."""
    return Entry(name, stat.S_IFLNK | 0o777, target.encode(errors="surrogateescape"))


def character_device(name: str, major: int, minor: int) -> Entry:
    """Return a device node, such as the console that init's stdout is."""
    return Entry(name, stat.S_IFCHR | 0o600, device=(major, minor))


def archive(entries: Iterable[Entry]) -> bytes:
    """Return the archive of *entries*, in their order."""
    parts = [_packed(entry, inode) for inode, entry in enumerate(entries, 1)]
    return b"".join([*parts, _packed(Entry(_TRAILER, 0), 0)])


def _packed(entry: Entry, inode: int) -> bytes:
    name = entry.name.encode(errors="surrogateescape") + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    numbers = (inode, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, *entry.device, len(name))
    head = _MAGIC + b"".join(b"%08x" % number for number in (*numbers, 0)) + name
    return _padded(head) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def parse_archive(data: bytes) -> tuple[Entry, ...]:
    """Return the entries of all archives in *data*, in their order, without the trailers.

    Names that are not UTF-8 keep their bytes as surrogates. Inode, owner, times and the check are
    not looked at. Raises ``FormatError``, also where the last archive has no trailer.
    """
    entries: list[Entry] = []
    at, ended = 0, False
    while True:
        at = _after_zeros(data, at)
        if at == len(data):
            break
        entry, at = _unpacked(data, at)
        ended = entry.name == _TRAILER
        if not ended:
            entries.append(entry)
    if not ended:
        raise FormatError(_WHAT, "it ends without a trailer", offset=len(data))
    return tuple(entries)


def _after_zeros(data: bytes, at: int) -> int:
    """Return where the zeros at *at* end, in steps that do not copy a long run of them."""
    while at < len(data) and data[at] == 0:
        chunk = data[at : at + 4096]
        at += len(chunk) - len(chunk.lstrip(b"\0"))
    return at


def _unpacked(data: bytes, at: int) -> tuple[Entry, int]:
    """Return the entry at *at* and where the next one may begin."""
    head = data[at : at + _HEAD]
    if head[:6] not in _MAGICS:
        raise FormatError(_WHAT, "no newc header where one should be", offset=at)
    try:
        # fromhex passes over blanks, so only the full number of bytes is good.
        _inode, mode, *_owner, size, _, _, major, minor, name_size, _check = _NUMBERS.unpack(
            bytes.fromhex(head[6:].decode("ascii"))
        )
    except (ValueError, struct.error):
        raise FormatError(_WHAT, "a header that is cut or not of digits", offset=at) from None
    name = data[at + _HEAD : at + _HEAD + name_size]
    if len(name) != name_size or name[-1:] != b"\0":
        raise FormatError(_WHAT, "a name that does not end", offset=at + _HEAD)
    start = min(_aligned(at, at + _HEAD + name_size), len(data))
    if size > len(data) - start:
        raise FormatError(_WHAT, f"{size} bytes of data where fewer follow", offset=start)
    text = name[:-1].decode(errors="surrogateescape")
    entry = Entry(text, mode, data[start : start + size], (major, minor))
    return entry, min(_aligned(at, start + size), len(data))


def _aligned(start: int, offset: int) -> int:
    return offset + (start - offset) % 4
