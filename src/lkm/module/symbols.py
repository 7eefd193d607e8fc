"""What a module exports and imports, with CRCs, namespaces and licence class.

An export is an entry of a section ``__ksymtab*``. Entries differ between kernels and machines

    absolute    word value, word name [, word namespace since 5.4]
    relative    i32 value, i32 name [, i32 namespace since 5.4]    (PREL32, since 4.19)

but in a relocatable file all of them are made of relocations: the first of an entry points at what
is exported, the next into ``__ksymtab_strings`` at its name, and one more, if there, at its
namespace. So the relocations are what is read here, and no entry size is needed.

Since Linux 7.1 (commit 9743311b4535, "module: add kflagstab section to vmlinux and modules")
``__kflagstab`` has a byte for each entry of ``__ksymtab``, bit 0 of it GPL-only; before, the
section's name tells.

The CRC of an export is found by its symbol ``__crc_NAME``: an absolute symbol's value (genksyms
through the linker, before 4.11 and on some machines until 5.18), else the word that it points at;
where symbols were stripped, by the entry's number in ``__kcrctab*``.

Source: include/linux/export-internal.h, include/linux/export.h, kernel/module/main.c,
scripts/mod/modpost.c of Linux 2.6 to 7.1.
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
    STB_WEAK,
    STT_SPARC_REGISTER,
)
from lkm.elf.relocations import relocations_of
from lkm.elf.symbols import read_symbols
from lkm.errors import FormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Final

    from lkm.elf.file import ElfFile, Section
    from lkm.elf.relocations import Relocation
    from lkm.elf.symbols import Symbol

# Which sections, and whether a proprietary module may not use what is in them. gpl_future and the
# unused ones are gone since Linux 5.12 (commit 367948220fce, "module: remove EXPORT_UNUSED_SYMBOL*").
EXPORT_SECTIONS: Mapping[str, bool] = {
    "__ksymtab": False,
    "__ksymtab_gpl": True,
    "__ksymtab_unused": False,
    "__ksymtab_unused_gpl": True,
    "__ksymtab_gpl_future": False,
}

_GPL_ONLY_FLAG = 1
_STRINGS = "__ksymtab_strings"
_CRC_PREFIX = "__crc_"
_THIS_MODULE = ".gnu.linkonce.this_module"
_NAME_SIZE = 64  # MODULE_NAME_LEN is this less one word


class Export(Value):
    """A symbol that a module offers.

    *crc* is None without modversions; *gpl_only* means that only modules of a GPL-compatible
    licence may use it; *namespace* is empty for none.
    """

    __slots__ = ("name", "crc", "gpl_only", "namespace")

    def __init__(
        self, name: str, crc: int | None = None, *, gpl_only: bool = False, namespace: str = ""
    ) -> None:
        self.name: Final = name
        self.crc: Final = crc
        self.gpl_only: Final = gpl_only
        self.namespace: Final = namespace


class Import(Value):
    """An undefined symbol; *weak* ones may stay so. *crc* is None without modversions."""

    __slots__ = ("name", "weak", "crc")

    def __init__(self, name: str, *, weak: bool = False, crc: int | None = None) -> None:
        self.name: Final = name
        self.weak: Final = weak
        self.crc: Final = crc


class SymbolVersion(Value):
    """The CRC of a symbol that a module was built against."""

    __slots__ = ("name", "crc")

    def __init__(self, name: str, crc: int) -> None:
        self.name: Final = name
        self.crc: Final = crc


def exports(elf: ElfFile) -> tuple[Export, ...]:
    """Return what the module *elf* exports, in the order of its export tables.

    Raises ``FormatError`` for tables that point outside the file.
    """
    tables = [section for section in elf.sections if section.name in EXPORT_SECTIONS]
    if not tables:
        return ()
    table = read_symbols(elf)
    crcs = {
        symbol.name[len(_CRC_PREFIX) :]: _crc(elf, symbol)
        for symbol in table
        if symbol.name.startswith(_CRC_PREFIX)
    }
    strings = {
        section.index: elf.contents(section)
        for section in elf.sections
        if section.name == _STRINGS
    }
    found: list[Export] = []
    for section in tables:
        names = tuple(_entries(elf, section, table, strings)) or _by_symbol(elf, section, table)
        suffix = section.name.removeprefix("__ksymtab")
        flags = b"" if suffix else elf.section_data("__kflagstab") or b""
        by_number = _numbered_crcs(elf, f"__kcrctab{suffix}", len(names))
        for number, (name, namespace) in enumerate(names):
            flag = flags[number] if number < len(flags) else 0
            found.append(
                Export(
                    name,
                    crcs.get(name, by_number[number] if by_number else None),
                    gpl_only=EXPORT_SECTIONS[section.name] or bool(flag & _GPL_ONLY_FLAG),
                    namespace=namespace,
                )
            )
    return tuple(found)


def imports(elf: ElfFile) -> tuple[Import, ...]:
    """Return the undefined symbols of the module *elf*, in the order of the symbol table.

    Registers that SPARC objects declare as undefined symbols are left out.
    """
    crcs = {version.name: version.crc for version in versions(elf)}
    return tuple(
        [
            Import(
                symbol.name,
                weak=symbol.bind == STB_WEAK,
                crc=crcs.get(symbol.name, crcs.get(symbol.name.removeprefix("."))),
            )
            for symbol in read_symbols(elf)
            if symbol.section_index == SHN_UNDEF
            and symbol.name
            and not (
                symbol.type == STT_SPARC_REGISTER and elf.machine in {EM_SPARC, EM_SPARCV9}
            )
        ]
    )


def versions(elf: ElfFile) -> tuple[SymbolVersion, ...]:
    """Return the CRCs that the module *elf* was built against, in file order.

    From Linux 6.14 on (commit 54ac1ac8edeb, "modules: Support extended MODVERSIONS info") they may
    stand in ``__version_ext_crcs`` and ``__version_ext_names``, which the kernel then prefers,
    since names too long for ``__versions`` stand only there. A dot before a name is dropped.
    """
    crcs, names = elf.section_data("__version_ext_crcs"), elf.section_data("__version_ext_names")
    if crcs is not None and names is not None:
        count = len(crcs) // 4
        numbers: tuple[int, ...] = struct.unpack(f"{elf.order}{count}I", crcs[: 4 * count])
        texts = _text.decode(names).split("\0")[:count]
        rows: Sequence[tuple[int, str]] = [
            (crc, name) for crc, name in zip(numbers, texts, strict=False) if name
        ]
    else:
        rows = basic_versions(elf)
    return tuple([SymbolVersion(name.removeprefix("."), crc) for crc, name in rows])


def basic_versions(elf: ElfFile) -> list[tuple[int, str]]:
    """Return CRC and name of every record of ``__versions``, as written, in file order.

    Records are 64 bytes: a word for the CRC, then the name, ended by NUL.
    """
    data = elf.section_data("__versions") or b""
    code = struct.Struct(elf.order + ("Q56s" if elf.is_64bit else "I60s"))
    whole = len(data) // code.size * code.size
    return [
        (crc & 0xFFFF_FFFF, _text.decode(name[: name.find(b"\0")] if b"\0" in name else name))
        for crc, name in code.iter_unpack(data[:whole])
    ]


def struct_name(elf: ElfFile) -> str:
    """Return the name inside the module's ``struct module``, empty if there is no such struct.

    This, and not the file's name, is what the kernel calls the module.
    """
    data = elf.section_data(_THIS_MODULE) or b""
    # After enum module_state and struct list_head, as ever since 2.6.
    word = 8 if elf.is_64bit else 4
    return _text.decode(data[3 * word : 2 * word + _NAME_SIZE].partition(b"\0")[0])


def _entries(
    elf: ElfFile, section: Section, table: Sequence[Symbol], strings: Mapping[int, bytes]
) -> Iterator[tuple[str, str]]:
    """Yield name and namespace of each entry of *section*, found by its relocations."""
    in_place = elf.contents(section)
    texts: list[str] | None = None
    for relocation in sorted(relocations_of(elf, section), key=lambda each: each.offset):
        if relocation.symbol_index >= len(table):
            raise FormatError(elf.what, f"{section.name} points at a symbol that is not there")
        symbol = table[relocation.symbol_index]
        if symbol.section_index in strings:
            if texts is not None:
                place = symbol.value + relocation.addend + _addend_in_place(elf, relocation, in_place)
                texts.append(_text_at(strings[symbol.section_index], place))
            continue
        if texts:
            yield texts[0], texts[1] if len(texts) > 1 else ""
        texts = []
    if texts:
        yield texts[0], texts[1] if len(texts) > 1 else ""


def _addend_in_place(elf: ElfFile, relocation: Relocation, data: bytes) -> int:
    """Return the word that a REL relocation leaves at its place; RELA files have 0 there."""
    start = relocation.offset
    word = data[start : start + 4]
    if len(word) != 4:
        raise FormatError(elf.what, "an export table's relocation lies outside it", offset=start)
    number: int = struct.unpack(elf.order + "i", word)[0]
    return number if not relocation.addend else 0


def _text_at(strings: bytes, start: int) -> str:
    stop = strings.find(b"\0", start) if 0 <= start <= len(strings) else -1
    if stop < 0:
        raise FormatError("module", f"an export's name at {start} of {len(strings)} bytes of names")
    return _text.decode(strings[start:stop])


def _by_symbol(
    elf: ElfFile, section: Section, table: Sequence[Symbol]
) -> tuple[tuple[str, str], ...]:
    """Return the exports of *section* by its ``__ksymtab_NAME`` symbols: it has no relocations."""
    prefix = "__ksymtab_"
    found = [
        (symbol.value, symbol.name[len(prefix) :])
        for symbol in table
        if symbol.section_index == section.index and symbol.name.startswith(prefix)
    ]
    return tuple([(name, "") for _value, name in sorted(found)])


def _numbered_crcs(elf: ElfFile, name: str, count: int) -> tuple[int, ...]:
    """Return the CRCs in the section *name*, if it has just one for each of *count* exports."""
    data = elf.section_data(name) or b""
    for code, size in (("I", 4), ("Q", 8)):
        if count and len(data) == count * size:
            numbers: tuple[int, ...] = struct.unpack(f"{elf.order}{count}{code}", data)
            return numbers
    return ()


def _crc(elf: ElfFile, symbol: Symbol) -> int:
    """Return what a ``__crc_`` symbol says: its value, or the word that it points at."""
    if symbol.section_index in {SHN_ABS, SHN_UNDEF}:
        return symbol.value & 0xFFFF_FFFF
    if symbol.section_index >= len(elf.sections):
        raise FormatError(elf.what, f"a CRC in section {symbol.section_index}, which is not there")
    data = elf.contents(elf.sections[symbol.section_index])
    word = data[symbol.value : symbol.value + 4]
    if len(word) != 4:
        raise FormatError(elf.what, "a CRC lies outside its section", offset=symbol.value)
    number: int = struct.unpack(elf.order + "I", word)[0]
    return number
