"""Modules with export tables in all the layouts that kernels have had, and signatures."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from lkm.elf.constants import SHT_REL
from tests.builders.elf import (
    FUNC,
    SHN_ABS,
    AnExport,
    ARelocation,
    ASection,
    ASymbol,
    an_elf,
)

STRINGS = "__ksymtab_strings"
MAGIC = b"~Module signature appended~\n"


def an_exporter(
    exports: Sequence[AnExport],
    *,
    bits: int = 64,
    order: str = "<",
    relative: bool = False,
    namespaces: bool = True,
    table: str = "__ksymtab",
    crcs: str = "absolute",
    stripped: bool = False,
    flags: bytes | None = None,
) -> bytes:
    """Build a module with one export table.

    *relative* makes 4-byte fields, else they are words; *namespaces* adds the third field, which
    has no relocation where there is no namespace. *crcs* is ``absolute`` (symbols), ``data``
    (symbols that point into ``__kcrctab``) or empty. *stripped* leaves no symbol but what the
    relocations need, which then point at sections.
    """
    field = 4 if relative else bits // 8
    entry = field * (3 if namespaces else 2)
    crc_table = table.replace("__ksymtab", "__kcrctab")
    strings = bytearray(b"before\0")
    symbols = [ASymbol("", STRINGS, type=3, bind=0)]
    relocations: list[ARelocation] = []
    numbers = b""
    for index, export in enumerate(exports):
        symbols.append(ASymbol(export.name, ".text", 16 * index, type=FUNC))
        relocations.append(ARelocation(entry * index, export.name))
        texts = [export.name, export.namespace] if namespaces else [export.name]
        for number, text in enumerate(texts, 1):
            if text:
                relocations.append(ARelocation(entry * index + field * number, "", 1, len(strings)))
            strings += text.encode() + b"\0"
        if not stripped:
            symbols.append(ASymbol(f"__ksymtab_{export.name}", table, entry * index))
        if export.crc is not None:
            if crcs == "absolute":
                symbols.append(ASymbol(f"__crc_{export.name}", SHN_ABS, export.crc))
            elif crcs == "data" and not stripped:
                symbols.append(ASymbol(f"__crc_{export.name}", crc_table, 4 * index))
        numbers += struct.pack(order + "I", export.crc or 0)
    sections = [
        ASection(".text", bytes(16 * len(exports))),
        ASection(table, bytes(entry * len(exports))),
        ASection(STRINGS, bytes(strings)),
    ]
    if crcs == "data":
        sections.append(ASection(crc_table, numbers))
    if flags is not None:
        sections.append(ASection("__kflagstab", flags))
    return an_elf(sections, symbols, {table: relocations}, bits=bits, order=order)


def an_i386_exporter(exports: Sequence[AnExport]) -> bytes:
    """Build a 32-bit module whose relocations have their addends in place, as on i386 and ARM."""
    strings, places, table, symbols = b"", b"", b"", [ASymbol("", STRINGS, type=3, bind=0)]
    for index, export in enumerate(exports):
        symbols.append(ASymbol(export.name, ".text", 16 * index, type=FUNC))
        symbols.append(ASymbol(f"__crc_{export.name}", SHN_ABS, export.crc or 0))
        places += struct.pack("<II", 8 * index, (2 + 2 * index) << 8 | 1)
        places += struct.pack("<II", 8 * index + 4, 1 << 8 | 1)
        table += struct.pack("<II", 0, len(strings))
        strings += export.name.encode() + b"\0"
    return an_elf(
        [
            ASection(".text", bytes(16 * len(exports))),
            ASection("__ksymtab", table),
            ASection(STRINGS, strings),
            ASection(".rel__ksymtab", places, SHT_REL, link=".symtab", info="__ksymtab", entsize=8),
        ],
        symbols,
        bits=32,
        machine=3,
    )


def a_record(
    *,
    algorithm: int = 0,
    digest: int = 0,
    id_type: int = 2,
    name: bytes = b"",
    key: bytes = b"",
    signature: bytes = b"",
    claimed: int | None = None,
) -> bytes:
    """Return what sign-file appends to a module."""
    size = len(signature) if claimed is None else claimed
    record = struct.pack(">5B3xI", algorithm, digest, id_type, len(name), len(key), size)
    return name + key + signature + record + MAGIC


def der(tag: int, *parts: bytes) -> bytes:
    """Encode one DER element."""
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


COMMON_NAME, ORGANIZATION = b"\x55\x04\x03", b"\x55\x04\x0a"
SHA256 = bytes.fromhex("608648016503040201")
_RSA = bytes.fromhex("2a864886f70d010101")
_DATA, _SIGNED_DATA = bytes.fromhex("2a864886f70d010701"), bytes.fromhex("2a864886f70d010702")


def a_name(*attributes: tuple[bytes, bytes]) -> bytes:
    """Encode a distinguished name of (object identifier, text)."""
    sets = [der(0x31, der(0x30, der(6, kind), der(12, text))) for kind, text in attributes]
    return der(0x30, *sets)


def a_pkcs7(
    *,
    issuer: bytes | None = None,
    serial: bytes = b"\x12\x34",
    digest: bytes = SHA256,
    signature: bytes = b"\xab" * 30,
    attributes: bytes = b"",
    identity: bytes | None = None,
) -> bytes:
    """Encode signed data with one signer, as sign-file does."""
    name = (
        a_name((ORGANIZATION, b"Makers"), (COMMON_NAME, b"The key")) if issuer is None else issuer
    )
    algorithm = der(0x30, der(6, digest), der(5))
    signer = der(
        0x30,
        der(2, b"\x01"),
        der(0x30, name, der(2, serial)) if identity is None else identity,
        algorithm,
        attributes,
        der(0x30, der(6, _RSA), der(5)),
        der(4, signature),
    )
    signed = der(
        0x30,
        der(2, b"\x01"),
        der(0x31, algorithm),
        der(0x30, der(6, _DATA)),
        der(0x31, signer),
    )
    return der(0x30, der(6, _SIGNED_DATA), der(0xA0, signed))
