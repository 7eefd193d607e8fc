"""Where the sections are of the commonest of all module files, in few system calls.

That is an uncompressed file of 64 bits and of this machine's byte order, in which all is as
compilers leave it. The section table and the names of the sections stand at the end, the signature
behind them, so that one read has all three. Whatever else there is is left to the general way
(``lkm.elf``, ``lkm.module.file``), which also knows what is wrong with it.
"""

from __future__ import annotations

import os
import sys
from operator import attrgetter
from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from lkm.module.scanned import Identity

_LITTLE = sys.byteorder == "little"
_IDENT = b"\x7fELF\x02" + (b"\x01" if _LITTLE else b"\x02")
ORDER: Literal["<", ">"] = "<" if _LITTLE else ">"
_HEADER = Struct(ORDER + "18xH20xQ10xHHH")  # e_machine, e_shoff, e_shentsize, e_shnum, e_shstrndx
_SECTION = Struct(ORDER + "4xI16xQQ4xI16x")  # sh_type, sh_offset, sh_size, sh_info
_RECORD, _NOBITS, _MANY = 64, 8, 0xFF00
_S_IFMT, _S_IFREG = 0o170000, 0o100000  # the module `stat` is one import more

_HEAD_BYTES = 256  # the header, and the build id that linkers put behind it
_NAMES_BYTES = 2048  # before the section table; linkers put the sections' names there
_MOST_TAIL_BYTES = 1 << 16
_MOST_BYTES = 1 << 26  # of one section, or of the symbols and their names

OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK

_identity_of = attrgetter("st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")


class QuickElf:
    """The sections of an open *file*. All raises ``ValueError`` or ``OSError`` for an unusual one.

    *identity* tells which state of the file that is, *tail* is its end, from the names of the
    sections on. A section is asked for by its name with a NUL behind it.
    """

    __slots__ = (
        "_file",
        "_head",
        "_name_offsets",
        "_names",
        "_size",
        "_start",
        "_table",
        "identity",
        "machine",
        "tail",
    )

    def __init__(self, file: int) -> None:
        head = os.pread(file, _HEAD_BYTES, 0)
        if not head.startswith(_IDENT) or len(head) < _HEADER.size:
            raise ValueError
        self.machine, table, entry_size, count, index = _HEADER.unpack_from(head)
        status = os.fstat(file)
        self.identity: Identity = _identity_of(status)
        start = max(table - _NAMES_BYTES, 0)
        unread = status.st_size - start
        usual = entry_size == _RECORD and 0 < index < count < _MANY
        if not usual or unread > _MOST_TAIL_BYTES or _S_IFMT & status.st_mode != _S_IFREG:
            raise ValueError
        self._file, self._head, self._size, self._start = file, head, status.st_size, start
        self.tail = os.pread(file, unread, start) if unread > 0 else b""
        self._table = self.tail[table - start : table - start + count * _RECORD]
        if not table or len(self.tail) != unread or len(self._table) != count * _RECORD:
            raise ValueError
        self._name_offsets = memoryview(self._table).cast("I")[:: _RECORD // 4].tolist()
        self._names = self._bytes(*self._place(index))
        if not self._names.endswith(b"\0"):
            raise ValueError

    def contents(self, name: bytes) -> bytes | None:
        """Return the bytes of the section of that *name*; None without it."""
        number = self._number(name)
        return None if number < 0 else self._bytes(*self._place(number))

    def symbols(self) -> tuple[bytes, bytes, int]:
        """Return the symbol table, its strings, and the number of its first global symbol."""
        table, strings = self._number(b".symtab\0"), self._number(b".strtab\0")
        if table < 0 or strings < 0:
            raise ValueError
        offset, size = self._place(table)
        first_global = _SECTION.unpack_from(self._table, table * _RECORD)[3]
        text_offset, text_size = self._place(strings)
        if text_offset != offset + size:
            return self._bytes(offset, size), self._bytes(text_offset, text_size), first_global
        # Linkers put one behind the other.
        both = self._bytes(offset, size + text_size)
        return both[:size], both[size:], first_global

    def _number(self, name: bytes) -> int:
        at = self._names.find(name)
        if at < 0:
            return -1
        if self._names.find(name, at + 1) >= 0:
            raise ValueError  # names that share their ends
        return self._name_offsets.index(at)

    def _place(self, number: int) -> tuple[int, int]:
        kind, offset, size, _ = _SECTION.unpack_from(self._table, number * _RECORD)
        if kind == _NOBITS:
            raise ValueError
        return offset, size

    def _bytes(self, offset: int, size: int) -> bytes:
        stop = offset + size
        if stop > self._size or size > _MOST_BYTES:
            raise ValueError
        if stop <= len(self._head):
            return self._head[offset:stop]
        if offset >= self._start:
            return self.tail[offset - self._start : stop - self._start]
        data = os.pread(self._file, size, offset)
        if len(data) != size:
            raise ValueError
        return data


def identity_at(path: str) -> Identity | None:
    """Return what tells one state of the file at *path* from another, None without a file."""
    try:
        found: Identity = _identity_of(os.stat(path))
    except (OSError, ValueError):
        return None
    return found


def identities_at(paths: Sequence[str]) -> list[Identity | None]:
    """Return what ``identity_at`` returns for each of *paths*."""
    try:
        return [*map(_identity_of, map(os.stat, paths))]
    except (OSError, ValueError):
        return [identity_at(path) for path in paths]
