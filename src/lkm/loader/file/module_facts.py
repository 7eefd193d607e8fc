"""From a file that has passed the checks of its bytes to the facts that the others look at."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from lkm._text import decode
from lkm.elf.constants import SHT_SYMTAB
from lkm.elf.file import ElfFile, Section
from lkm.elf.symbols import ENTRY_SIZES, read_symbols
from lkm.loader.facts import KernelFacts, ModuleFacts, allocated, find_section
from lkm.loader.file.given import IGNORE_MODVERSIONS, SECTION_BYTES, GivenFile
from lkm.loader.file.struct_checks import EXTENDED_SECTIONS
from lkm.loader.releases import EXTENDED_VERSIONS, STRUCT_CHECKED
from lkm.module.modinfo import parse_modinfo
from lkm.module.symbols import Export, exports, struct_name, version_records, versions

_MODINFO = ".modinfo"


def module_facts(
    path: str, given: GivenFile, params: str | None = "", init_returns: int | None = None
) -> ModuleFacts:
    """Return the facts of the module in *given*, which has passed the checks of the ELF file.

    *path* is where it came from, *params* is what was given at its insert. Raises ``FormatError``
    for parts that the loader of a real kernel would read blindly.
    """
    elf, table = _with_whole_symbols(given)
    entries = parse_modinfo(_modinfo(elf, given.kernel))
    modinfo: dict[str, str] = {}
    for key, value in entries:
        modinfo.setdefault(key, value)
    name = struct_name(elf)
    return ModuleFacts(
        name=name,
        log_name=modinfo.get("name", name),
        path=path,
        elf=elf,
        sections=elf.sections,
        symbols=read_symbols(elf),
        symbol_table=table,
        string_table=elf.sections[table.link],
        modinfo=MappingProxyType(modinfo),
        namespaces=frozenset([value for key, value in entries if key == "import_ns"]),
        exports=_exports(elf),
        versions=_versions(elf, given),
        signed=given.signed,
        flags=given.flags,
        is_64bit=elf.is_64bit,
        params=params,
        init_returns=init_returns,
    )


def _with_whole_symbols(given: GivenFile) -> tuple[ElfFile, Section]:
    """Return the file and its symbol table; in the file a part of a symbol is left out of it."""
    data = given.native()
    elf = ElfFile.from_bytes(data, what="module")
    table = next(section for section in elf.sections if section.type == SHT_SYMTAB)
    rest = table.size % ENTRY_SIZES[elf.is_64bit]
    if rest:
        at, code = (32, "Q") if elf.is_64bit else (20, "I")
        at += given.header().sections_at + table.index * SECTION_BYTES[elf.is_64bit]
        size = struct.pack(elf.order + code, table.size - rest)
        elf = ElfFile.from_bytes(data[:at] + size + data[at + len(size) :], what="module")
    return elf, table


def _modinfo(elf: ElfFile, kernel: KernelFacts) -> bytes:
    """Return the modinfo; before STRUCT_CHECKED only one that takes memory is found."""
    if kernel.has(STRUCT_CHECKED):
        return elf.section_data(_MODINFO) or b""
    return allocated(elf, _MODINFO)


def _exports(elf: ElfFile) -> tuple[Export, ...]:
    """Return the exports, with CRCs only where there is the section that the kernel looks in."""
    without = {
        gpl_only
        for gpl_only, table, crcs in (
            (False, "__ksymtab", "__kcrctab"),
            (True, "__ksymtab_gpl", "__kcrctab_gpl"),
        )
        if find_section(elf, table) is not None and find_section(elf, crcs) is None
    }
    return tuple(
        [
            Export(each.name, gpl_only=each.gpl_only, namespace=each.namespace)
            if each.gpl_only in without
            else each
            for each in exports(elf)
        ]
    )


def _versions(elf: ElfFile, given: GivenFile) -> Mapping[str, int] | None:
    """Return the CRCs that the loader goes by, None where there are none, or none to go by."""
    if given.flags & IGNORE_MODVERSIONS:
        return None
    stated: Iterable[tuple[str, int]]
    extended = given.kernel.has(EXTENDED_VERSIONS)
    if extended and all(find_section(elf, each) is not None for each in EXTENDED_SECTIONS):
        stated = [(version.name, version.crc) for version in versions(elf)]
    elif find_section(elf, "__versions") is not None:
        records = version_records(elf)
        stated = [(decode(name.partition(b"\0")[0]), crc) for crc, name in records]
    else:
        return None
    found: dict[str, int] = {}
    for name, crc in stated:
        if name:
            found.setdefault(name.removeprefix("."), crc)
    return MappingProxyType(found)
