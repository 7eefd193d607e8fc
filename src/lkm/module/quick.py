"""The facts of ``lkm.module.scan`` for the commonest of all module files, in a third less time.

That is an uncompressed file of 64 bits and of this machine's byte order, in which all is as
compilers leave it. Whatever else there is gets no answer here, and is read by the general way,
which also knows what is wrong with it. depmod spends most of its time in here, so a file is read in
few system calls, without an object for each section, and bounds are checked once.
"""

from __future__ import annotations

import os
import sys
from itertools import chain
from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.module.scan import Facts

_LITTLE = sys.byteorder == "little"
_IDENT = b"\x7fELF\x02" + (b"\x01" if _LITTLE else b"\x02")
_ORDER = "<" if _LITTLE else ">"
_HEADER = Struct(_ORDER + "18xH20xQ10xHHH")  # e_machine, e_shoff, e_shentsize, e_shnum, e_shstrndx
_SECTION = Struct(_ORDER + "4xI16xQQ4xI16x")  # sh_type, sh_offset, sh_size, sh_info
_VERSION_NAMES = Struct("8x56s").iter_unpack
_SYMBOL, _RECORD, _NOBITS, _MANY, _SPARC = 24, 64, 8, 0xFF00, (2, 18, 43)
_CRC_PREFIX, _END = b"__crc_", b"\0"
_LONGEST_NAME = 4096  # as in lkm.module.scan


def quick_facts(path: str) -> Facts | None:
    """Return what the module file at *path* says; None where another way of reading is needed."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return _facts(file)
    except (OSError, ValueError):
        return None  # not what it claims to be: the general way says what is wrong
    finally:
        os.close(file)


def _facts(file: int) -> Facts:
    sections = _Sections(file)
    number = sections.number(b".symtab\0")
    if number < 0:
        raise ValueError
    symbols, strings = sections.contents(number), sections.called(b".strtab\0")
    needs = _undefined(symbols, strings, sections.header(number)[3])
    exports = _exports(symbols, strings)
    if not exports:
        named = sections.called(b"__ksymtab_strings\0")
        exports = [name for name in named.split(_END) if name]
    needs += _only_in(sections.called(b"__versions\0"), needs)
    return sections.called(b".modinfo\0"), _END.join(exports), _END.join(needs), (), ()


class _Sections:
    """The section table of the file open as *file*. Raises ``ValueError`` for an unusual one."""

    __slots__ = ("file", "name_offsets", "names", "size", "table")

    def __init__(self, file: int) -> None:
        head = os.pread(file, _HEADER.size, 0)
        if not head.startswith(_IDENT) or len(head) != _HEADER.size:
            raise ValueError
        machine, start, entry_size, count, index = _HEADER.unpack(head)
        if entry_size != _RECORD or not 0 < index < count < _MANY or machine in _SPARC:
            raise ValueError
        self.file = file
        self.size = os.fstat(file).st_size
        self.table = self._read(count * _RECORD, start)
        self.name_offsets = memoryview(self.table).cast("I")[:: _RECORD // 4].tolist()
        self.names = self.contents(index)
        if not self.names.endswith(_END):
            raise ValueError

    def number(self, name: bytes) -> int:
        """Return the index of the first section of that *name*, a NUL behind it; -1 without one."""
        at = self.names.find(name)
        if at < 0:
            return -1
        if self.names.find(name, at + 1) >= 0:
            raise ValueError  # names that share their ends
        return self.name_offsets.index(at)

    def header(self, number: int) -> tuple[int, int, int, int]:
        """Return type, offset, size and information."""
        kind, offset, size, information = _SECTION.unpack_from(self.table, number * _RECORD)
        return kind, offset, size, information

    def contents(self, number: int) -> bytes:
        """Return the bytes of the section of that index."""
        kind, offset, size, _ = self.header(number)
        if kind == _NOBITS:
            raise ValueError
        return self._read(size, offset)

    def called(self, name: bytes) -> bytes:
        """Return the bytes of the section of that *name*; none without it."""
        number = self.number(name)
        return self.contents(number) if number >= 0 else b""

    def _read(self, size: int, offset: int) -> bytes:
        if offset + size > self.size:
            raise ValueError
        data = os.pread(self.file, size, offset)
        if len(data) != size:
            raise ValueError
        return data


def _undefined(symbols: bytes, strings: bytes, first_global: int) -> list[bytes]:
    if len(symbols) % _SYMBOL:
        raise ValueError
    columns = memoryview(symbols)
    sections = columns.cast("H")[3 :: _SYMBOL // 2]
    # Two thirds of the symbols are local, and not one of those is undefined, save in a file that
    # somebody has tampered with. (Zeros that are halves of two numbers do no harm here.)
    if b"\0\0" in sections[1:first_global].tobytes():
        first_global = 1
    starts = columns.cast("I")[first_global * 6 :: _SYMBOL // 4].tolist()
    find = strings.index
    return [
        strings[at : find(_END, at, at + _LONGEST_NAME)]
        for at, section in zip(starts, sections[first_global:].tolist(), strict=True)
        if not section and at
    ]


def _exports(symbols: bytes, strings: bytes) -> list[bytes]:
    at = strings.find(_CRC_PREFIX)
    if at < 0:
        return []
    starts = set()
    while at >= 0:
        starts.add(at)
        at = strings.find(_CRC_PREFIX, at + 1)
    find, skip = strings.index, len(_CRC_PREFIX)
    return [
        strings[start + skip : find(_END, start, start + _LONGEST_NAME)]
        for start in memoryview(symbols).cast("I")[6 :: _SYMBOL // 4]
        if start in starts
    ]


def _only_in(versions: bytes, needs: list[bytes]) -> list[bytes]:
    """Return the names in ``__versions`` that are not among *needs*, in its order."""
    if len(versions) % _RECORD:
        raise ValueError
    # Compared as they stand there, padding and all: that takes no step per name.
    known = {name.ljust(56, _END) for name in needs}
    rest = [name for name in chain.from_iterable(_VERSION_NAMES(versions)) if name not in known]
    names = dict.fromkeys([name.partition(_END)[0] for name in rest])
    return [name for name in names if name not in needs]
