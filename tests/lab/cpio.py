"""Write cpio archives in the newc format, as the kernel reads an initramfs.

    entry    "070701", 13 numbers of 8 hex digits, the name with its NUL, padding, the data, padding
    numbers  inode, mode, uid, gid, nlink, mtime, size of data, device major and minor, rdev major
             and minor, size of the name with its NUL, check (0)
    end      an entry named TRAILER!!!

Name and data each end on a multiple of 4 bytes, counted from the entry's start. Archives may follow
one another, so that a base can be kept and the files of one run appended.

Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst; cpio(5).
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass

_MAGIC = b"070701"
_TRAILER = "TRAILER!!!"


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
    """Return a symlink."""
    return Entry(name, stat.S_IFLNK | 0o777, target.encode())


def character_device(name: str, major: int, minor: int) -> Entry:
    """Return a device node, such as the console that init's stdout is."""
    return Entry(name, stat.S_IFCHR | 0o600, device=(major, minor))


def archive(entries: Iterable[Entry]) -> bytes:
    """Return the archive of *entries*, in their order."""
    parts = [_packed(entry, inode) for inode, entry in enumerate(entries, 1)]
    return b"".join([*parts, _packed(Entry(_TRAILER, 0), 0)])


def _packed(entry: Entry, inode: int) -> bytes:
    name = entry.name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    numbers = (inode, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, *entry.device, len(name))
    head = _MAGIC + b"".join(b"%08x" % number for number in (*numbers, 0)) + name
    return _padded(head) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
