"""Read the header and the section table of an ELF file.

    header    16 bytes e_ident, then e_type ... e_shstrndx: 52 bytes (ELF32) or 64 (ELF64)
    section   e_shnum headers of 40 or 64 bytes at e_shoff, all sh_* fields in one order
    names     sh_name is an offset into the section that e_shstrndx names

With 0xff00 sections or more e_shnum is 0 and the count stands in sh_size of section 0; an
e_shstrndx of 0xffff likewise means sh_link of section 0.

Source: System V ABI, chapter 4; elf(5).
"""

from __future__ import annotations

import struct

from lkm import _text
from lkm._value import Value
from lkm.elf.constants import (
    ELFCLASS32,
    ELFCLASS64,
    ELFDATA2LSB,
    ELFDATA2MSB,
    MAGIC,
    SHN_XINDEX,
    SHT_NOBITS,
)
from lkm.errors import FormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Literal, Protocol

    Range = slice[int | None, int | None, int | None]

    class Sliceable(Protocol):
        """What an ELF file is read from: a length, and slices that are bytes."""

        def __len__(self) -> int: ...

        def __getitem__(self, key: Range, /) -> bytes: ...

    # sh_name, sh_type, sh_flags, sh_addr, sh_offset, sh_size, sh_link, sh_info, sh_addralign,
    # sh_entsize
    RawSection = tuple[int, int, int, int, int, int, int, int, int, int]

_IDENT_SIZE = 16
_LONGEST_NAME = 1024  # of a section; a header of 64 bytes must not stand for a text of megabytes
# From e_type on: type, machine, version, entry, phoff, shoff, flags, ehsize, phentsize, phnum,
# shentsize, shnum, shstrndx.
_HEADER_CODES = {False: "HHIIIIIHHHHHH", True: "HHIQQQIHHHHHH"}
_HEADER_SIZES = {False: 52, True: 64}
_SECTION_CODES = {False: "10I", True: "IIQQQQIIQQ"}
_SECTION_SIZES = {False: 40, True: 64}


class Section(Value):
    """One section header.

    *size* is in bytes: in the file, or in memory for ``SHT_NOBITS``. *offset* is in the file.
    """

    __slots__ = (
        "addralign",
        "address",
        "entsize",
        "flags",
        "index",
        "info",
        "link",
        "name",
        "offset",
        "size",
        "type",
    )

    def __init__(self, index: int, name: str, raw: RawSection) -> None:
        self.index: Final = index
        self.name: Final = name
        self.type: Final = raw[1]
        self.flags: Final = raw[2]
        self.address: Final = raw[3]
        self.offset: Final = raw[4]
        self.size: Final = raw[5]
        self.link: Final = raw[6]
        self.info: Final = raw[7]
        self.addralign: Final = raw[8]
        self.entsize: Final = raw[9]


