"""From a file that has passed the checks of its bytes to the facts that the others look at."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lkm.elf.constants import SHT_SYMTAB
from lkm.elf.file import ElfFile
from lkm.elf.symbols import read_symbols
from lkm.loader.facts import KernelFacts, ModuleFacts, allocated, find_section
from lkm.loader.file.given import IGNORE_MODVERSIONS, GivenFile
from lkm.loader.releases import STEPWISE_ELF
from lkm.module.modinfo import parse_modinfo
from lkm.module.symbols import Export, exports, struct_name, versions

_MODINFO = ".modinfo"


def module_facts(
    path: str, given: GivenFile, params: str | None = "", init_returns: int | None = None
) -> ModuleFacts:
    """Return the facts of the module in *given*, which has passed the checks of the ELF file.

    *path* is where it came from, *params* is what was given at its insert. Raises ``FormatError``
    for parts that the loader of a real kernel would read blindly.
    """
    elf = ElfFile.from_bytes(given.native(), what="module")
    table = next(section for section in elf.sections if section.type == SHT_SYMTAB)
    entries = parse_modinfo(_modinfo(elf, given.kernel))
    modinfo: dict[str, str] = {}
    for key, value in entries:
        modinfo.setdefault(key, value)
    name = struct_name(elf)
    sections = ("__versions", "__version_ext_crcs")
    ignored = bool(given.flags & IGNORE_MODVERSIONS)
    has_versions = not ignored and any(find_section(elf, each) for each in sections)
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
        versions=_versions(elf) if has_versions else None,
        signed=given.signed,
        flags=given.flags,
        is_64bit=elf.is_64bit,
        params=params,
        init_returns=init_returns,
    )


def _modinfo(elf: ElfFile, kernel: KernelFacts) -> bytes:
    """Return the modinfo; before STEPWISE_ELF only one that takes memory is found."""
    if kernel.has(STEPWISE_ELF):
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


def _versions(elf: ElfFile) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for version in versions(elf):
        found.setdefault(version.name, version.crc)
    return MappingProxyType(found)
