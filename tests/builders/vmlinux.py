"""Build small kernel images: the kernel, and everything that one may be wrapped in.

Written from the formats' descriptions, apart from the product's readers.
"""

from __future__ import annotations

import bz2
import lzma
import struct
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

RELEASE = "6.1.0-test"
BANNER = (
    f"Linux version {RELEASE} (builder@example.org) (gcc 12, ld 2.40) #1 SMP Mon Jan 1 00:00:00 UTC"
)
VERMAGIC = f"{RELEASE} SMP preempt mod_unload modversions "
BASE = 0xFFFFFFFF81000000
COMPRESSIONS = ("gzip", "xz", "lzma", "bzip2", "zstd", "lz4")


@dataclass(frozen=True)
class AKernelExport:
    name: str
    crc: int = 0x12345678
    gpl_only: bool = False
    namespace: str = ""
    address: int = BASE + 0x10


EXPORTS = (
    AKernelExport("module_layout", 0xAAAA0001),
    AKernelExport("printk", 0xAAAA0002, address=BASE + 0x20),
    AKernelExport("crypto_hidden", 0xAAAA0003, gpl_only=True, namespace="CRYPTO"),
)


class _Parts:
    """The sections of a kernel, one after the other, each at a multiple of 16."""

    def __init__(self, base: int, start: int, order: str, word: str) -> None:
        self.base, self.start, self.order, self.word = base, start, order, word
        self.sections: list[tuple[str, bytes]] = []
        self.end = start

    def next_address(self) -> int:
        return self.base + self.end + -self.end % 16

    def add(self, name: str, data: bytes) -> int:
        """Add a section and return its address."""
        address = self.next_address()
        self.sections.append((name, data))
        self.end = address - self.base + len(data)
        return address

    def add_numbers(self, name: str, code: str, numbers: Sequence[int]) -> int:
        return self.add(name, struct.pack(f"{self.order}{len(numbers)}{code}", *numbers))


def an_elf_kernel(
    *,
    exports: Sequence[AKernelExport] = EXPORTS,
    layout: str = "relative",
    namespaces: bool = True,
    crcs: str = "u32",
    flagstab: bool = False,
    text: bytes = b"",
    sections: Sequence[tuple[str, bytes]] = (),
    bits: int = 64,
    order: str = "<",
    machine: int = 62,
    file_type: int = 2,
    banner: str = BANNER + "\n",
) -> bytes:
    """Lay out a vmlinux: header, one PT_LOAD over all that is allocated, section table.

    .text holds the banner, the vermagic and *text*. *layout* is ``relative`` or ``absolute``;
    *crcs* ``u32``, ``word``, ``relative``, or empty for a kernel without modversions.
    """
    start, base, word = (120, BASE, "Q") if bits == 64 else (84, 0xC1000000, "I")
    parts = _Parts(base, start, order, word)
    code = banner.encode() + b"\0" * 3 + VERMAGIC.encode() + b"\0"
    parts.add(".text", code + bytes(-len(code) % 16) + text)
    for name, data in sections:
        parts.add(name, data)
    if exports:
        _add_exports(parts, exports, layout, 3 if namespaces else 2, crcs, flagstab)
    return _laid_out(parts, bits, machine, file_type)


def _add_exports(
    parts: _Parts,
    exports: Sequence[AKernelExport],
    layout: str,
    fields: int,
    crcs: str,
    flagstab: bool,
) -> None:
    strings = b""
    offsets: dict[str, int] = {}
    for text in [text for export in exports for text in (export.name, export.namespace)]:
        if text not in offsets:
            offsets[text] = len(strings)
            strings += text.encode() + b"\0"
    named = parts.add("__ksymtab_strings", strings)
    for suffix in ("", "_gpl"):
        group = [e for e in exports if (flagstab and not suffix) or e.gpl_only == bool(suffix)]
        if not group or (flagstab and suffix):
            continue
        targets = [
            target
            for e in group
            for target in (
                e.address - BASE + parts.base,
                named + offsets[e.name],
                named + offsets[e.namespace],
            )[:fields]
        ]
        if layout == "relative":
            at = parts.next_address()
            steps = [target - at - 4 * index for index, target in enumerate(targets)]
            parts.add_numbers(f"__ksymtab{suffix}", "i", steps)
        else:
            parts.add_numbers(f"__ksymtab{suffix}", parts.word, targets)
        _add_crcs(parts, suffix, [e.crc for e in group], crcs)
        if flagstab:
            parts.add("__kflagstab", bytes([e.gpl_only for e in group]))


