"""Read what an index of a whole tree needs of a module file, in one pass.

The hot path of depmod: it runs over thousands of files. No object is made per symbol; columns of
the symbol table are taken in bulk, only the names that matter are cut out of the strings, and they
stay bytes until somebody asks for them as text.

Source: kmod, libkmod-elf.c, kmod_elf_get_symbols and kmod_elf_get_dependency_symbols.
"""

from __future__ import annotations

import struct
import sys
from itertools import chain, compress

from lkm.elf.constants import EM_SPARC, EM_SPARCV9, SHN_UNDEF, STT_SPARC_REGISTER
from lkm.elf.file import ElfFile
from lkm.elf.symbols import ENTRY_SIZES
from lkm.errors import FormatError
from lkm.module.file import FileSlices, open_slices
from lkm.module.modinfo import excess
from lkm.module.scanned import ScannedModule
from lkm.module.symbols import crc_words, version_records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator, Sequence
    from typing import Literal


_CRC_PREFIX = b"__crc_"
_EXPORT_NAMES = "__ksymtab_strings"
# Some five times what the largest kernels export all in all.
_MOST_EXPORTS = 1 << 16
# What may be taken out of a string table; see lkm.elf.strings.
_LONGEST_NAME, _CHUNK, _SHARED, _SPARE = 4096, 4096, 8, 1 << 16
# Of one section; no module has nearly as much, and a file may have holes that take no room on disk.
_MOST_BYTES = 1 << 28
_NATIVE = "<" if sys.byteorder == "little" else ">"


def scan_file(path: str, *, with_crcs: bool = False) -> ScannedModule:
    """Read the module file at *path*.

    Raises ``FileError``, ``FormatError`` and ``MissingLibraryError``.
    """
    _compression, data = open_slices(path)
    try:
        return scan(ElfFile.from_bytes(data, what="module"), path, with_crcs=with_crcs)
    except FormatError as error:
        raise error.at(path) from None
    finally:
        if isinstance(data, FileSlices):
            data.close()


def scan(elf: ElfFile, path: str = "", *, with_crcs: bool = False) -> ScannedModule:
    """Return what an index needs of the module *elf*, which was read from *path*.

    Raises ``FormatError``.
    """
    symbols = _Symbols(elf)
    exports, crcs = symbols.exports(with_crcs=with_crcs)
    if not exports:
        strings = _section(elf, _EXPORT_NAMES)
        if strings.count(b"\0") > _MOST_EXPORTS:
            problem = f"more than {_MOST_EXPORTS} names in {_EXPORT_NAMES}"
            raise FormatError("module", problem)
        exports = [name for name in strings.split(b"\0") if name]
        crcs = [0] * len(exports)
    needs = symbols.undefined()
    need_crcs: tuple[int, ...] = ()
    if with_crcs:
        versions = {name.partition(b"\0")[0]: crc for crc, name in version_records(elf)}
        need_crcs = tuple([versions.pop(name, 0) for name in needs])
        need_crcs = (*need_crcs, *versions.values())
        needs += versions
    else:
        needs += _only_in_versions(elf, needs)
    return ScannedModule(
        path,
        modinfo_bytes=_modinfo(elf),
        export_names=b"\0".join(exports),
        need_names=b"\0".join(needs),
        crcs=tuple(crcs) if with_crcs else (),
        need_crcs=need_crcs,
    )


def _only_in_versions(elf: ElfFile, needs: list[bytes]) -> list[bytes]:
    """Return the names in ``__versions`` that are not among *needs*, in its order."""
    data = _section(elf, "__versions")
    width = 56 if elf.is_64bit else 60
    whole = len(data) // 64 * 64
    padded = struct.iter_unpack(f"{64 - width}x{width}s", data[:whole])
    # Compared as they stand in the file, padding and all: that takes no step per name.
    known = {name.ljust(width, b"\0") for name in needs}
    rest = [name for name in chain.from_iterable(padded) if name not in known]
    known_names = set(needs)
    return [
        name
        for name in dict.fromkeys([each.partition(b"\0")[0] for each in rest])
        if name not in known_names
    ]


def _modinfo(elf: ElfFile) -> bytes:
    """Return the bytes of ``.modinfo``. Raises ``FormatError`` for more than any module has."""
    data = _section(elf, ".modinfo")
    problem = excess(data)
    if problem:
        raise FormatError("module", problem)
    return data


