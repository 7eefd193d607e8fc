"""What a module exports and imports, with CRCs, namespaces and licence class.

An export is an entry of a section ``__ksymtab*``. Entries differ between kernels and machines

    absolute    word value, word name [, word namespace since 5.4]
    relative    i32 value, i32 name [, i32 namespace since 5.4]    (PREL32, since 4.19)

but in a relocatable file all of them are made of relocations: the first of an entry points at what
is exported, the next into ``__ksymtab_strings`` at its name, and one more, if there, at its
namespace. So the relocations are what is read here, and no entry size is needed.

After Linux 7.0 (commit 9743311b4535, "module: add kflagstab section to vmlinux and modules")
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
    SHT_REL,
    STB_WEAK,
    STT_SPARC_REGISTER,
)
from lkm.elf.relocations import read_relocations, relocation_sections
from lkm.elf.strings import StringTable
from lkm.elf.symbols import read_symbols
from lkm.errors import FormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Final, Literal

    from lkm.elf.file import ElfFile, Section
    from lkm.elf.symbols import Symbol

# Which sections, and whether a proprietary module may not use what is in them. The unused ones are
# gone since Linux 5.12 (commit 367948220fce, "module: remove EXPORT_UNUSED_SYMBOL*"), gpl_future
# since the same (commit f1c3d73e973c, "module: remove EXPORT_SYMBOL_GPL_FUTURE").
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
_ENTRY_PREFIX = "__ksymtab_"
_NAMESPACE_PREFIX = "__kstrtabns_"
_VERSION_SIZE = 64
_BYTE_ORDERS: Mapping[str, Literal["little", "big"]] = {"<": "little", ">": "big"}
_THIS_MODULE = ".gnu.linkonce.this_module"
_NAME_SIZE = 64  # MODULE_NAME_LEN is this less one word


class Export(Value):
    """A symbol that a module offers.

    *crc* is None without modversions; *gpl_only* means that only modules of a GPL-compatible
    licence may use it; *namespace* is empty for none.
    """

    __slots__ = ("crc", "gpl_only", "name", "namespace")

    def __init__(
        self, name: str, crc: int | None = None, *, gpl_only: bool = False, namespace: str = ""
    ) -> None:
        self.name: Final = name
        self.crc: Final = crc
        self.gpl_only: Final = gpl_only
        self.namespace: Final = namespace


class Import(Value):
    """An undefined symbol; *weak* ones may stay so. *crc* is None without modversions."""

    __slots__ = ("crc", "name", "weak")

    def __init__(self, name: str, *, weak: bool = False, crc: int | None = None) -> None:
        self.name: Final = name
        self.weak: Final = weak
        self.crc: Final = crc


class SymbolVersion(Value):
    """The CRC of a symbol that a module was built against."""

    __slots__ = ("crc", "name")

    def __init__(self, name: str, crc: int) -> None:
        self.name: Final = name
        self.crc: Final = crc


def exports(elf: ElfFile) -> tuple[Export, ...]:
    """Return what the module *elf* exports, in the order of its export tables.

    Raises ``FormatError`` for tables that point outside the file.
    """
    tables = _export_tables(elf)
    if not tables:
        return ()
    symbols = read_symbols(elf)
    strings = _export_strings(elf)
    marked = [symbol for symbol in symbols if symbol.name.startswith(_CRC_PREFIX)]
    words = crc_words(elf, [(symbol.section_index, symbol.value) for symbol in marked])
    crcs: dict[str, int | None] = {
        symbol.name[len(_CRC_PREFIX) :]: crc & 0xFFFF_FFFF
        for symbol, crc in zip(marked, words, strict=True)
    }
    found: list[Export] = []
    for section in tables:
        names = _entries(elf, section, symbols, strings) or _by_symbol(section, symbols, strings)
        flags = _flags(elf, section)
        numbered = _numbered_crcs(elf, section, len(names))
        for number, (name, namespace) in enumerate(names):
            by_number = numbered[number] if number < len(numbered) else None
            flag = flags[number] if number < len(flags) else 0
            found.append(
                Export(
                    name,
                    crcs.get(name, by_number),
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
            and not (symbol.type == STT_SPARC_REGISTER and elf.machine in {EM_SPARC, EM_SPARCV9})
        ]
    )


def versions(elf: ElfFile) -> tuple[SymbolVersion, ...]:
    """Return the CRCs that the module *elf* was built against, in file order.

    From Linux 6.14 on (commit 54ac1ac8edeb, "modules: Support extended MODVERSIONS info") they may
    stand in ``__version_ext_crcs`` and ``__version_ext_names``, which the kernel then prefers,
    since names too long for ``__versions`` stand only there. A dot before a name is dropped.
    """
    crcs, names = elf.section_data("__version_ext_crcs"), elf.section_data("__version_ext_names")
    rows: Iterable[tuple[int, bytes]]
    if crcs is not None and names is not None:
        count = len(crcs) // 4
        numbers: tuple[int, ...] = struct.unpack(f"{elf.order}{count}I", crcs[: 4 * count])
        rows = zip(numbers, names.split(b"\0"), strict=False)
    else:
        rows = ((crc, name.partition(b"\0")[0]) for crc, name in version_records(elf))
    return tuple(
        [SymbolVersion(_text.decode(name).removeprefix("."), crc) for crc, name in rows if name]
    )


def version_records(elf: ElfFile) -> Iterator[tuple[int, bytes]]:
    """Return CRC and name, NULs after it included, of the records of ``__versions``.

    Records are 64 bytes: a word for the CRC, then the name.
    """
    data = elf.section_data("__versions") or b""
    code = elf.order + ("Q56s" if elf.is_64bit else "I60s")
    return struct.iter_unpack(code, data[: len(data) // _VERSION_SIZE * _VERSION_SIZE])


def crc_words(elf: ElfFile, places: Sequence[tuple[int, int]]) -> list[int]:
    """Return what ``__crc_`` symbols say, of which *places* gives section index and value.

    That is the value of an absolute or undefined one, else the word that it points at. Raises
    ``FormatError`` for one that points outside the file, and for sections that lie over each
    other so that together they are larger than the file.
    """
    word = struct.Struct(elf.order + "I")
    tables: dict[int, bytes] = {}
    left = len(elf.data)
    found: list[int] = []
    for index, value in places:
        if index in {SHN_ABS, SHN_UNDEF}:
            found.append(value)
            continue
        if index not in tables:
            section = elf.section_at(index)
            tables[index] = b"" if section is None else elf.contents(section)
            left -= len(tables[index])
            if left < 0:
                raise FormatError(elf.what, "CRCs in sections larger than the file")
        if value + word.size > len(tables[index]):
            raise FormatError(elf.what, f"a CRC at {value} of section {index}, outside it")
        found.append(word.unpack_from(tables[index], value)[0])
    return found


def struct_name(elf: ElfFile) -> str:
    """Return the name inside the module's ``struct module``, empty if there is no such struct.

    This, and not the file's name, is what the kernel calls the module.
    """
    data = elf.section_data(_THIS_MODULE) or b""
    # After enum module_state and struct list_head, as ever since 2.6.
    word = 8 if elf.is_64bit else 4
    return _text.decode(data[3 * word : 2 * word + _NAME_SIZE].partition(b"\0")[0])


def _export_tables(elf: ElfFile) -> list[Section]:
    """Return the first section of each name in EXPORT_SECTIONS, in file order."""
    found = [section for name in EXPORT_SECTIONS if (section := elf.section(name))]
    return sorted(found, key=lambda section: section.index)


def _export_strings(elf: ElfFile) -> dict[int, StringTable]:
    """Return the table of the exports' names by its section index; nothing if there is none."""
    section = elf.section(_STRINGS)
    if section is None:
        return {}
    return {section.index: StringTable(elf.contents(section), elf.what)}