def _add_crcs(parts: _Parts, suffix: str, numbers: Sequence[int], crcs: str) -> None:
    name = f"__kcrctab{suffix}"
    if crcs == "relative":
        pool = parts.add_numbers(f".rodata.crcs{suffix}", "I", numbers)
        parts.add_numbers(name, "i", [pool - parts.next_address()] * len(numbers))
    elif crcs:
        parts.add_numbers(name, parts.word if crcs == "word" else "I", numbers)


def _laid_out(parts: _Parts, bits: int, machine: int, file_type: int) -> bytes:
    wide, order, base, start = bits == 64, parts.order, parts.base, parts.start
    body = bytearray(start)
    rows = [(0, 0, 0, 0, 0)]
    names = bytearray(b"\0")
    for name, data in parts.sections:
        body += bytes(-len(body) % 16)
        rows.append((len(names), 1, 2, len(body), len(data)))
        names += name.encode() + b"\0"
        body += data
    end = len(body)
    rows.append((len(names), 3, 0, end, len(names) + len(b".shstrtab\0")))
    names += b".shstrtab\0"
    body += names
    body += bytes(-len(body) % 8)
    table = len(body)
    code = order + ("IIQQQQIIQQ" if wide else "10I")
    for name_at, kind, flags, offset, size in rows:
        address = base + offset if flags else 0
        body += struct.pack(code, name_at, kind, flags, address, offset, size, 0, 0, 16, 0)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    header_size, entry_size = (64, 56) if wide else (52, 32)
    head = struct.pack(
        order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"),
        *(file_type, machine, 1, base, header_size, table, 0),
        *(header_size, entry_size, 1, 64 if wide else 40, len(rows), len(rows) - 1),
    )
    load = (
        struct.pack(order + "IIQQQQQQ", 1, 5, 0, base, base, end, end + 64, 4096)
        if wide
        else struct.pack(order + "8I", 1, 0, base, base, end, end + 64, 5, 4096)
    )
    body[:start] = ident + head + load
    return bytes(body)


def a_raw_image(content: bytes = b"", *, machine: str = "arm64") -> bytes:
    """Lay out an arm64 or riscv Image: 64 bytes of header, the banner, *content*."""
    magic = {"arm64": b"ARM\x64", "riscv": b"RSC\x05"}[machine]
    header = bytes(0x38) + magic + bytes(4)
    return header + BANNER.encode() + b"\n\0" + content