def _section(elf: ElfFile, name: str) -> bytes:
    """Return the bytes of a section, none without it. Raises ``FormatError`` for an absurd size."""
    section = elf.section(name)
    if section is None:
        return b""
    if section.size > _MOST_BYTES:
        raise FormatError("module", f"{name} of {section.size} bytes", offset=section.offset)
    return elf.section_data(name) or b""


class _Symbols:
    """The symbol table by columns. Index 0, which stands for no symbol, is in no answer."""

    def __init__(self, elf: ElfFile) -> None:
        self.elf = elf
        self.size = ENTRY_SIZES[elf.is_64bit]
        section = elf.section(".symtab")
        table = b"" if section is None else elf.contents(section)
        self.first_global = 1 if section is None else max(section.info, 1)
        self.table = table[: len(table) // self.size * self.size]
        self.strings = _section(elf, ".strtab")
        self.name_offsets = self.column("I", 0)

    def column(self, code: Literal["H", "I"], at: int) -> memoryview | array[int]:
        """Return the numbers that stand *at* so many bytes into every entry."""
        width = struct.calcsize("=" + code)
        if self.elf.order == _NATIVE:
            return memoryview(self.table).cast(code)[at // width :: self.size // width]
        from array import array  # it imports collections

        swapped = array(code, self.table)
        swapped.byteswap()
        return swapped[at // width :: self.size // width]

    def undefined(self) -> list[bytes]:
        """Return the undefined, named symbols, in table order."""
        sections = self.column("H", 6 if self.elf.is_64bit else 14)
        first = self.first_global
        # Two thirds of the symbols are local, and not one of those is undefined, save in a file
        # that somebody has tampered with. (Zeros that are halves of two numbers do no harm here.)
        if b"\0\0" in sections[1:first].tobytes():
            first = 1
        sections = sections[first:]
        starts = [*compress(self.name_offsets[first:], map(SHN_UNDEF.__eq__, sections))]
        if self.elf.machine in {EM_SPARC, EM_SPARCV9}:
            kinds = self.table[first * self.size + (4 if self.elf.is_64bit else 12) :: self.size]
            undefined = compress(kinds, map(SHN_UNDEF.__eq__, sections))
            starts = [
                start
                for start, kind in zip(starts, undefined, strict=True)
                if kind & 15 != STT_SPARC_REGISTER
            ]
        return self.names([start for start in starts if start])

    def exports(self, *, with_crcs: bool) -> tuple[list[bytes], list[int]]:
        """Return the names that have a ``__crc_`` symbol, in table order, and their CRCs."""
        starts = set(_each_in(self.strings, _CRC_PREFIX))
        if not starts:
            return [], []
        indexes = [
            index for index, start in enumerate(self.name_offsets) if start in starts and index
        ]
        offsets = self.name_offsets
        names = self.names([offsets[index] + len(_CRC_PREFIX) for index in indexes])
        return names, self.crcs(indexes) if with_crcs else []

    def names(self, starts: Sequence[int]) -> list[bytes]:
        """Return the texts at *starts* of the string table.

        Raises ``FormatError`` for one outside it or beyond belief, and if all of them are far
        more than is in the table.
        """
        strings, find = self.strings, self.strings.index
        found: list[bytes] = []
        left = _SHARED * len(strings) + _SPARE
        try:
            for first in range(0, len(starts), _CHUNK):
                chunk = starts[first : first + _CHUNK]
                found += [strings[at : find(b"\0", at, at + _LONGEST_NAME)] for at in chunk]
                left -= sum(map(len, found[first:]))
                if left < 0:
                    raise FormatError("module", "symbols' names that overlap without end")
        except ValueError:
            problem = f"a symbol's name lies outside the {len(strings)} bytes of names"
            raise FormatError("module", problem) from None
        return found

    def crcs(self, indexes: Sequence[int]) -> list[int]:
        """Return what the ``__crc_`` symbols at *indexes* say."""
        code = self.elf.order + ("6xHQ8x" if self.elf.is_64bit else "4xI6xH")
        entry = struct.Struct(code)
        places = []
        for index in indexes:
            pair = entry.unpack_from(self.table, index * self.size)
            places.append(pair if self.elf.is_64bit else pair[::-1])
        return crc_words(self.elf, places)


def _each_in(data: bytes, wanted: bytes) -> Iterator[int]:
    start = data.find(wanted)
    while start >= 0:
        yield start
        start = data.find(wanted, start + 1)