def _entries(
    elf: ElfFile,
    section: Section,
    symbols: Sequence[Symbol],
    strings: Mapping[int, StringTable],
) -> list[tuple[str, str]]:
    """Return name and namespace of each entry of *section*, found by its relocations."""
    found: list[tuple[str, str]] = []
    texts: list[str] = []
    for symbol, addend in _targets(elf, section, symbols):
        table = strings.get(symbol.section_index)
        if table is not None:
            texts.append(table.text(symbol.value + addend))
        elif texts:
            found.append((texts[0], texts[1] if len(texts) > 1 else ""))
            texts = []
    if texts:
        found.append((texts[0], texts[1] if len(texts) > 1 else ""))
    return found


def _targets(
    elf: ElfFile, section: Section, symbols: Sequence[Symbol]
) -> Iterator[tuple[Symbol, int]]:
    """Yield symbol and addend of everything that *section* points at, by place."""
    addends = elf.contents(section)
    found: list[tuple[int, int, int]] = []
    for table in relocation_sections(elf, section):
        for each in read_relocations(elf, table):
            addend = each.addend
            if table.type == SHT_REL:  # only 32-bit machines have it: the place is 4 bytes
                word = addends[each.offset : each.offset + 4]
                addend = int.from_bytes(word, _BYTE_ORDERS[elf.order], signed=True)
            found.append((each.offset, each.symbol_index, addend))
    found.sort()
    for _offset, index, addend in found:
        if index >= len(symbols):
            raise FormatError(elf.what, f"{section.name} points at symbol {index}, not there")
        yield symbols[index], addend


def _by_symbol(
    section: Section, symbols: Sequence[Symbol], strings: Mapping[int, StringTable]
) -> list[tuple[str, str]]:
    """Return what _entries does, by symbols ``__ksymtab_`` and ``__kstrtabns_``.

    For a file that is linked to its end and so has no relocations, as the kernel itself.
    """
    namespaces = {
        symbol.name[len(_NAMESPACE_PREFIX) :]: strings[symbol.section_index].text(symbol.value)
        for symbol in symbols
        if symbol.name.startswith(_NAMESPACE_PREFIX) and symbol.section_index in strings
    }
    names = [
        (symbol.value, symbol.name[len(_ENTRY_PREFIX) :])
        for symbol in symbols
        if symbol.section_index == section.index and symbol.name.startswith(_ENTRY_PREFIX)
    ]
    return [(name, namespaces.get(name, "")) for _value, name in sorted(names)]


def _flags(elf: ElfFile, section: Section) -> bytes:
    return (elf.section_data("__kflagstab") or b"") if section.name == "__ksymtab" else b""


def _numbered_crcs(elf: ElfFile, section: Section, count: int) -> tuple[int, ...]:
    """Return the CRCs beside the export table *section*, if there is just one for each entry."""
    table = elf.section(section.name.replace("__ksymtab", "__kcrctab"))
    if table is None or table.size != 4 * count or relocation_sections(elf, table):
        return ()
    numbers: tuple[int, ...] = struct.unpack(f"{elf.order}{count}I", elf.contents(table))
    return numbers
