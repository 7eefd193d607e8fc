"""Facts of a kernel as one compact file: written, and read back part by part.

    file        "LKMFACTS", u16 version, u16 number of parts, u32 CRC-32 of all that follows
    part        u8 which, u8 state, u16 zero, u32 stored size, u32 plain size;
                after the last of these heads the parts' contents in the same order, by zlib
    state       0 known; 1 the kernel has none, 2 could not tell, 3 layout not known: the reason

Numbers are little endian. Tables are stored column by column, which packs best and is read in
bulk; texts of a column are separated by NUL. Addresses of kallsyms are differences from the one
before, modulo 2**64.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeVar

from lkm import _text
from lkm.errors import FormatError
from lkm.vmlinux.answers import Answer, CouldNotTell, LayoutNotKnown, NotThere
from lkm.vmlinux.btf import KernelBtf
from lkm.vmlinux.certificates import Certificate, parse_certificate
from lkm.vmlinux.config import Config
from lkm.vmlinux.exports import KernelExport
from lkm.vmlinux.facts import Later, VmlinuxFacts
from lkm.vmlinux.kallsyms import KernelSymbols

T = TypeVar("T")

_WHAT = "saved kernel facts"
_MAGIC = b"LKMFACTS"
_VERSION = 1
_HEADER = struct.Struct("<8sHHI")
_HEAD = struct.Struct("<BBHII")
_LARGEST_PART = 64 << 20

(
    _IDENTITY,
    _VERMAGIC,
    _STRUCT_SIZE,
    _TYPE_COUNT,
    _EXPORTS,
    _KALLSYMS,
    _CONFIG,
    _CERTIFICATES,
    _BTF,
) = range(1, 10)
# What the first files had; later parts may be missing.
_PARTS = 8
_KNOWN, _NOT_THERE, _COULD_NOT_TELL, _LAYOUT_NOT_KNOWN = range(4)

_64BIT, _BIG_ENDIAN, _HAS_RELEASE, _HAS_BANNER, _HAS_MACHINE = 1, 2, 4, 8, 16
_GPL_ONLY, _HAS_CRC, _HAS_ADDRESS = 1, 2, 4
_MASK = (1 << 64) - 1
_NO_BTF = CouldNotTell("the facts were saved before lkm kept the BTF's strings: save them again")


def save(facts: VmlinuxFacts) -> bytes:
    """Return *facts* as the bytes of a file."""
    parts = [
        _packed(_IDENTITY, _KNOWN, _from_identity(facts)),
        _stored(_VERMAGIC, facts.vermagic, _text.encode),
        _stored(_STRUCT_SIZE, facts.struct_module_size, _from_number),
        _stored(_TYPE_COUNT, facts.type_count, _from_number),
        _stored(_EXPORTS, facts.exports, _from_exports),
        _stored(_KALLSYMS, facts.kallsyms, _from_kallsyms),
        _stored(_CONFIG, facts.config, _from_config),
        _stored(_CERTIFICATES, facts.certificates, _from_certificates),
        _stored(_BTF, facts.btf, _from_btf),
    ]
    body = b"".join([head for head, _data in parts] + [data for _head, data in parts])
    return _HEADER.pack(_MAGIC, _VERSION, len(parts), zlib.crc32(body)) + body


def load(data: bytes) -> VmlinuxFacts:
    """Return the facts that ``save`` made *data* from; its tables are unpacked when asked for.

    Raises ``FormatError`` for other files, another version, and damage. A file that was made to
    deceive, whose CRC is right, may raise it only when one of its tables is asked for.
    """
    parts = _parts(data)
    flags, machine, release, banner = _to_identity(parts[_IDENTITY].plain())
    order: Literal["<", ">"] = ">" if flags & _BIG_ENDIAN else "<"
    return VmlinuxFacts(
        release=release if flags & _HAS_RELEASE else None,
        banner=banner if flags & _HAS_BANNER else None,
        machine=machine if flags & _HAS_MACHINE else None,
        is_64bit=bool(flags & _64BIT),
        order=order,
        vermagic=_now(parts[_VERMAGIC], _text.decode),
        struct_module_size=_now(parts[_STRUCT_SIZE], _to_number),
        type_count=_now(parts[_TYPE_COUNT], _to_number),
        exports=_later(parts[_EXPORTS], _to_exports),
        kallsyms=_later(parts[_KALLSYMS], _to_kallsyms),
        config=_later(parts[_CONFIG], _to_config),
        certificates=_later(parts[_CERTIFICATES], _to_certificates),
        btf=_later(parts[_BTF], _to_btf) if _BTF in parts else _NO_BTF,
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """One part as it is stored."""

    state: int
    stored: bytes
    size: int

    def plain(self) -> bytes:
        """Return the contents. Raises ``FormatError`` if they are not of the size that is told."""
        decompressor = zlib.decompressobj()
        try:
            # One byte more than told, so that more than told is seen, and never unpacked.
            plain = decompressor.decompress(self.stored, self.size + 1)
        except zlib.error as error:
            raise FormatError(_WHAT, f"damaged: {error}") from None
        if len(plain) != self.size or not decompressor.eof:
            raise FormatError(_WHAT, f"a part that is not of {self.size} bytes, as it says")
        return plain

    def reason(self) -> NotThere | CouldNotTell:
        """Return the answer that is no fact."""
        why = _text.decode(self.plain())
        if self.state == _NOT_THERE:
            return NotThere(why)
        return LayoutNotKnown(why) if self.state == _LAYOUT_NOT_KNOWN else CouldNotTell(why)


def _stored(which: int, answer: Answer[T], encode: Callable[[T], bytes]) -> tuple[bytes, bytes]:
    if isinstance(answer, NotThere):
        return _packed(which, _NOT_THERE, _text.encode(answer.why))
    if isinstance(answer, CouldNotTell):
        layout = isinstance(answer, LayoutNotKnown)
        state = _LAYOUT_NOT_KNOWN if layout else _COULD_NOT_TELL
        return _packed(which, state, _text.encode(answer.why))
    return _packed(which, _KNOWN, encode(answer))


def _packed(which: int, state: int, plain: bytes) -> tuple[bytes, bytes]:
    stored = zlib.compress(plain, 6)
    return _HEAD.pack(which, state, 0, len(stored), len(plain)), stored


def _parts(data: bytes) -> dict[int, _Part]:
    if not data.startswith(_MAGIC) or len(data) < _HEADER.size:
        raise FormatError(_WHAT, "not such a file", offset=0)
    _magic, version, count, checksum = _HEADER.unpack_from(data)
    if version != _VERSION:
        raise FormatError(_WHAT, f"version {version}; this lkm reads {_VERSION}", offset=8)
    start = _HEADER.size + count * _HEAD.size
    if zlib.crc32(memoryview(data)[_HEADER.size :]) != checksum or start > len(data):
        raise FormatError(_WHAT, "cut off or damaged: its checksum is wrong", offset=12)
    found: dict[int, _Part] = {}
    heads = data[_HEADER.size : start]
    for which, state, _zero, size, plain in _HEAD.iter_unpack(heads):
        if start + size > len(data) or plain > _LARGEST_PART or state > _LAYOUT_NOT_KNOWN:
            raise FormatError(_WHAT, f"part {which} is absurd", offset=start)
        found[which] = _Part(state, data[start : start + size], plain)
        start += size
    missing = set(range(1, _PARTS + 1)) - set(found)
    if missing or found[_IDENTITY].state != _KNOWN:
        raise FormatError(_WHAT, f"parts are missing: {sorted(missing)}", offset=_HEADER.size)
    return found


def _now(part: _Part, decode: Callable[[bytes], T]) -> Answer[T]:
    return decode(part.plain()) if part.state == _KNOWN else part.reason()


def _later(part: _Part, decode: Callable[[bytes], T]) -> NotThere | CouldNotTell | Later[T]:
    if part.state != _KNOWN:
        return part.reason()
    return Later(lambda: decode(part.plain()))


def _from_identity(facts: VmlinuxFacts) -> bytes:
    flags = (
        _64BIT * facts.is_64bit
        | _BIG_ENDIAN * (facts.order == ">")
        | _HAS_RELEASE * (facts.release is not None)
        | _HAS_BANNER * (facts.banner is not None)
        | _HAS_MACHINE * (facts.machine is not None)
    )
    texts = f"{facts.release or ''}\0{facts.banner or ''}"
    return struct.pack("<BH", flags, facts.machine or 0) + _text.encode(texts)


def _to_identity(plain: bytes) -> tuple[int, int, str, str]:
    (flags, machine), rest = _numbers("BH", plain)
    release, banner = _texts(rest, 2)
    return flags, machine, release, banner


def _from_number(number: int) -> bytes:
    return struct.pack("<Q", number)


def _to_number(plain: bytes) -> int:
    return _numbers("Q", plain)[0][0]


def _from_exports(exports: tuple[KernelExport, ...]) -> bytes:
    flags = bytes(
        [
            _GPL_ONLY * export.gpl_only
            | _HAS_CRC * (export.crc is not None)
            | _HAS_ADDRESS * (export.address is not None)
            for export in exports
        ]
    )
    count = len(exports)
    return b"".join(
        [
            struct.pack("<I", count),
            flags,
            struct.pack(f"<{count}I", *[export.crc or 0 for export in exports]),
            struct.pack(f"<{count}Q", *[export.address or 0 for export in exports]),
            _text.encode("\0".join([export.name for export in exports])),
            b"\0" * bool(exports),
            _text.encode("\0".join([export.namespace for export in exports])),
        ]
    )


def _to_exports(plain: bytes) -> tuple[KernelExport, ...]:
    (count,), rest = _numbers("I", plain)
    flags, rest = _numbers(f"{count}B", rest)
    crcs, rest = _numbers(f"{count}I", rest)
    addresses, rest = _numbers(f"{count}Q", rest)
    texts = _texts(rest, 2 * count)
    return tuple(
        [
            KernelExport(
                name,
                crc if flag & _HAS_CRC else None,
                bool(flag & _GPL_ONLY),
                namespace,
                address if flag & _HAS_ADDRESS else None,
            )
            for name, crc, flag, namespace, address in zip(
                texts[:count], crcs, flags, texts[count:], addresses, strict=True
            )
        ]
    )


def _from_kallsyms(symbols: KernelSymbols) -> bytes:
    count = len(symbols)
    before = (0, *symbols.addresses)
    steps = [(new - old) & _MASK for old, new in zip(before, symbols.addresses, strict=False)]
    return b"".join(
        [
            struct.pack("<BI", symbols.address_size, count),
            struct.pack(f"<{count}Q", *steps),
            _text.encode(symbols.types),
            _text.encode("\0".join(symbols.names)),
        ]
    )


def _to_kallsyms(plain: bytes) -> KernelSymbols:
    (address_size, count), rest = _numbers("BI", plain)
    steps, rest = _numbers(f"{count}Q", rest)
    types = rest[:count]
    if len(types) != count or address_size not in {4, 8} or not types.isascii():
        raise FormatError(_WHAT, "kallsyms are cut off")
    # Sums may pass 2**64 where an address is lower than the one before.
    addresses = [total & _MASK for total in itertools.accumulate(steps)]
    return KernelSymbols(
        addresses=tuple(addresses),
        types=types.decode("ascii"),
        names=tuple(_texts(rest[count:], count)),
        address_size=address_size,
    )


def _from_config(config: Config) -> bytes:
    return _text.encode("\0".join(itertools.chain(config, config.values())))


def _to_config(plain: bytes) -> Config:
    texts = _text.decode(plain).split("\0") if plain else []
    half, rest = divmod(len(texts), 2)
    if rest:
        raise FormatError(_WHAT, "the configuration is cut off")
    return MappingProxyType(dict(zip(texts[:half], texts[half:], strict=True)))


def _from_certificates(certificates: tuple[Certificate, ...]) -> bytes:
    return b"".join([certificate.data for certificate in certificates])


def _to_certificates(plain: bytes) -> tuple[Certificate, ...]:
    found: list[Certificate] = []
    while plain:
        found.append(parse_certificate(plain))
        plain = plain[len(found[-1].data) :]
    return tuple(found)


def _from_btf(btf: KernelBtf) -> bytes:
    tags = sorted(btf.type_tags)
    head = struct.pack(f"<II{len(tags)}I", btf.type_count, len(tags), *tags)
    return head + btf.strings


def _to_btf(plain: bytes) -> KernelBtf:
    (type_count, tag_count), rest = _numbers("II", plain)
    tags, strings = _numbers(f"{tag_count}I", rest)
    return KernelBtf(type_count, frozenset(tags), strings)


def _numbers(code: str, data: bytes) -> tuple[tuple[int, ...], bytes]:
    """Return the numbers that *data* begins with, and what follows them."""
    try:
        size = struct.calcsize("<" + code)
        return struct.unpack("<" + code, data[:size]), data[size:]
    except struct.error:
        raise FormatError(_WHAT, "a table is cut off") from None


def _texts(data: bytes, count: int) -> Sequence[str]:
    texts = _text.decode(data).split("\0") if count else []
    if len(texts) != count:
        raise FormatError(_WHAT, f"{len(texts)} texts where {count} belong")
    return texts
