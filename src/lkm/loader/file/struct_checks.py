"""The checks that find a module in an ELF file: its symbol table, its struct module.

Source: kernel/module/main.c, setup_load_info; since STRUCT_CHECKED elf_validity_cache_copy; since
STEPWISE_ELF elf_validity_cache_index and what it calls.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from lkm.elf.constants import SHT_NOBITS, SHT_NULL, SHT_STRTAB, SHT_SYMTAB
from lkm.elf.file import ElfFile, Section
from lkm.errors import FormatError
from lkm.loader.facts import SHF_ALLOC, KernelFacts, find_section
from lkm.loader.file.given import IGNORE_MODVERSIONS, GivenFile
from lkm.loader.findings import Finding, LogLine, blind, refusal
from lkm.loader.releases import EXTENDED_VERSIONS
from lkm.module.modinfo import parse_modinfo

THIS_MODULE = ".gnu.linkonce.this_module"
EXTENDED_SECTIONS = ("__version_ext_crcs", "__version_ext_names")
_MODINFO = ".modinfo"
_TWO_INFOS = "Only one .modinfo section must exist."
_NAMELESS = "(missing .modinfo section or name field)"
_STRIPPED = "take the module file as its kernel's build made it, not stripped"
_OTHER_BUILD = "take the module file built for exactly this kernel"


def module_parts(file: GivenFile) -> Iterator[Finding]:
    """Find the symbol table and struct module, among the sections that take memory."""
    elf = _read(file)
    if not isinstance(elf, ElfFile):
        yield elf
        return
    name = _name(elf, find_section(elf, _MODINFO))
    if isinstance(name, Finding):
        yield name
        return
    if all(section.type != SHT_SYMTAB for section in elf.sections):
        yield _no_symbols(name)
    if find_section(elf, THIS_MODULE) is None:
        text = f"{name}: No module found in object"
        yield refusal("no-module", text, level=4, remedy=_STRIPPED)


def counted_parts(file: GivenFile) -> Iterator[Finding]:
    """Count modinfo, symbol tables and struct module, among the sections that have contents."""
    elf = _read(file)
    if not isinstance(elf, ElfFile):
        yield elf
        return
    full = [each for each in elf.sections[1:] if each.type not in {SHT_NULL, SHT_NOBITS}]
    infos = [section for section in full if section.name == _MODINFO]
    if len(infos) > 1:
        yield refusal("elf", _TWO_INFOS)
        return
    name = _name(elf, infos[0] if infos else None)
    if isinstance(name, Finding):
        yield name
        return
    if len([section for section in full if section.type == SHT_SYMTAB]) != 1:
        yield _no_symbols(name)
    found = [section for section in full if section.name == THIS_MODULE]
    if len(found) == 1:
        yield from _in_memory(found[0], name)
        yield from _sized(found[0], name, file.kernel)
    else:
        text = f"module {name}: Only one {THIS_MODULE} section must exist."
        yield refusal("no-module", text, remedy=_STRIPPED)


def stepwise_parts(file: GivenFile) -> Iterator[Finding]:
    """Find modinfo, struct module, symbols and their names, each of them once."""
    elf = _read(file)
    if not isinstance(elf, ElfFile):
        yield elf
        return
    infos = [section for section in elf.sections[1:] if section.name == _MODINFO]
    if len(infos) > 1:
        yield refusal("elf", _TWO_INFOS)
        return
    name = _name(elf, infos[0] if infos else None)
    if isinstance(name, Finding):
        yield name
        return
    found = [section for section in elf.sections[1:] if section.name == THIS_MODULE]
    if len(found) == 1:
        yield from _in_memory(found[0], name)
        yield from _sized(found[0], name, file.kernel)
    else:
        text = f"module {name}: Exactly one {THIS_MODULE} section must exist."
        yield refusal("no-module", text, remedy=_STRIPPED)
    yield from _symbols(elf, name)
    if file.kernel.has(EXTENDED_VERSIONS) and not file.flags & IGNORE_MODVERSIONS:
        present = {find_section(elf, each) is not None for each in EXTENDED_SECTIONS}
        if len(present) > 1:
            yield refusal("elf", "extended version crc+name presence does not match")


def as_signed(number: int) -> int:
    """Return a field of 32 bits as the kernel prints some: with a sign."""
    return number - (1 << 32) if number >> 31 else number


def bad_link(link: int, count: int) -> Finding:
    """Return the refusal of a symbol table whose names are in none of *count* sections."""
    link = as_signed(link)
    return refusal(
        "elf",
        f"Invalid ELF sh_link!=SHN_UNDEF({link}) or (sh_link({link}) >= hdr->e_shnum({count})",
    )


def struct_differs(this_module: Section, kernel: KernelFacts) -> bool:
    """Tell whether struct module has another size in the file than in the kernel."""
    return kernel.struct_module_size not in {None, this_module.size}


def sizes(this_module: Section, kernel: KernelFacts) -> str:
    """Return in words which sizes differ."""
    return (
        f"struct module has {this_module.size} bytes in the file, {kernel.struct_module_size} in "
        "the kernel"
    )


def _read(file: GivenFile) -> ElfFile | Finding:
    try:
        return ElfFile.from_bytes(file.native(), what="module")
    except FormatError as error:
        return blind(error)


def _name(elf: ElfFile, info: Section | None) -> str | Finding:
    """Return what the log calls the module."""
    try:
        data = b"" if info is None else elf.contents(info)
    except FormatError as error:
        return blind(error)
    try:
        entries = parse_modinfo(data)
    except FormatError as error:  # a kernel has no such bound
        return blind(error)
    return dict(reversed(entries)).get("name", _NAMELESS)


def _in_memory(this_module: Section, name: str) -> Iterator[Finding]:
    if this_module.type == SHT_NOBITS:
        text = f"module {name}: {THIS_MODULE} section must have a size set"
        yield refusal("no-module", text, remedy=_STRIPPED)
    elif not this_module.flags & SHF_ALLOC:
        text = f"module {name}: {THIS_MODULE} must occupy memory during process execution"
        yield refusal("no-module", text, remedy=_STRIPPED)


def size_not_known() -> Finding:
    """Return the doubt about struct module where the size of the kernel's is not known."""
    return Finding(
        check="struct-size",
        evidence="whether its struct module has the size of the kernel's, which is not known",
        remedy="boot with the kernel's image",
        could_not_tell=True,
    )


def _sized(this_module: Section, name: str, kernel: KernelFacts) -> Iterator[Finding]:
    if kernel.struct_module_size is None:
        yield size_not_known()
    if struct_differs(this_module, kernel):
        text = (
            f"module {name}: {THIS_MODULE} section size must match the kernel's built struct "
            "module size at run time"
        )
        yield Finding(
            check="struct-size",
            errno=errno.ENOEXEC,
            log=(LogLine(3, text),),
            evidence=sizes(this_module, kernel),
            remedy=_OTHER_BUILD,
        )


def _symbols(elf: ElfFile, name: str) -> Iterator[Finding]:
    tables = [section for section in elf.sections if section.type == SHT_SYMTAB]
    if len(tables) != 1:
        yield _no_symbols(name)
        return
    link = tables[0].link
    if not 0 < link < len(elf.sections):
        yield bad_link(link, len(elf.sections))
    elif elf.sections[link].type != SHT_STRTAB:
        kind = elf.sections[link].type
        yield refusal("elf", f"Invalid ELF symbol string table type: {kind}")


def _no_symbols(name: str) -> Finding:
    return refusal(
        "no-symbols", f"{name}: module has no symbols (stripped?)", level=4, remedy=_STRIPPED
    )
