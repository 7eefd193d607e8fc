r"""Unwrap a kernel image: what a boot loader takes, down to the kernel itself.

    bzImage     55 aa at 0x1fe, "HdrS" at 0x202, u16 version at 0x206; since version 2.08 the u32
                at 0x248 and 0x24c are offset and size of the payload, counted from the end of the
                setup code, which is u8 at 0x1f1 (0 means 4) + 1 sectors of 512 bytes
    zboot       "MZ", "zimg" at 4, u32 offset at 8 and size at 12 of the payload, its kind at 24
    UKI         a PE file with a section ".linux"
    Image       "ARM\x64" at 0x38 (arm64), or "RSC\x05" at 0x38 (riscv): the kernel as it lies in
                memory, without any section
    payload     gzip, xz, lzma, bzip2, zstd or LZ4's legacy frames. All but gzip's is followed by
                a u32, its unpacked size: a boot loader cannot ask xz.

Any of these may be wrapped in another; the innermost is an ELF file, or an Image.

Source: Documentation/x86/boot.rst; scripts/Makefile.lib, size_append;
drivers/firmware/efi/libstub/zboot-header.S; arch/arm64/kernel/head.S; arch/riscv/kernel/head.S;
the PE format; systemd-stub(7).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lkm.elf.constants import (
    EM_386,
    EM_AARCH64,
    EM_ARM,
    EM_LOONGARCH,
    EM_RISCV,
    EM_X86_64,
    ET_REL,
    MAGIC,
)
from lkm.elf.file import ElfFile
from lkm.errors import FormatError
from lkm.vmlinux.compression import detect, unpack_payload

Kind = Literal["elf", "raw"]

# What a kernel may grow to, wrapper in wrapper. Debian's grows to eight times its xz form; a file
# of some kilobytes that claims gigabytes is an attack.
SIZE_BASE = 64 << 20
SIZE_FACTOR = 16

_WHAT = "kernel image"
_MOST_WRAPPERS = 6
_BANNER = b"Linux version "
_SECTOR = 512
_PAYLOAD_SINCE = 0x208  # version of the boot protocol
_MOST_PE_SECTIONS = 96  # Windows' own limit

# Source: the PE format, "Machine Types".
_PE_MACHINES = {
    0x014C: EM_386,
    0x01C0: EM_ARM,
    0x01C2: EM_ARM,
    0x01C4: EM_ARM,
    0x5032: EM_RISCV,
    0x5064: EM_RISCV,
    0x6232: EM_LOONGARCH,
    0x6264: EM_LOONGARCH,
    0x8664: EM_X86_64,
    0xAA64: EM_AARCH64,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """A kernel, unwrapped.

    *kind* is ``elf`` for an ELF file, ``raw`` for the kernel as it lies in memory. *machine* is
    the ELF number, None where nothing tells it. *wrappers* are what it was in, outermost first,
    such as ``("bzImage", "xz")``. Bytes after an ELF file's end (an x86 payload has relocations
    there) stay.
    """

    kind: Kind
    data: bytes
    machine: int | None
    wrappers: tuple[str, ...]


def unpack(data: bytes) -> Payload:
    """Return the kernel in *data*.

    Raises ``FormatError`` for what is no kernel image, for one that is cut off or damaged, and for
    a payload that grows past 64 MiB plus 16 times *data*; ``MissingLibraryError`` where Python
    lacks the library for its compression.
    """
    limit = SIZE_BASE + SIZE_FACTOR * len(data)
    wrappers: list[str] = []
    machine: int | None = None
    while len(wrappers) <= _MOST_WRAPPERS:
        if data.startswith(MAGIC):
            return _elf(data, tuple(wrappers))
        compression = detect(data)
        if compression:
            wrappers.append(compression)
            data = unpack_payload(data, compression, limit)
            continue
        machine = _pe_machine(data) or machine
        inner = _inner(data)
        if inner is None:
            return _raw(data, machine, tuple(wrappers))
        wrapper, data = inner
        wrappers.append(wrapper)
    raise FormatError(_WHAT, f"more than {_MOST_WRAPPERS} wrappers in each other")


def _inner(data: bytes) -> tuple[str, bytes] | None:
    """Return the name of a wrapper that is not mere compression, and what is in it."""
    if data[0x1FE:0x200] == b"\x55\xaa" and data[0x202:0x206] == b"HdrS":
        return "bzImage", _bzimage_payload(data)
    if data[:2] != b"MZ":
        return None
    if data[4:8] == b"zimg":
        return "zboot", _zboot_payload(data)
    section = _pe_section(data, b".linux")
    return None if section is None else ("UKI", section)


def _bzimage_payload(data: bytes) -> bytes:
    version = _number(data, 0x206, 2)
    if version < _PAYLOAD_SINCE:
        problem = f"boot protocol {version >> 8}.{version & 255:02}, which does not tell where the"
        raise FormatError("bzImage", f"{problem} payload is", offset=0x206)
    setup = ((_number(data, 0x1F1, 1) or 4) + 1) * _SECTOR
    offset, size = _number(data, 0x248, 4), _number(data, 0x24C, 4)
    return _part(data, setup + offset, size, "bzImage", "the payload")


def _zboot_payload(data: bytes) -> bytes:
    # The size leaves out the size word after the payload, which unpacking does not miss.
    offset, size = _number(data, 8, 4), _number(data, 12, 4)
    payload = _part(data, offset, size, "zboot image", "the payload")
    if not detect(payload):
        kind = data[24:56].partition(b"\0")[0].decode("ascii", "backslashreplace")
        raise FormatError("zboot image", f"a payload of unknown kind ({kind!r})", offset=offset)
    return payload


def _pe_section(data: bytes, wanted: bytes) -> bytes | None:
    """Return what the PE file *data* has in its section *wanted*, None if there is none."""
    header = _pe_header(data)
    if header is None:
        return None
    count = min(_number(data, header + 6, 2), _MOST_PE_SECTIONS)
    table = header + 24 + _number(data, header + 20, 2)
    for start in range(table, table + 40 * count, 40):
        entry = _part(data, start, 40, "PE file", "the section table")
        if entry[:8].rstrip(b"\0") == wanted:
            in_memory, _address, in_file, offset = [
                int.from_bytes(entry[at : at + 4], "little") for at in (8, 12, 16, 20)
            ]
            size = min(in_memory, in_file) if in_memory else in_file
            return _part(data, offset, size, "PE file", "section .linux")
    return None


def _pe_machine(data: bytes) -> int | None:
    header = _pe_header(data)
    return None if header is None else _PE_MACHINES.get(_number(data, header + 4, 2))


def _pe_header(data: bytes) -> int | None:
    if data[:2] != b"MZ" or len(data) < 0x40:
        return None
    header = _number(data, 0x3C, 4)
    whole = header + 24 <= len(data) and data[header : header + 4] == b"PE\0\0"
    return header if whole else None


def _elf(data: bytes, wrappers: tuple[str, ...]) -> Payload:
    """Return a kernel with sections. Raises ``FormatError`` for other ELF files."""
    header = ElfFile.from_bytes(data, what=_WHAT)
    if header.type == ET_REL:
        raise FormatError(_WHAT, "a relocatable file: perhaps a module, but no kernel", offset=16)
    if _BANNER not in data:
        raise FormatError(_WHAT, "an ELF file, but no kernel", offset=0)
    return Payload(kind="elf", data=data, machine=header.machine, wrappers=wrappers)


def _raw(data: bytes, machine: int | None, wrappers: tuple[str, ...]) -> Payload:
    """Return a kernel without sections. Raises ``FormatError`` for bytes that are no kernel."""
    if data[0x38:0x3C] == b"ARM\x64":
        machine = EM_AARCH64
    elif data[0x38:0x3C] == b"RSC\x05":
        machine = EM_RISCV
    elif _BANNER not in data:
        remedy = "name a kernel's image, such as /boot/vmlinuz-RELEASE"
        raise FormatError(_WHAT, "of no kind that lkm knows", remedy=remedy)
    return Payload(kind="raw", data=data, machine=machine, wrappers=wrappers)


def _number(data: bytes, offset: int, size: int) -> int:
    return int.from_bytes(_part(data, offset, size, _WHAT, "the header"), "little")


def _part(data: bytes, offset: int, size: int, what: str, part: str) -> bytes:
    if offset + size > len(data):
        problem = f"{part}, {size} bytes at {offset}, reaches past the end ({len(data)})"
        raise FormatError(what, problem, offset=min(offset, len(data)))
    return data[offset : offset + size]
