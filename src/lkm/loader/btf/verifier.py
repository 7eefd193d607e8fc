"""Check the type information of a module (BTF) as the kernel does before it loads it.

A module's types go on where the kernel's end: its first type has the number of types of the kernel,
its first string lies at the size of the kernel's strings, and a lower number or offset means the
kernel's own. So what was made against another kernel's types names other things than it meant,
and often something that is no name at all, which is how the kernel notices.

Each type is looked at by itself, by its kind (``btf_types``); what it refers to need not be there,
except behind types that only modify another one.

Source: kernel/bpf/btf.c, btf_parse_module and what it calls; lkm.vmlinux.btf has the layout.
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass

from lkm.loader.btf.kinds import check_type, plain_size
from lkm.loader.btf.split_types import (
    ENOTSUPP,
    LARGEST_NAME_OFFSET,
    LARGEST_TYPE,
    MODIFIERS,
    TYPE_TAG,
    BtfRefusedError,
    Types,
    UnknownBtfError,
    refused,
)
from lkm.vmlinux.btf import KernelBtf

_MAGIC = 0xEB9F
_HEADER = "HBBIIIII"
_HEADER_SIZE = 24
_LENGTH_END = 8
_LONGEST_CHAIN = 32


@dataclass(frozen=True, slots=True)
class Rules:
    """What differs between kernels: see ``Types``; *order* is that of their numbers."""

    order: str
    quiet: bool
    free_sections: bool


@dataclass(frozen=True, slots=True)
class _Parts:
    types: bytes
    strings: bytes


def verify(data: bytes, base: KernelBtf, rules: Rules) -> None:
    """Look at *data*, a module's BTF, as the kernel with the types *base* does.

    Raises ``BtfRefusedError`` where it refuses, ``UnknownBtfError`` where that cannot be told.
    """
    parts = _parts(data, rules.order)
    usable = parts.types[: len(parts.types) // 4 * 4]
    words: tuple[int, ...] = struct.unpack(f"{rules.order}{len(usable) // 4}I", usable)
    types = Types(
        words, base.strings, parts.strings, quiet=rules.quiet, free_sections=rules.free_sections
    )
    first = base.type_count + 1  # 0 is void
    starts: list[int] = []
    at, end = 0, len(words)
    while 4 * at < len(parts.types):
        size = plain_size(types, at) if at + 2 < end else 0
        if not size:
            types.at, types.number = at, first + len(starts)
            size = check_type(types, len(parts.types) - 4 * at) // 4
        starts.append(at)
        at += size
    if first + len(starts) > LARGEST_TYPE:
        raise UnknownBtfError("it has more types than the kernel counts")
    _check_modifiers(words, starts, base, first)


def _parts(data: bytes, order: str) -> _Parts:
    """Return types and strings, if the header tells of nothing else."""
    if len(data) < _LENGTH_END:
        raise refused(errno.EINVAL, b"hdr_len not found")
    (stated,) = struct.unpack_from(order + "I", data, 4)
    if len(data) < stated:
        raise refused(errno.EINVAL, b"btf_header not found")
    if any(data[_HEADER_SIZE:stated]):
        raise refused(errno.E2BIG, b"Unsupported btf_header")
    known = data[: min(stated, _HEADER_SIZE)].ljust(_HEADER_SIZE, b"\0")
    fields: tuple[int, ...] = struct.unpack(order + _HEADER, known)
    magic, version, flags, header, *sections = fields
    if magic != _MAGIC:
        raise refused(errno.EINVAL, b"Invalid magic")
    if version != 1:
        raise refused(ENOTSUPP, b"Unsupported version")
    if flags:
        raise refused(ENOTSUPP, b"Unsupported flags")
    _check_sections(sections, len(data) - header)
    type_at, type_size, string_at, string_size = sections
    if header + string_at + string_size != len(data):
        raise refused(errno.EINVAL, b"String section is not at the end")
    strings = data[header + string_at :]
    if strings and (len(strings) - 1 > LARGEST_NAME_OFFSET or strings[-1]):
        raise refused(errno.EINVAL, b"Invalid string section")
    start = header + type_at
    return _Parts(data[start : start + type_size], strings)


def _check_sections(fields: list[int], size: int) -> None:
    """Refuse types and strings that do not fill *size* bytes, one behind the other."""
    first, second = tuple(fields[:2]), tuple(fields[2:])
    # The kernel takes the differences for signed numbers.
    if (_difference(first[0], second[0]) or _difference(first[1], second[1])) > 0:
        first, second = second, first
    total = 0
    for offset, length in (first, second):
        if size < offset:
            raise refused(errno.EINVAL, b"Invalid section offset")
        if total < offset:
            raise refused(errno.EINVAL, b"Unsupported section found")
        if total > offset:
            raise refused(errno.EINVAL, b"Section overlap found")
        if size - total < length:
            raise refused(errno.EINVAL, b"Total section length too long")
        total += length
    if size != total:
        raise refused(errno.EINVAL, b"Unsupported section found")


def _difference(left: int, right: int) -> int:
    found = (left - right) & 0xFFFF_FFFF
    return found - (1 << 32) if found >> 31 else found


def _check_modifiers(
    words: tuple[int, ...], starts: list[int], base: KernelBtf, first: int
) -> None:
    """Refuse types that modify each other in a circle, or tags behind other modifiers."""
    kinds = [words[start + 1] >> 24 & 31 for start in starts]
    good = first - 1
    for number, kind in enumerate(kinds, first):
        if kind not in MODIFIERS:
            continue
        _follow(number, _Chain(words, starts, kinds, base, first, good))
        good = number


@dataclass(frozen=True, slots=True)
class _Chain:
    """What a chain of modifiers goes through: *good* is the last type known to be well."""

    words: tuple[int, ...]
    starts: list[int]
    kinds: list[int]
    base: KernelBtf
    first: int
    good: int


def _follow(number: int, chain: _Chain) -> None:
    left = _LONGEST_CHAIN
    in_tags = chain.kinds[number - chain.first] == TYPE_TAG
    while True:
        own = number - chain.first
        if own < 0:
            kind = TYPE_TAG if number in chain.base.type_tags else 0
        elif own < len(chain.kinds):
            kind = chain.kinds[own]
        else:
            raise BtfRefusedError(errno.EINVAL)
        if own < 0 and not left:
            raise UnknownBtfError("its chain of modifiers is as long as the kernel follows one")
        if kind not in MODIFIERS:
            return
        if not left:
            raise refused(errno.ELOOP, b"Max chain length or cycle detected")
        left -= 1
        if kind == TYPE_TAG and not in_tags:
            raise refused(errno.EINVAL, b"Type tags don't precede modifiers")
        in_tags = in_tags and kind == TYPE_TAG
        if number <= chain.good:
            return
        number = chain.words[chain.starts[own] + 2]
