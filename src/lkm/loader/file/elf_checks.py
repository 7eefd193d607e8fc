"""The loader's checks of the ELF file: of bytes, before anything is known to be a module.

By the same fields and in the same order as the kernel of that release; what its loader does not
look at (the ELF class, bytes after the image) is not looked at here either. Each check presumes
that those before it passed.

Source: kernel/module/main.c, elf_validity_check and setup_load_info; since STRUCT_CHECKED, and
anew since STEPWISE_ELF, elf_validity_cache_copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lkm.elf.constants import (
    ELFCLASS32,
    ELFCLASS64,
    EM_386,
    EM_486,
    EM_AARCH64,
    EM_MIPS,
    EM_RISCV,
    EM_S390,
    EM_S390_OLD,
    EM_X86_64,
    ET_REL,
    SHT_NOBITS,
    SHT_NULL,
    SHT_STRTAB,
    SHT_SYMTAB,
)
from lkm.loader.file.given import HEADER_BYTES, SECTION_BYTES, GivenFile, Header
from lkm.loader.file.struct_checks import (
    as_signed,
    bad_link,
    counted_parts,
    module_parts,
    stepwise_parts,
)
from lkm.loader.findings import Finding, refusal
from lkm.loader.releases import STEPWISE_ELF, STRUCT_CHECKED

Check = Callable[[GivenFile], Iterator[Finding]]

_SHF_ALLOC = 2

# What elf_check_arch looks at: nothing but the machine on some, the class too on others. MIPS of 32
# bit, ARM and PowerPC have flags looked at besides. Source: arch/*/include/asm/elf.h.
_MACHINE_ALONE = frozenset({EM_X86_64, EM_386, EM_AARCH64})
_MACHINE_AND_CLASS = frozenset({EM_S390, EM_RISCV, EM_MIPS})
_OLD_MACHINE = {EM_S390: EM_S390_OLD, EM_386: EM_486}


def elf_checks(file: GivenFile) -> tuple[Check, ...]:
    """Return the checks that the kernel makes of *file*, in its order."""
    if file.kernel.has(STEPWISE_ELF):
        return _STEPWISE
    return _COUNTED if file.kernel.has(STRUCT_CHECKED) else _AT_ONCE


def _header(file: GivenFile) -> Iterator[Finding]:
    if len(file.data) < HEADER_BYTES[file.kernel.is_64bit]:
        yield refusal("elf", f"Invalid ELF header len {len(file.data)}")
        return
    header = file.header()
    if file.data[:4] != b"\x7fELF":
        yield refusal("elf", "Invalid ELF header magic: != \\x7fELF")
    if header.type != ET_REL:
        yield refusal("elf", f"Invalid ELF header type: {header.type} != {ET_REL}")
    if not _is_of_machine(file):
        yield refusal(
            "machine",
            f"Invalid architecture in ELF header: {header.machine}",
            remedy="take the module built for this kernel's processor",
        )
    elif file.kernel.machine not in _MACHINE_ALONE | _MACHINE_AND_CLASS:
        wanted = ELFCLASS64 if file.kernel.is_64bit else ELFCLASS32
        if file.data[4] != wanted:
            evidence = "whether kernels of this machine look at the ELF class is not known here"
            yield Finding(check="machine", evidence=evidence, could_not_tell=True)


def _is_of_machine(file: GivenFile) -> bool:
    kernel = file.kernel
    wanted = ELFCLASS64 if kernel.is_64bit else ELFCLASS32
    if kernel.machine in _MACHINE_AND_CLASS and file.data[4] != wanted:
        return False
    machine = file.header().machine
    return machine == kernel.machine or machine == _OLD_MACHINE.get(kernel.machine)


def _section_table(file: GivenFile) -> Iterator[Finding]:
    header = file.header()
    size = SECTION_BYTES[file.kernel.is_64bit]
    if header.section_size != size:
        yield refusal("elf", "Invalid ELF section header size")
    room = len(file.data) - header.sections_at
    if room <= 0 or header.section_count * size > room:
        yield refusal("elf", "Invalid ELF section header overflow")


def _names(file: GivenFile) -> Iterator[Finding]:
    header = file.header()
    if not _has_names(header):
        yield _no_names(header)
        return
    names = file.sections()[header.names_index]
    if names[4] + names[5] > len(file.data):
        yield refusal("elf", f"Invalid ELF section hdr(type {names[1]})")
        return
    yield from _text_of_names(file, names)


def _stepwise_names(file: GivenFile) -> Iterator[Finding]:
    header = file.header()
    if not _has_names(header):
        yield _no_names(header)
        return
    sections = file.sections()
    names = sections[header.names_index]
    if names[1] != SHT_STRTAB:
        yield refusal("elf", f"Invalid ELF section name table type: {names[1]}")
        return
    yield from _text_of_names(file, names)
    for number, section in enumerate(sections):
        if section[1] != SHT_NULL and section[0] >= names[5]:
            yield _bad_name(number, section[1])


def _has_names(header: Header) -> bool:
    return 0 < header.names_index < header.section_count


def _no_names(header: Header) -> Finding:
    index, count = header.names_index, header.section_count
    return refusal(
        "elf",
        f"Invalid ELF section name index: {index} || e_shstrndx ({index}) >= e_shnum ({count})",
    )


def _text_of_names(file: GivenFile, names: tuple[int, ...]) -> Iterator[Finding]:
    if not names[5]:
        yield refusal("elf", "empty section name table")
    elif file.data[names[4] + names[5] - 1]:
        yield refusal("elf", "ELF Spec violation: section name table isn't null terminated")


def _bad_name(number: int, kind: int) -> Finding:
    return refusal("elf", f"Invalid ELF section name in module (section {number} type {kind})")


def _section_zero(file: GivenFile) -> Iterator[Finding]:
    sections = file.sections()
    if not sections:
        return  # the names' index is refused for it
    _name, kind, _flags, address, _offset, size = sections[0][:6]
    if kind != SHT_NULL or size or address:
        kind = as_signed(kind)
        yield refusal(
            "elf", f"ELF Spec violation: section 0 type({kind})!=SH_NULL or non-zero len or addr"
        )


def _sections(file: GivenFile) -> Iterator[Finding]:
    headers = file.sections()
    names_size = headers[file.header().names_index][5]
    for number, (name, kind, flags, _address, offset, size, link, *_rest) in enumerate(headers):
        if not number or kind in {SHT_NULL, SHT_NOBITS}:
            continue
        if kind == SHT_SYMTAB and not 0 < link < len(headers):
            yield bad_link(link, len(headers))
        if _is_outside(offset, size, file):
            yield refusal("elf", f"Invalid ELF section in module (section {number} type {kind})")
        if flags & _SHF_ALLOC and name >= names_size:
            yield _bad_name(number, kind)


def _stepwise_sections(file: GivenFile) -> Iterator[Finding]:
    for number, (_name, kind, _flags, _address, offset, size, *_rest) in enumerate(file.sections()):
        if number and kind not in {SHT_NULL, SHT_NOBITS} and _is_outside(offset, size, file):
            yield refusal("elf", f"Invalid ELF section in module (section {number} type {kind})")


def _is_outside(offset: int, size: int, file: GivenFile) -> bool:
    return offset + size > len(file.data)


_AT_ONCE: tuple[Check, ...] = (
    _header,
    _section_table,
    _names,
    _section_zero,
    _sections,
    module_parts,
)
_COUNTED: tuple[Check, ...] = (*_AT_ONCE[:-1], counted_parts)
_STEPWISE: tuple[Check, ...] = (
    _header,
    _section_table,
    _section_zero,
    _stepwise_sections,
    _stepwise_names,
    stepwise_parts,
)
