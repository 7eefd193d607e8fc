"""The loader's first checks: of bytes, before anything is known to be a module.

In the order of Linux 6.1, and by the same fields; what the loader does not look at (the ELF class,
bytes after the image) is not looked at here either.
Source: kernel/module/main.c, elf_validity_check and setup_load_info; kernel/module/signing.c;
kernel/module_signature.c.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lkm.elf.constants import ET_REL, SHT_NOBITS, SHT_NULL, SHT_SYMTAB
from lkm.elf.file import ElfFile, Section
from lkm.errors import FormatError
from lkm.loader.facts import PKCS7, KernelFacts, as_native, find_section
from lkm.loader.findings import Finding, LogLine
from lkm.module.file import ModuleImage
from lkm.module.modinfo import parse_modinfo
from lkm.module.signature import MAGIC as SIGNATURE_MAGIC

THIS_MODULE = ".gnu.linkonce.this_module"
# Linux 6.4, commit 419e1a20f714 ("module: merge remnants of setup_load_info() to elf validation").
STRUCT_CHECKED = (6, 4)
_KNOWN_FLAGS = 7
_FORCING_FLAGS = 3
_HEADER_BYTES = {True: 64, False: 52}
_SECTION_BYTES = {True: 64, False: 40}
_STRIPPED = "take the module file as its kernel's build made it, not stripped"
_DAMAGED = "the file is damaged or no module: take it anew from its package"


@dataclass(frozen=True, slots=True)
class _File:
    """The bytes as the loader sees them, and how they came to it."""

    data: bytes
    kernel: KernelFacts
    flags: int
    by_descriptor: bool  # finit_module(2), not init_module(2)

    def header(self) -> _Header:
        wide = self.kernel.is_64bit
        code = "16sHHIQQQIHHHHHH" if wide else "16sHHIIIIIHHHHHH"
        fields = struct.unpack_from(self.kernel.order + code, self.data)
        return _Header(fields[1], fields[2], fields[6], fields[11], fields[12], fields[13])

    def sections(self) -> list[tuple[int, ...]]:
        """Return the section headers: name, type, flags, addr, offset, size, link, ..."""
        header = self.header()
        code = self.kernel.order + ("IIQQQQIIQQ" if self.kernel.is_64bit else "10I")
        stop = header.sections_at + header.section_count * _SECTION_BYTES[self.kernel.is_64bit]
        return list(struct.iter_unpack(code, self.data[header.sections_at : stop]))


@dataclass(frozen=True, slots=True)
class _Header:
    type: int
    machine: int
    sections_at: int
    section_size: int
    section_count: int
    names_index: int


def elf_findings(image: ModuleImage, kernel: KernelFacts, flags: int) -> Iterator[Finding]:
    """Yield what the loader finds in the file before it knows a module, in its order.

    Each check presumes that those before it passed, so the first refusal is also the last finding.
    """
    by_descriptor = bool(image.path) and not image.compression
    file = _File(image.data, kernel, flags, by_descriptor)
    for check in ELF_CHECKS:
        for finding in check(file):
            yield finding
            if finding.refuses:
                return


def _allowed(file: _File) -> Iterator[Finding]:
    if not file.kernel.options.modules:
        yield Finding(
            check="no-module-support",
            errno=errno.ENOSYS,
            evidence="the kernel was built without modules (CONFIG_MODULES is off)",
        )
    if file.kernel.modules_disabled:
        yield Finding(
            check="modules-disabled",
            errno=errno.EPERM,
            evidence="the kernel's command line has nomodule",
            remedy="boot it without nomodule: once set it cannot be unset",
        )
    if file.flags & ~_KNOWN_FLAGS:
        yield Finding(
            check="flags",
            errno=errno.EINVAL,
            evidence=f"flags {file.flags:#x} are more than finit_module(2) knows",
        )


def _length(file: _File) -> Iterator[Finding]:
    size = len(file.data)
    if file.by_descriptor and not size:
        yield Finding(
            check="elf", errno=errno.EINVAL, evidence="the file is empty", remedy=_DAMAGED
        )
    elif not file.by_descriptor and size < _HEADER_BYTES[file.kernel.is_64bit]:
        yield Finding(
            check="elf",
            errno=errno.ENOEXEC,
            evidence=f"{size} bytes are less than an ELF header",
            remedy=_DAMAGED,
        )


def _signature(file: _File) -> Iterator[Finding]:
    """Look at the record in front of the signature's magic; the signature is not verified."""
    if not file.kernel.options.module_sig:
        return
    signed = False
    if not file.flags & _FORCING_FLAGS and file.data.endswith(SIGNATURE_MAGIC):
        rest = file.data[: -len(SIGNATURE_MAGIC)]
        if len(rest) <= 12 or struct.unpack(">I", rest[-4:])[0] >= len(rest) - 12:
            yield Finding(
                check="signature",
                errno=errno.EBADMSG,
                evidence="the signature's length does not fit in the file",
                remedy=_DAMAGED,
            )
            return
        if rest[-10] != PKCS7:
            text = "module: not signed with expected PKCS#7 message"
            yield Finding(check="signature", log=(LogLine(3, text),), evidence=text)
        elif any(rest[-12:-10]) or any(rest[-9:-4]):
            text = "module: PKCS#7 signature info has unexpected non-zero params"
            yield _refusal("signature", text, errno.EBADMSG)
        else:
            signed = True
    if not signed and file.kernel.signatures_enforced:
        yield Finding(
            check="signature",
            errno=errno.EKEYREJECTED,
            log=(LogLine(5, "Loading of unsigned module is rejected"),),
            evidence="the kernel takes signed modules only (module.sig_enforce)",
            remedy="sign the module, or boot without module.sig_enforce",
        )


