"""Build small, valid ELF relocatable files and kernel modules; a test then breaks one thing.

Written from the ELF specification, apart from the product's reader, so that the two check
each other; binutils and kmod check both in the oracle tests.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_RELA, SHT_NOTE, SHT_NOBITS, SHT_REL = 1, 2, 3, 4, 7, 8, 9
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR = 1, 2, 4
SHN_UNDEF, SHN_ABS = 0, 0xFFF1
LOCAL, GLOBAL, WEAK = 0, 1, 2
NOTYPE, OBJECT, FUNC = 0, 1, 2
EM_X86_64, EM_AARCH64, EM_PPC, EM_S390 = 62, 183, 20, 22


@dataclass(frozen=True)
class ASection:
    name: str
    data: bytes = b""
    type: int = SHT_PROGBITS
    flags: int = SHF_ALLOC
    align: int = 1
    link: str = ""  # name of another section
    info: int | str = 0  # a number, or name of another section
    entsize: int = 0
    size: int | None = None  # for SHT_NOBITS


@dataclass(frozen=True)
class ASymbol:
    name: str
    section: str | int = SHN_UNDEF  # a section's name, or SHN_UNDEF / SHN_ABS
    value: int = 0
    size: int = 0
    bind: int = GLOBAL
    type: int = NOTYPE


@dataclass(frozen=True)
class ARelocation:
    offset: int
    symbol: str | int  # a name, or an index, which need not be there
    type: int = 1
    addend: int = 0


def an_elf(
    sections: Sequence[ASection] = (),
    symbols: Sequence[ASymbol] = (),
    relocations: Mapping[str, Sequence[ARelocation]] | None = None,
    *,
    bits: int = 64,
    order: str = "<",
    machine: int = EM_X86_64,
    file_type: int = 1,
) -> bytes:
    """Lay out an ET_REL file: the sections given, then .rela.X, .symtab, .strtab, .shstrtab.

    Symbols keep their order (local ones must come first). Nothing is stripped or merged.
    """
    wide = bits == 64
    every = list(sections)
    numbers = {section.name: index for index, section in reversed(list(enumerate(every, 1)))}
    symbol_numbers = {symbol.name: index for index, symbol in enumerate(symbols, 1)}
    for target, entries in (relocations or {}).items():
        packed = b"".join(
            struct.pack(
                order + ("QQq" if wide else "IIi"),
                entry.offset,
                (_index(entry.symbol, symbol_numbers) << (32 if wide else 8)) | entry.type,
                entry.addend,
            )
            for entry in entries
        )
        every.append(
            ASection(
                f".rela{target}",
                packed,
                SHT_RELA,
                flags=0x40,
                align=8 if wide else 4,
                link=".symtab",
                info=target,
                entsize=24 if wide else 12,
            )
        )
    strings, offsets = _strings([symbol.name for symbol in symbols])
    table = bytes(24 if wide else 16)
    for symbol in symbols:
        where = symbol.section if isinstance(symbol.section, int) else numbers[symbol.section]
        info = symbol.bind << 4 | symbol.type
        name = offsets[symbol.name]
        if wide:
            table += struct.pack(order + "IBBHQQ", name, info, 0, where, symbol.value, symbol.size)
        else:
            table += struct.pack(order + "IIIBBH", name, symbol.value, symbol.size, info, 0, where)
    local = sum(1 for symbol in symbols if symbol.bind == LOCAL) + 1
    every.append(
        ASection(
            ".symtab",
            table,
            SHT_SYMTAB,
            0,
            align=8 if wide else 4,
            link=".strtab",
            info=local,
            entsize=24 if wide else 16,
        )
    )
    every.append(ASection(".strtab", strings, SHT_STRTAB, 0))
    names, name_offsets = _strings([*(section.name for section in every), ".shstrtab"])
    every.append(ASection(".shstrtab", names, SHT_STRTAB, 0))
    numbers = {section.name: index for index, section in reversed(list(enumerate(every, 1)))}
    header_size = 64 if wide else 52
    body = bytearray(header_size)
    headers = [bytes(64 if wide else 40)]
    for section in every:
        body += bytes(-len(body) % section.align)
        info = numbers[section.info] if isinstance(section.info, str) else section.info
        headers.append(
            struct.pack(
                order + ("IIQQQQIIQQ" if wide else "IIIIIIIIII"),
                name_offsets[section.name],
                section.type,
                section.flags,
                0,
                len(body),
                len(section.data) if section.size is None else section.size,
                numbers[section.link] if section.link else 0,
                info,
                section.align,
                section.entsize,
            )
        )
        body += section.data
    body += bytes(-len(body) % 8)
    identity = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    header = identity + struct.pack(
        order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"),
        file_type,
        machine,
        1,
        0,
        0,
        len(body),
        0,
        header_size,
        0,
        0,
        64 if wide else 40,
        len(every) + 1,
        len(every),
    )
    body[:header_size] = header
    return bytes(body) + b"".join(headers)


def _index(symbol: str | int, numbers: Mapping[str, int]) -> int:
    return symbol if isinstance(symbol, int) else numbers[symbol]


@dataclass(frozen=True, kw_only=True)
class AnExport:
    name: str
    crc: int | None = None
    gpl_only: bool = False
    namespace: str = ""


@dataclass(frozen=True, kw_only=True)
class AModule:
    """What ``a_module`` puts into a file; every field may be changed by a test."""

    name: str = "tiny"
    modinfo: Sequence[str | bytes] = ()
    exports: Sequence[AnExport] = ()
    imports: Sequence[str] = ()
    weak_imports: Sequence[str] = ()
    versions: Mapping[str, int] | None = None  # symbol -> CRC: makes __versions
    extra: Sequence[ASection] = field(default_factory=tuple)
    extra_symbols: Sequence[ASymbol] = field(default_factory=tuple)
    extra_relocations: Mapping[str, Sequence[ARelocation]] = field(default_factory=dict)
    bits: int = 64
    order: str = "<"
    machine: int = EM_X86_64
    vermagic: str | None = "6.1.0-test SMP preempt mod_unload modversions "
    license: str | None = "GPL"
    depends: str | None = ""
    init: bool = True
    exit: bool = True


def a_module(**parts: object) -> bytes:
    """Build a kernel module; the keywords are AModule's fields.

    Exports are written as kernels from 5.4 on write them on x86-64: ``__ksymtab`` and
    ``__ksymtab_gpl`` with 12-byte relative entries and their relocations, ``__ksymtab_strings``,
    ``__kcrctab`` as data, and ``__crc_``, ``__kstrtab_`` and ``__kstrtabns_`` symbols.
    """
    spec = AModule(**parts)  # type: ignore[arg-type]  # the keywords are AModule's own
    wide = spec.bits == 64
    word = 8 if wide else 4
    this_module = bytearray(896)
    start = 24 if wide else 12
    this_module[start : start + len(spec.name)] = spec.name.encode()
    sections = [
        ASection(".text", b"\xc3" * 16, flags=SHF_ALLOC | SHF_EXECINSTR, align=16),
        ASection(".init.text", b"\xc3" * 16, flags=SHF_ALLOC | SHF_EXECINSTR, align=16),
        ASection(".exit.text", b"\xc3" * 16, flags=SHF_ALLOC | SHF_EXECINSTR, align=16),
        ASection(".modinfo", _modinfo(spec)),
        ASection(
            ".gnu.linkonce.this_module", bytes(this_module), flags=SHF_ALLOC | SHF_WRITE, align=64
        ),
    ]
    symbols: list[ASymbol] = [ASymbol("__this_module", ".gnu.linkonce.this_module", 0, 896)]
    if spec.init:
        symbols.append(ASymbol("init_module", ".init.text", type=FUNC))
    if spec.exit:
        symbols.append(ASymbol("cleanup_module", ".exit.text", type=FUNC))
    relocations: dict[str, list[ARelocation]] = {}
    if spec.exports:
        _add_exports(spec, sections, symbols, relocations)
    if spec.versions is not None:
        record = 64 - word
        sections.append(
            ASection(
                "__versions",
                b"".join(
                    struct.pack(f"{spec.order}{'Q' if wide else 'I'}{record}s", crc, name.encode())
                    for name, crc in spec.versions.items()
                ),
                align=32,
            )
        )
    symbols += [ASymbol(name) for name in spec.imports]
    symbols += [ASymbol(name, bind=WEAK) for name in spec.weak_imports]
    return an_elf(
        [*sections, *spec.extra],
        [*symbols, *spec.extra_symbols],
        {**relocations, **spec.extra_relocations},
        bits=spec.bits,
        order=spec.order,
        machine=spec.machine,
    )


def _modinfo(spec: AModule) -> bytes:
    entries = [entry.encode() if isinstance(entry, str) else entry for entry in spec.modinfo]
    if spec.license is not None:
        entries.append(f"license={spec.license}".encode())
    if spec.depends is not None:
        entries.append(f"depends={spec.depends}".encode())
    entries.append(f"name={spec.name}".encode())
    if spec.vermagic is not None:
        entries.append(f"vermagic={spec.vermagic}".encode())
    return b"".join(entry + b"\0" for entry in entries)


def _add_exports(
    spec: AModule,
    sections: list[ASection],
    symbols: list[ASymbol],
    relocations: dict[str, list[ARelocation]],
) -> None:
    strings = bytearray()
    for gpl_only, suffix in ((False, ""), (True, "_gpl")):
        chosen = [export for export in spec.exports if export.gpl_only == gpl_only]
        if not chosen:
            continue
        table = f"__ksymtab{suffix}"
        crcs = b""
        for number, export in enumerate(chosen):
            symbols.append(ASymbol(export.name, ".text", type=FUNC))
            symbols.append(ASymbol(f"__kstrtab_{export.name}", "__ksymtab_strings", len(strings)))
            strings += export.name.encode() + b"\0"
            symbols.append(ASymbol(f"__kstrtabns_{export.name}", "__ksymtab_strings", len(strings)))
            strings += export.namespace.encode() + b"\0"
            symbols.append(ASymbol(f"__ksymtab_{export.name}", table, 12 * number))
            targets = (export.name, f"__kstrtab_{export.name}", f"__kstrtabns_{export.name}")
            relocations.setdefault(table, []).extend(
                ARelocation(12 * number + 4 * part, target, type=2)
                for part, target in enumerate(targets)
            )
            if export.crc is not None:
                symbols.append(ASymbol(f"__crc_{export.name}", f"__kcrctab{suffix}", len(crcs)))
                crcs += struct.pack(spec.order + "I", export.crc)
        sections.append(ASection(table, bytes(12 * len(chosen)), align=4))
        if crcs:
            sections.append(ASection(f"__kcrctab{suffix}", crcs, align=4))
    sections.append(ASection("__ksymtab_strings", bytes(strings), flags=0x32))


def _strings(names: Sequence[str]) -> tuple[bytes, dict[str, int]]:
    table = bytearray(b"\0")
    offsets = {"": 0}
    for name in names:
        if name not in offsets:
            offsets[name] = len(table)
            table += name.encode() + b"\0"
    return bytes(table), offsets