class ElfFile:
    """An ELF file's header and sections; what is in a section is read only when asked for.

    *data* is what the file is read from: bytes, or anything whose slices are bytes. *order* is
    ``"<"`` (little endian) or ``">"``; *type*, *machine* and *flags* are e_type, e_machine and
    e_flags; *what* names the file in errors.
    """

    def __init__(
        self,
        data: Sliceable,
        *,
        is_64bit: bool,
        order: Literal["<", ">"],
        header: tuple[int, int, int],
        raw_sections: tuple[RawSection, ...],
        section_names: bytes,
        what: str,
    ) -> None:
        self.data: Final = data
        self.is_64bit: Final = is_64bit
        self.order: Final = order
        self.type: Final = header[0]
        self.machine: Final = header[1]
        self.flags: Final = header[2]
        self.what: Final = what
        self._raw: Final = raw_sections
        self._names: Final = section_names
        self._sections: tuple[Section, ...] | None = None
        self._by_name_offset: dict[int, int] | None = None

    @classmethod
    def from_bytes(cls, data: Sliceable, *, what: str = "ELF file") -> ElfFile:
        """Read header, section table and section names from *data*.

        Raises ``FormatError`` for anything but an ELF file, and for a section table or section
        names that do not lie inside it. Where the sections themselves lie is checked when they
        are read.
        """
        head = data[0 : _HEADER_SIZES[True]]
        is_64bit, order = _identity(head[:_IDENT_SIZE], what)
        if len(head) < _HEADER_SIZES[is_64bit]:
            raise FormatError(what, "cut off inside the ELF header", offset=len(head))
        code = order + _HEADER_CODES[is_64bit]
        fields: tuple[int, ...] = struct.unpack_from(code, head, _IDENT_SIZE)
        raw = _raw_sections(data, is_64bit, order, fields, what)
        return cls(
            data,
            is_64bit=is_64bit,
            order=order,
            header=(fields[0], fields[1], fields[6]),
            raw_sections=raw,
            section_names=_section_names(data, raw, fields[12], what),
            what=what,
        )

    @property
    def sections(self) -> tuple[Section, ...]:
        """Every section, that of index 0 included, in the order of the section table."""
        if self._sections is None:
            self._sections = tuple(
                [
                    Section(index, _text.decode(self._name(raw)), raw)
                    for index, raw in enumerate(self._raw)
                ]
            )
        return self._sections

    def section(self, name: str) -> Section | None:
        """Return the first section named *name*."""
        found = self._find(name)
        return None if found is None else Section(found, name, self._raw[found])

    def section_at(self, index: int) -> Section | None:
        """Return the section of that index in the section table."""
        if not 0 <= index < len(self._raw):
            return None
        raw = self._raw[index]
        return Section(index, _text.decode(self._name(raw)), raw)

    def contents(self, section: Section) -> bytes:
        """Return the bytes of *section*, none for ``SHT_NOBITS``.

        Raises ``FormatError`` if it reaches past the end of the file.
        """
        if section.type == SHT_NOBITS:
            return b""
        return _slice(self.data, section.offset, section.size, self.what, section.name)

    def section_data(self, name: str) -> bytes | None:
        """Return the bytes of the first section named *name*, None if there is none."""
        found = self._find(name)
        if found is None:
            return None
        _name, kind, _flags, _address, offset, size, *_rest = self._raw[found]
        return b"" if kind == SHT_NOBITS else _slice(self.data, offset, size, self.what, name)

    def _find(self, name: str) -> int | None:
        """Return the index of the first section named *name*."""
        # Looking for the name among the names costs a sixth of cutting every name out of them,
        # and that is a third of the time of a scan. It may stand there more than once, since
        # names share their ends.
        if self._by_name_offset is None:
            last = len(self._raw) - 1
            self._by_name_offset = {
                raw[0]: last - back for back, raw in enumerate(reversed(self._raw))
            }
        wanted = name.encode() + b"\0"
        found = None
        start = self._names.find(wanted)
        while start >= 0:
            index = self._by_name_offset.get(start)
            if index is not None and (found is None or index < found):
                found = index
            start = self._names.find(wanted, start + 1)
        return found

    def _name(self, raw: RawSection) -> bytes:
        start = raw[0]
        stop = self._names.find(b"\0", start, start + _LONGEST_NAME)
        if stop < 0:
            if not self._names:
                return b""
            raise FormatError(self.what, f"a section's name at {start} of the section names")
        return self._names[start:stop]


def _identity(ident: bytes, what: str) -> tuple[bool, Literal["<", ">"]]:
    if not ident:
        raise FormatError(what, "the file is empty", offset=0)
    if ident[:4] != MAGIC:
        raise FormatError(what, "not an ELF file", offset=0)
    if len(ident) < _IDENT_SIZE:
        raise FormatError(what, "cut off inside the ELF header", offset=len(ident))
    if ident[4] not in {ELFCLASS32, ELFCLASS64}:
        raise FormatError(what, f"ELF class {ident[4]} is neither 32 nor 64 bit", offset=4)
    if ident[5] not in {ELFDATA2LSB, ELFDATA2MSB}:
        raise FormatError(what, f"unknown ELF byte order {ident[5]}", offset=5)
    return ident[4] == ELFCLASS64, "<" if ident[5] == ELFDATA2LSB else ">"


def _raw_sections(
    data: Sliceable, is_64bit: bool, order: str, fields: tuple[int, ...], what: str
) -> tuple[RawSection, ...]:
    start, entry_size, count = fields[5], fields[10], fields[11]
    if not start:
        return ()
    size = _SECTION_SIZES[is_64bit]
    if entry_size != size:
        raise FormatError(what, f"section headers of {entry_size} bytes instead of {size}")
    code = order + _SECTION_CODES[is_64bit]
    if not count:
        count = struct.unpack(code, _slice(data, start, size, what, "section table"))[5]
    table = _slice(data, start, count * size, what, "section table")
    return tuple(struct.iter_unpack(code, table))


def _section_names(data: Sliceable, raw: tuple[RawSection, ...], index: int, what: str) -> bytes:
    if not raw:
        return b""
    if index == SHN_XINDEX:
        index = raw[0][6]
    if not index:
        return b""
    if index >= len(raw):
        raise FormatError(what, f"section names in section {index} of {len(raw)}")
    _name, kind, _flags, _address, offset, size, *_rest = raw[index]
    names = b"" if kind == SHT_NOBITS else _slice(data, offset, size, what, "section names")
    if not names.endswith(b"\0"):
        raise FormatError(what, "section names do not end with NUL", offset=offset)
    return names


def _slice(data: Sliceable, offset: int, size: int, what: str, part: str) -> bytes:
    if offset + size > len(data):
        problem = f"{part} of {size} bytes at {offset}, in a file of {len(data)}"
        raise FormatError(what, problem, offset=min(offset, len(data)))
    return data[offset : offset + size]
