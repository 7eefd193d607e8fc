"""What an index of a whole tree needs of each module file, read in one pass.

The hot path of depmod: it runs over thousands of files. So no object is made per symbol; columns
of the symbol table are taken in bulk, and only the names that matter are cut out of the strings.

Source: kmod, libkmod-elf.c, kmod_elf_get_symbols and kmod_elf_get_dependency_symbols.
"""

from __future__ import annotations

import struct

from lkm import _text
from lkm._value import Value
from lkm.elf.constants import (
    EM_SPARC,
    EM_SPARCV9,
    SHN_ABS,
    SHN_UNDEF,
    STT_SPARC_REGISTER,
)
from lkm.elf.file import ElfFile
from lkm.errors import FormatError
from lkm.module.file import FileSlices, open_slices
from lkm.module.modinfo import parse_modinfo
from lkm.names import module_name_of_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from lkm.module.modinfo import Entries
    from lkm.names import ModuleName

_CRC_PREFIX = b"__crc_"


class ScannedModule(Value):
    """What depmod needs to know of one module file.

    *exports* are the symbols that have a ``__crc_`` symbol (or, where none has, the strings of
    ``__ksymtab_strings``), in table order, and *crcs* theirs, 0 where there is none. *needs* are
    the undefined symbols in table order, weak ones included, then what only ``__versions``
    names; *need_crcs* theirs by ``__versions``, 0 where it has none.
    """

    __slots__ = ("crcs", "exports", "modinfo", "name", "need_crcs", "needs", "path")

    def __init__(
        self,
        *,
        path: str,
        name: ModuleName,
        modinfo: Entries,
        exports: tuple[str, ...],
        crcs: tuple[int, ...],
        needs: tuple[str, ...],
        need_crcs: tuple[int, ...] = (),
    ) -> None:
        self.path: Final = path
        self.name: Final = name
        self.modinfo: Final = modinfo
        self.exports: Final = exports
        self.crcs: Final = crcs
        self.needs: Final = needs
        self.need_crcs: Final = need_crcs


def scan_file(path: str) -> ScannedModule:
    """Read the module file at *path*. Raises ``FileError``, ``FormatError``, ``MissingLibraryError``."""
    _compression, data = open_slices(path)
    try:
        return _scan(ElfFile.from_bytes(data, what="module"), path)
    except FormatError as error:
        raise error.at(path) from None
    finally:
        if isinstance(data, FileSlices):
            data.close()


def _scan(elf: ElfFile, path: str) -> ScannedModule:
    symbols = _Symbols(elf)
    exports, crcs = symbols.exports()
    if not exports:
        strings = elf.section_data("__ksymtab_strings") or b""
        exports = tuple([_text.decode(name) for name in strings.split(b"\0") if name])
        crcs = (0,) * len(exports)
    needs, need_crcs = _needs(symbols, _versions(elf))
    return ScannedModule(
        path=path,
        name=module_name_of_path(path),
        modinfo=parse_modinfo(elf.section_data(".modinfo") or b""),
        exports=exports,
        crcs=crcs,
        needs=needs,
        need_crcs=need_crcs,
    )


class _Symbols:
    """The symbol table as columns; index 0, which is always empty, is left out of all answers."""

    def __init__(self, elf: ElfFile) -> None:
        self.elf = elf
        table = elf.section_data(".symtab") or b""
        self.strings = elf.section_data(".strtab") or b""
        entry = 24 if elf.is_64bit else 16
        count = len(table) // entry
        self.table = table[: count * entry]
        words, halves = count * entry // 4, count * entry // 2
        self.name_offsets = struct.unpack(f"{elf.order}{words}I", self.table)[:: entry // 4]
        column = struct.unpack(f"{elf.order}{halves}H", self.table)
        self.section_indexes = column[3::12] if elf.is_64bit else column[7::8]

    def name(self, index: int, skip: int = 0) -> str:
        start = self.name_offsets[index] + skip
        stop = self.strings.find(b"\0", start)
        if stop < 0:
            raise FormatError("module", "a symbol's name lies outside the string table")
        return _text.decode(self.strings[start:stop])

    def undefined(self) -> list[str]:
        names = self.name_offsets
        indexes = [
            index
            for index, where in enumerate(self.section_indexes)
            if not where and index and names[index]
        ]
        if self.elf.machine in (EM_SPARC, EM_SPARCV9):
            indexes = [index for index in indexes if self._type(index) != STT_SPARC_REGISTER]
        return [self.name(index) for index in indexes]

    def exports(self) -> tuple[tuple[str, ...], tuple[int, ...]]:
        starts = self._crc_offsets()
        if not starts:
            return (), ()
        indexes = [index for index, start in enumerate(self.name_offsets) if start in starts]
        names = [self.name(index, len(_CRC_PREFIX)) for index in indexes]
        return tuple(names), tuple([self._crc(index) for index in indexes])

    def _crc_offsets(self) -> set[int]:
        starts = set()
        start = self.strings.find(_CRC_PREFIX)
        while start >= 0:
            starts.add(start)
            start = self.strings.find(_CRC_PREFIX, start + 1)
        return starts

    def _crc(self, index: int) -> int:
        elf = self.elf
        if elf.is_64bit:
            value: int = struct.unpack_from(f"{elf.order}Q", self.table, 24 * index + 8)[0]
        else:
            value = struct.unpack_from(f"{elf.order}I", self.table, 16 * index + 4)[0]
        where = self.section_indexes[index]
        if where in (SHN_ABS, SHN_UNDEF):
            return value & 0xFFFF_FFFF
        if where >= len(elf.sections):
            raise FormatError("module", f"a CRC in section {where}, which is not there")
        start = elf.sections[where].offset + value
        word = elf.data[start : start + 4]
        if len(word) != 4:
            raise FormatError("module", "a CRC past the end of the file", offset=len(elf.data))
        crc: int = struct.unpack(f"{elf.order}I", word)[0]
        return crc

    def _type(self, index: int) -> int:
        at = 24 * index + 4 if self.elf.is_64bit else 16 * index + 12
        return self.table[at] & 15


def _versions(elf: ElfFile) -> dict[str, int]:
    """Return the CRCs of ``__versions`` by symbol, in file order."""
    data = elf.section_data("__versions") or b""
    code = struct.Struct(f"{elf.order}Q56s" if elf.is_64bit else f"{elf.order}I60s")
    rows = code.iter_unpack(data[: len(data) // 64 * 64])
    return {_text.decode(name.partition(b"\0")[0]): crc for crc, name in rows}


def _needs(symbols: _Symbols, versions: dict[str, int]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    undefined: Sequence[str] = symbols.undefined()
    crcs = [versions.pop(name, 0) for name in undefined]
    return (*undefined, *versions), (*crcs, *versions.values())