def packed(data: bytes, compression: str) -> bytes:
    """Compress *data* as a kernel's build does, without the size word."""
    if compression == "gzip":
        compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
        return compressor.compress(data) + compressor.flush()
    if compression == "xz":
        filters = [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
        return lzma.compress(data, lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=filters)
    if compression == "lzma":
        return lzma.compress(data, lzma.FORMAT_ALONE)
    if compression == "bzip2":
        return bz2.compress(data)
    if compression == "zstd":
        return zstd.compress(data, 19)
    return lz4_legacy(data)


def with_size_word(data: bytes, compression: str) -> bytes:
    """Compress *data* and append its size, unless the format ends in it itself, as gzip."""
    word = b"" if compression == "gzip" else struct.pack("<I", len(data))
    return packed(data, compression) + word


def lz4_legacy(data: bytes, block_size: int = 8 << 20) -> bytes:
    """Compress *data* into an LZ4 legacy frame, simply: no match is ever looked for twice."""
    frame = b"\x02\x21\x4c\x18"
    for start in range(0, len(data), block_size):
        block = _lz4_block(data[start : start + block_size])
        frame += struct.pack("<I", len(block)) + block
    return frame


def _lz4_block(data: bytes) -> bytes:
    out = bytearray()
    seen: dict[bytes, int] = {}
    at = literals_from = 0
    while at < len(data) - 12:
        key = data[at : at + 4]
        before = seen.get(key, -1)
        seen[key] = at
        if before < 0 or at - before > 0xFFFF:
            at += 1
            continue
        size = 4
        while at + size < len(data) - 5 and data[at + size] == data[before + size]:
            size += 1
        out += _lz4_sequence(data[literals_from:at], at - before, size)
        at += size
        literals_from = at
    return bytes(out + _lz4_sequence(data[literals_from:], 0, 0))


def _lz4_sequence(literals: bytes, back: int, size: int) -> bytes:
    rest = size - 4 if back else 0
    token = bytes([min(len(literals), 15) << 4 | min(rest, 15)])
    out = token + _lz4_more(len(literals)) + literals
    return out + (struct.pack("<H", back) + _lz4_more(rest) if back else b"")


def _lz4_more(number: int) -> bytes:
    return bytes([255] * ((number - 15) // 255) + [(number - 15) % 255]) if number >= 15 else b""


def a_bzimage(payload: bytes, *, version: int = 0x20F, setup_sectors: int = 1) -> bytes:
    """Wrap *payload*, already compressed, as the x86 boot protocol says."""
    setup = bytearray((setup_sectors + 1) * 512)
    setup[0x1F1] = setup_sectors
    setup[0x1FE:0x200] = b"\x55\xaa"
    setup[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", setup, 0x206, version)
    struct.pack_into("<II", setup, 0x248, 32, len(payload))
    return bytes(setup) + bytes(32) + payload + b"what a signer appends"


def a_pe(sections: Sequence[tuple[bytes, bytes]], *, machine: int = 0x8664) -> bytes:
    """Lay out a PE file, such as a UKI, with these sections, padded to 512 bytes in the file."""
    header = 0x80
    optional = 240
    head = b"MZ" + bytes(0x3A) + struct.pack("<I", header) + bytes(header - 0x40)
    head += b"PE\0\0" + struct.pack("<HHIIIHH", machine, len(sections), 0, 0, 0, optional, 0x22)
    head += bytes(optional)
    at = len(head) + 40 * len(sections)
    at += -at % 512
    body, table = b"", b""
    for name, data in sections:
        size = len(data) + -len(data) % 512
        table += (
            name.ljust(8, b"\0") + struct.pack("<IIII", len(data), 0x1000, size, at) + bytes(16)
        )
        body += data.ljust(size, b"\0")
        at += size
    head += table
    return head + bytes(-len(head) % 512) + body


def a_zboot(payload: bytes, kind: str) -> bytes:
    """Wrap *payload*, already compressed, with its size word, as an EFI zboot image does."""
    word = 0 if kind == "gzip" else 4
    head = b"MZ\0\0zimg" + struct.pack("<IIII", 128, len(payload) - word, 0, 0)
    head += kind.encode().ljust(32, b"\0") + struct.pack("<II", 0x818223CD, 64)
    return (
        head + b"PE\0\0" + struct.pack("<HHIIIHH", 0xAA64, 0, 0, 0, 0, 0, 0) + bytes(40) + payload
    )


def a_btf(
    structs: Sequence[tuple[str, int]] = (("task_struct", 9792), ("module", 896)),
    *,
    order: str = "<",
    extra: bytes = b"",
) -> bytes:
    """Lay out BTF: an int, a pointer to it, a struct with one member for each of *structs*."""
    strings = b"\0int\0member\0"
    types = struct.pack(order + "IIII", 1, 1 << 24, 4, 32)
    types += struct.pack(order + "III", 0, 2 << 24, 1)
    for name, size in structs:
        types += struct.pack(order + "III", len(strings), 4 << 24 | 1, size)
        types += struct.pack(order + "III", 5, 1, 0)
        strings += name.encode() + b"\0"
    types += extra
    head = struct.pack(
        order + "HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings)
    )
    return head + types + strings


def der(tag: int, *contents: bytes) -> bytes:
    """Encode one DER element."""
    data = b"".join(contents)
    size = len(data)
    if size < 0x80:
        return bytes([tag, size]) + data
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + data


def a_certificate(
    name: str = "Test key", serial: int = 0x66F5, *, key_id: bytes = b"\1\2\3\4", version: int = 3
) -> bytes:
    """Lay out an X.509 certificate; its key and its signature are nonsense."""
    algorithm = der(0x30, der(0x06, bytes.fromhex("2a864886f70d01010b")), der(5))
    common = der(0x30, der(0x06, b"\x55\x04\x03"), der(0x0C, name.encode()))
    subject = der(0x30, der(0x31, common))
    number = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
    identifier = der(0x30, der(0x06, b"\x55\x1d\x0e"), der(4, der(4, key_id)))
    fields = [
        der(0xA0, der(2, b"\2")) if version == 3 else b"",
        der(2, number),
        algorithm,
        subject,
        der(0x30),
        subject,
        der(0x30, algorithm, der(3, bytes(260))),
        der(0xA3, der(0x30, identifier)) if version == 3 else b"",
    ]
    return der(0x30, der(0x30, *fields), algorithm, der(3, bytes(64)))


def a_certificate_list(
    certificates: Sequence[bytes], *, order: str = "<", word: int = 8, align: int = 8
) -> bytes:
    """Lay out the list with its two words, to be put at a multiple of *align*."""
    whole = b"".join(certificates)
    kind = order + ("Q" if word == 8 else "I")
    data = whole + bytes(-len(whole) % align)
    first = len(certificates[0]) if certificates else 0
    data += struct.pack(kind, len(whole)).ljust(align, b"\0") + struct.pack(kind, first)
    return data
