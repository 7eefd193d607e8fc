"""What an index of a whole tree needs of each module file, read in one pass.

The hot path of depmod: it runs over thousands of files. So no object is made per symbol; columns
of the symbol table are taken in bulk, and only the names that matter are cut out of the strings.

Source: kmod, libkmod-elf.c, kmod_elf_get_symbols and kmod_elf_get_dependency_symbols.
"""

from __future__ import annotations

import struct
import sys

from lkm import _text
from lkm._value import Value
from lkm.elf.constants import (
    EM_SPARC,
    EM_SPARCV9,
    SHN_UNDEF,
    STT_SPARC_REGISTER,
)
from lkm.elf.file import ElfFile
from lkm.elf.symbols import ENTRY_SIZES
from lkm.errors import FormatError
from lkm.module.file import FileSlices, open_slices
from lkm.module.modinfo import parse_modinfo
from lkm.module.symbols import crc_words, version_records
from lkm.names import module_name_of_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Final, Literal

    from lkm.module.modinfo import Entries
    from lkm.names import ModuleName

_CRC_PREFIX = b"__crc_"
# What may be taken out of a string table; see lkm.elf.strings.
_LONGEST_NAME, _CHUNK, _SHARED, _SPARE = 4096, 4096, 8, 1 << 16
_NATIVE = "<" if sys.byteorder == "little" else ">"


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
    """Read the module file at *path*.

    Raises ``FileError``, ``FormatError`` and ``MissingLibraryError``.
    """
    _compression, data = open_slices(path)
    try:
        return scan(ElfFile.from_bytes(data, what="module"), path)
    except FormatError as error:
        raise error.at(path) from None
    finally:
        if isinstance(data, FileSlices):
            data.close()


def scan(elf: ElfFile, path: str = "") -> ScannedModule:
    """Return what an index needs of the module *elf*, which was read from *path*.

    Raises ``FormatError``.
    """
    symbols = _Symbols(elf)
    exports, crcs = symbols.exports()
    if not exports:
        strings = elf.section_data("__ksymtab_strings") or b""
        exports = [name for name in strings.split(b"\0") if name]
        crcs = [0] * len(exports)
    undefined = symbols.undefined()
    versions = {name.partition(b"\0")[0]: crc for crc, name in version_records(elf)}
    need_crcs = [versions.pop(name, 0) for name in undefined]
    return ScannedModule(
        path=path,
        name=module_name_of_path(path),
        modinfo=parse_modinfo(elf.section_data(".modinfo") or b""),
        exports=_texts(exports),
        crcs=tuple(crcs),
        needs=_texts([*undefined, *versions]),
        need_crcs=(*need_crcs, *versions.values()),
    )


class _Symbols:
    """The symbol table by columns. Index 0, which stands for no symbol, is in no answer."""

    def __init__(self, elf: ElfFile) -> None:
        self.elf = elf
        self.table = elf.section_data(".symtab") or b""
        self.strings = elf.section_data(".strtab") or b""
        self.size = ENTRY_SIZES[elf.is_64bit]
        self.name_offsets = self.column("I", 0)
        self.section_indexes = self.column("H", 6 if elf.is_64bit else 14)

    def column(self, code: Literal["H", "I"], at: int) -> list[int]:
        """Return the numbers that stand *at* so many bytes into every entry."""
        width = struct.calcsize("=" + code)
        whole = len(self.table) // self.size * self.size
        if self.elf.order == _NATIVE:  # a fifth of the time that struct takes
            numbers = memoryview(self.table)[:whole].cast(code)
            return numbers[at // width :: self.size // width].tolist()
        rows = struct.iter_unpack(
            f"{self.elf.order}{at}x{code}{self.size - at - width}x", self.table[:whole]
        )
        return [row[0] for row in rows]

    def undefined(self) -> list[bytes]:
        """Return the undefined, named symbols, in table order."""
        offsets = self.name_offsets
        indexes = [
            index
            for index, where in enumerate(self.section_indexes)
            if where == SHN_UNDEF and index and offsets[index]
        ]
        if self.elf.machine in {EM_SPARC, EM_SPARCV9}:
            indexes = [index for index in indexes if self.type(index) != STT_SPARC_REGISTER]
        return self.names([offsets[index] for index in indexes])

    def exports(self) -> tuple[list[bytes], list[int]]:
        """Return the names that have a ``__crc_`` symbol, in table order, and their CRCs."""
        starts = set(_each_in(self.strings, _CRC_PREFIX))
        if not starts:
            return [], []
        offsets = self.name_offsets
        indexes = [index for index, start in enumerate(offsets) if start in starts and index]
        names = self.names([offsets[index] + len(_CRC_PREFIX) for index in indexes])
        return names, self.crcs(indexes)

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
        value = struct.Struct(self.elf.order + ("8xQ8x" if self.elf.is_64bit else "4xI8x"))
        return crc_words(
            self.elf,
            [
                (self.section_indexes[index], value.unpack_from(self.table, index * self.size)[0])
                for index in indexes
            ],
        )

    def type(self, index: int) -> int:
        """Return the ``STT_`` number of the symbol at *index*."""
        return self.table[index * self.size + (4 if self.elf.is_64bit else 12)] & 15


def _each_in(data: bytes, wanted: bytes) -> Iterator[int]:
    start = data.find(wanted)
    while start >= 0:
        yield start
        start = data.find(wanted, start + 1)


def _texts(names: Sequence[bytes]) -> tuple[str, ...]:
    """Decode *names*, which have no NUL inside, at one go."""
    return tuple(_text.decode(b"\0".join(names)).split("\0")) if names else ()
