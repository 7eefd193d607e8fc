"""One kernel image, unwrapped: its bytes, where they lie in memory, and who it says it is.

An ELF kernel has program headers, which say where the file's bytes lie in memory, and sections by
name. An ``Image`` has neither: it is the memory itself, at an address that it does not tell.

    program header    64 bit: u32 type, u32 flags, u64 offset, address, physical address, size in
                      the file, size in memory, alignment; 32 bit: u32 type, offset, address,
                      physical address, size in the file, in memory, u32 flags, alignment

Source: System V ABI, chapter 5; init/version.c, linux_banner.
"""

from __future__ import annotations

import os
import re
import stat
import struct
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from typing import Final, Literal, NamedTuple

from lkm import _text
from lkm._cursor import Cursor
from lkm.elf.constants import (
    EM_386,
    EM_AARCH64,
    EM_ARM,
    EM_MIPS,
    EM_PPC,
    SHF_ALLOC,
    SHT_NOBITS,
)
from lkm.elf.file import ElfFile, Section
from lkm.errors import FileError, FormatError
from lkm.vmlinux.container import Payload, unpack

_WHAT = "kernel image"
_PT_LOAD = 1
_HEADER_SIZE = 64
_BANNER = re.compile(rb"Linux version (\d[!-~]{0,80}) [^\0\n]{0,1000}")
_BANNER_START = b"Linux version "
_BUILD_NUMBER = re.compile(rb" #\d")
_MOST_BANNERS = 100
_ARM64_FLAGS_AT = 0x18
_ARM64_BIG_ENDIAN = 1


class Segment(NamedTuple):
    """Bytes of an image that lie in memory together: *size* of them at *offset* in its data.

    In memory they begin at *address* and may go on, as zeros, up to *memory_size*.
    """

    address: int
    offset: int
    size: int
    memory_size: int


class KernelImage:
    """A kernel as its image shows it. Nothing here runs it.

    *data* is the innermost file: ELF, or the kernel as it lies in memory; *wrappers* are what it
    was in, outermost first. *elf* is None for the latter. *machine* is the ELF number, None where
    nothing tells it; *order* is ``"<"`` (little endian) or ``">"``; *path* is empty where the
    bytes came from no file.
    """

    def __init__(self, payload: Payload, path: str = "") -> None:
        self.path: Final = path
        self.data: Final = payload.data
        self.wrappers: Final = payload.wrappers
        self.machine: Final = payload.machine
        self.elf: Final[ElfFile | None] = (
            ElfFile.from_bytes(payload.data, what=_WHAT) if payload.kind == "elf" else None
        )
        self.is_64bit: Final[bool] = self.elf.is_64bit if self.elf else _raw_is_64bit(payload)
        self.order: Final[Literal["<", ">"]] = self.elf.order if self.elf else _raw_order(payload)
        self.segments: Final[tuple[Segment, ...]] = _segments(self.elf) if self.elf else ()

    @classmethod
    def open(cls, path: str) -> KernelImage:
        """Read the kernel image at *path*.

        Raises ``FileError``, ``FormatError`` and ``MissingLibraryError`` as ``unpack`` does.
        """
        return cls.from_bytes(_contents(path), path=path)

    @classmethod
    def from_bytes(cls, data: bytes, *, path: str = "") -> KernelImage:
        """Return the kernel image in *data*. Raises what ``open`` raises."""
        try:
            return cls(unpack(data), path)
        except FormatError as error:
            raise error.at(path) if path else error from None

    @property
    def sections(self) -> tuple[Section, ...]:
        """Every section, in the order of the section table; none where there is no such table."""
        return self.elf.sections if self.elf else ()

    @cached_property
    def banner(self) -> str | None:
        """The line that it greets with: ``Linux version 6.1.0-56-amd64 (...) ...``."""
        match = self._banner_match
        return None if match is None else _text.decode(match[0])

    @cached_property
    def release(self) -> str | None:
        """What ``uname -r`` says when it runs, None where the image has no banner."""
        match = self._banner_match
        return None if match is None else _text.decode(match[1])

    def section(self, name: str) -> Section | None:
        """Return the first section named *name*."""
        return self.elf.section(name) if self.elf else None

    def section_data(self, name: str) -> bytes | None:
        """Return the bytes of the first section named *name*, None if there is none.

        Raises ``FormatError`` if it reaches past the end of the file.
        """
        return self.elf.section_data(name) if self.elf else None

    def offset_of(self, address: int) -> int | None:
        """Return where in ``data`` the byte lies that is at *address* in memory.

        None where the file has no such byte: outside every part, or among the zeros after one.
        """
        index = bisect_right(self._places, (address, 1 << 64, 0)) - 1
        if index < 0:
            return None
        start, offset, size = self._places[index]
        return offset + address - start if address < start + size else None

    def read(self, address: int, size: int) -> bytes:
        """Return *size* bytes at *address* in memory.

        Raises ``FormatError`` where the file does not hold all of them in one piece.
        """
        index = bisect_right(self._places, (address, 1 << 64, 0)) - 1
        if index >= 0 and size >= 0:
            start, offset, held = self._places[index]
            if address + size <= start + held:
                return self.data[offset + address - start : offset + address - start + size]
        raise FormatError(_WHAT, f"no {size} bytes at address {address:#x}")

    @cached_property
    def _places(self) -> tuple[tuple[int, int, int], ...]:
        """Address, offset and size of every part, sorted. Sections stand in for segments."""
        found = [(each.address, each.offset, each.size) for each in self.segments if each.size]
        if not found:
            found = [
                (each.address, each.offset, each.size)
                for each in self.sections
                if each.flags & SHF_ALLOC and each.type != SHT_NOBITS and each.size
            ]
        return tuple(sorted([each for each in found if each[1] + each[2] <= len(self.data)]))

    @cached_property
    def _banner_match(self) -> re.Match[bytes] | None:
        # Since Linux 6.1 (commit 2df8220cc511, "kbuild: build init/built-in.a just once") there is
        # a banner that the linker replaced, without the number of the build. It still tells the
        # release. Sought by find first: the expression alone would look at every one of 60 MB.
        found: re.Match[bytes] | None = None
        start = -1
        for _turn in range(_MOST_BANNERS):
            start = self.data.find(_BANNER_START, start + 1)
            if start < 0:
                break
            match = _BANNER.match(self.data, start)
            if match is not None and _BUILD_NUMBER.search(match[0]):
                return match
            found = found or match
        return found