def _elf_header(file: _File) -> Iterator[Finding]:
    if len(file.data) < _HEADER_BYTES[file.kernel.is_64bit]:
        yield _refusal("elf", f"Invalid ELF header len {len(file.data)}")
        return
    header = file.header()
    if file.data[:4] != b"\x7fELF":
        yield _refusal("elf", "Invalid ELF header magic: != \\x7fELF")
    if header.type != ET_REL:
        yield _refusal("elf", f"Invalid ELF header type: {header.type} != {ET_REL}")
    if header.machine != file.kernel.machine:
        yield _refusal(
            "machine",
            f"Invalid architecture in ELF header: {header.machine}",
            remedy="take the module built for this kernel's processor",
        )
    size = _SECTION_BYTES[file.kernel.is_64bit]
    if header.section_size != size:
        yield _refusal("elf", "Invalid ELF section header size")
    room = len(file.data) - header.sections_at
    if room <= 0 or header.section_count * size > room:
        yield _refusal("elf", "Invalid ELF section header overflow")


def _section_names(file: _File) -> Iterator[Finding]:
    header = file.header()
    index, count = header.names_index, header.section_count
    if not 0 < index < count:
        text = (
            f"Invalid ELF section name index: {index} || e_shstrndx ({index}) >= e_shnum ({count})"
        )
        yield _refusal("elf", text)
        return
    names = file.sections()[index]
    if names[4] + names[5] > len(file.data):
        yield _refusal("elf", f"Invalid ELF section hdr(type {names[1]})")
    elif not names[5]:
        yield _refusal("elf", "empty section name table")
    elif file.data[names[4] + names[5] - 1]:
        yield _refusal("elf", "ELF Spec violation: section name table isn't null terminated")


def _sections(file: _File) -> Iterator[Finding]:
    headers = file.sections()
    names_size = headers[file.header().names_index][5]
    _name, kind, _flags, address, _offset, size = headers[0][:6]
    if kind != SHT_NULL or size or address:
        yield _refusal(
            "elf",
            f"ELF Spec violation: section 0 type({kind})!=SH_NULL or non-zero len or addr",
        )
    for number, (name, kind, flags, _address, offset, size, link, *_rest) in enumerate(headers):
        if not number or kind in {SHT_NULL, SHT_NOBITS}:
            continue
        if kind == SHT_SYMTAB and not 0 < link < len(headers):
            yield _refusal(
                "elf",
                f"Invalid ELF sh_link!=SHN_UNDEF({link}) or (sh_link({link}) >= "
                f"hdr->e_shnum({len(headers)})",
            )
        if offset + size > len(file.data):
            yield _refusal("elf", f"Invalid ELF section in module (section {number} type {kind})")
        if flags & 2 and name >= names_size:
            yield _refusal(
                "elf", f"Invalid ELF section name in module (section {number} type {kind})"
            )


def _module_parts(file: _File) -> Iterator[Finding]:
    """Find the symbol table and struct module, among the sections that take memory."""
    try:
        elf = ElfFile.from_bytes(as_native(file.data, file.kernel), what="module")
        info = find_section(elf, ".modinfo")
        entries = dict(reversed(parse_modinfo(b"" if info is None else elf.contents(info))))
        this_module = find_section(elf, THIS_MODULE)
    except FormatError as error:
        yield Finding(check="elf", errno=errno.ENOEXEC, evidence=str(error), remedy=_DAMAGED)
        return
    name = entries.get("name", "(missing .modinfo section or name field)")
    if file.kernel.version >= STRUCT_CHECKED:
        yield from _struct_checked(elf, name, file.kernel)
    if all(section.type != SHT_SYMTAB for section in elf.sections):
        text = f"{name}: module has no symbols (stripped?)"
        yield _refusal("no-symbols", text, level=4, remedy=_STRIPPED)
    if this_module is None:
        yield _refusal("no-module", f"{name}: No module found in object", level=4, remedy=_STRIPPED)


def _struct_checked(elf: ElfFile, name: str, kernel: KernelFacts) -> Iterator[Finding]:
    """Do what Linux does from 6.4 on: one struct module, as large as the kernel's."""
    found = [section for section in elf.sections[1:] if section.name == THIS_MODULE]
    if len(found) != 1:
        text = f"module {name}: Only one {THIS_MODULE} section must exist."
        yield _refusal("no-module", text, remedy=_STRIPPED)
    elif struct_differs(found[0], kernel):
        text = (
            f"module {name}: {THIS_MODULE} section size must match the kernel's built struct "
            "module size at run time"
        )
        evidence = (
            f"struct module has {found[0].size} bytes in the file, {kernel.struct_module_size} in "
            "the kernel"
        )
        yield Finding(
            check="struct-size",
            errno=errno.ENOEXEC,
            log=(LogLine(3, text),),
            evidence=evidence,
            remedy="take the module file built for exactly this kernel",
        )


def struct_differs(this_module: Section, kernel: KernelFacts) -> bool:
    """Tell whether struct module has another size in the file than in the kernel."""
    return kernel.struct_module_size not in {None, this_module.size}


def _refusal(
    check: str, text: str, number: int = errno.ENOEXEC, *, level: int = 3, remedy: str = _DAMAGED
) -> Finding:
    return Finding(
        check=check, errno=number, log=(LogLine(level, text),), evidence=text, remedy=remedy
    )


ELF_CHECKS: tuple[Callable[[_File], Iterator[Finding]], ...] = (
    _allowed,
    _length,
    _signature,
    _elf_header,
    _section_names,
    _sections,
    _module_parts,
)