def _contents(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise FormatError(_WHAT, "not a regular file", path=path, remedy="")
            return file.read()
    except OSError as error:
        raise FileError.from_os("read", path, error) from None


def _segments(elf: ElfFile) -> tuple[Segment, ...]:
    """Return the parts that are loaded, in file order. Raises ``FormatError`` for a cut table."""
    header = Cursor(elf.data[:_HEADER_SIZE], order=elf.order, what=_WHAT)
    header.offset = 32 if elf.is_64bit else 28  # e_phoff
    table = header.u64() if elf.is_64bit else header.u32()
    header.offset = 54 if elf.is_64bit else 42  # e_phentsize
    entry_size, count = header.u16(), header.u16()
    if not count:
        return ()
    entry = struct.Struct(elf.order + ("IIQQQQQQ" if elf.is_64bit else "8I"))
    if entry_size != entry.size or table + entry_size * count > len(elf.data):
        problem = f"{count} program headers of {entry_size} bytes at {table}"
        raise FormatError(_WHAT, problem, offset=min(table, len(elf.data)))
    rows: Iterator[tuple[int, ...]] = entry.iter_unpack(
        elf.data[table : table + entry_size * count]
    )
    offset, address, in_file, in_memory = (2, 3, 5, 6) if elf.is_64bit else (1, 2, 4, 5)
    return tuple(
        [
            Segment(row[address], row[offset], row[in_file], row[in_memory])
            for row in rows
            if row[0] == _PT_LOAD
        ]
    )


def _raw_is_64bit(payload: Payload) -> bool:
    return payload.machine not in {EM_386, EM_ARM, EM_MIPS, EM_PPC}


def _raw_order(payload: Payload) -> Literal["<", ">"]:
    if payload.machine != EM_AARCH64:
        return "<"
    flags = payload.data[_ARM64_FLAGS_AT : _ARM64_FLAGS_AT + 1]
    return ">" if flags and flags[0] & _ARM64_BIG_ENDIAN else "<"
