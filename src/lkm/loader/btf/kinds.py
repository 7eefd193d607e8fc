"""What the kernel asks of a type of BTF by itself, kind by kind.

Source: kernel/bpf/btf.c, btf_check_meta and the functions NAME_check_meta.
"""

from __future__ import annotations

from collections.abc import Callable

from lkm.loader.btf.split_types import ENCODINGS, ENOTSUPP, LARGEST_TYPE, TYPE_TAG, Types, signed

_UNION, _TYPEDEF, _LAST_KIND = 5, 8, 19
_HEAD_BYTES = 12
_HEAD_WORDS = 3
_PLAIN_FUNCTION, _PLAIN_PROTOTYPE = 0x0C00, 0x0D00
_PLAIN_REFERENCES = frozenset({0x0200, 0x0900, 0x0A00, 0x0B00})
_GLOBAL_FUNCTION = 1
_INFO_BITS = 0x9F00_FFFF
_INT_BITS = 0x0FFF_FFFF


def plain_size(types: Types, at: int) -> int:
    """Return the size in words of the type *at*, if it is of a common kind and nothing is wrong.

    0 says that ``check_type`` has to look. Most types are functions, their prototypes, pointers.
    """
    words = types.words
    name, info, refers = words[at], words[at + 1], words[at + 2]
    kind = info >> 16  # with the bits that must be 0, and the flag
    if kind == _PLAIN_FUNCTION:
        return _HEAD_WORDS if info & 0xFFFF <= _GLOBAL_FUNCTION and types.is_identifier(name) else 0
    if name:
        return 0
    if kind == _PLAIN_PROTOTYPE:
        size = _HEAD_WORDS + 2 * (info & 0xFFFF)
        return size if at + size <= len(words) else 0
    if kind in _PLAIN_REFERENCES and not info & 0xFFFF and refers <= LARGEST_TYPE:
        return _HEAD_WORDS
    return 0


def check_type(types: Types, left: int) -> int:
    """Return the size in bytes of the type that *types* are at, of *left* bytes that there are.

    Raises ``BtfRefusedError``.
    """
    if left < _HEAD_BYTES:
        raise types.refuse(f"[{types.number}] meta_left:{left} meta_needed:{_HEAD_BYTES}")
    name, info, _size = types.words[types.at : types.at + _HEAD_WORDS]
    if info & ~_INFO_BITS:
        raise types.refuse(f"[{types.number}] Invalid btf_info:{info:x}")
    kind = types.kind
    if not kind or kind > _LAST_KIND:
        raise types.refuse(f"[{types.number}] Invalid kind:{kind}")
    if not types.has_string(name):
        raise types.refuse(f"[{types.number}] Invalid name_offset:{name}")
    fixed, each, check = _KINDS[kind]
    needed = 4 * (fixed + each * types.vlen)
    if left - _HEAD_BYTES < needed:
        text = f"meta_left:{left - _HEAD_BYTES} meta_needed:{needed}"
        raise types.refuse_type(text, details=False)
    check(types)
    return _HEAD_BYTES + needed


def _plain(types: Types) -> None:
    if types.vlen:
        raise types.refuse_type("vlen != 0")
    if types.flag:
        raise types.refuse_type("Invalid btf_info kind_flag")


def _named(types: Types, *, or_not: bool = False) -> None:
    name = types.words[types.at]
    if not types.is_identifier(name) and not (or_not and not name):
        raise types.refuse_type("Invalid name")


def _int(types: Types) -> None:
    _plain(types)
    data = types.words[types.at + 3]
    if data & ~_INT_BITS:
        raise types.refuse_type(f"Invalid int_data:{data:x}", details=False)
    bits = (data & 0xFF) + (data >> 16 & 0xFF)
    if bits > 128:
        raise types.refuse_type("nr_bits exceeds 128")
    if (bits + 7) // 8 > types.size:
        raise types.refuse_type("nr_bits exceeds type_size")
    if data >> 24 & 15 not in ENCODINGS:
        raise types.refuse_type("Unsupported encoding", ENOTSUPP)


def _reference(types: Types) -> None:
    _plain(types)
    if types.size > LARGEST_TYPE:
        raise types.refuse_type("Invalid type_id")
    name, kind = types.words[types.at], types.kind
    if kind == _TYPEDEF:
        _named(types)
    elif kind == TYPE_TAG:
        if not name or not types.name(name):
            raise types.refuse_type("Invalid name")
    elif name:
        raise types.refuse_type("Invalid name")


def _forward(types: Types) -> None:
    if types.vlen:
        raise types.refuse_type("vlen != 0")
    if types.size:
        raise types.refuse_type("type != 0")
    _named(types)


def _array(types: Types) -> None:
    if types.words[types.at]:
        raise types.refuse_type("Invalid name")
    _plain(types)
    if types.size:
        raise types.refuse_type("size != 0")
    element, index = types.words[types.at + 3 : types.at + 5]
    if not 0 < element <= LARGEST_TYPE:
        raise types.refuse_type("Invalid elem")
    if not 0 < index <= LARGEST_TYPE:
        raise types.refuse_type("Invalid index")


def _structure(types: Types) -> None:
    _named(types, or_not=True)
    words, start = types.words, types.at + _HEAD_WORDS
    mask = 0xFF_FFFF if types.flag else 0xFFFF_FFFF
    is_union, most = types.kind == _UNION, 8 * types.size
    before = 0
    end = start + 3 * types.vlen
    names, kinds, places = (
        words[start:end:3],
        words[start + 1 : end : 3],
        words[start + 2 : end : 3],
    )
    for at, name, kind, place in zip(range(start, end, 3), names, kinds, places, strict=True):
        offset = place & mask
        if name and not types.is_identifier(name):
            if types.has_string(name):
                raise types.refuse_member(at, "Invalid name")
            raise types.refuse_member(at, f"Invalid member name_offset:{name}")
        if not 0 < kind <= LARGEST_TYPE:
            raise types.refuse_member(at, "Invalid type_id")
        if before > offset or (is_union and offset):
            raise types.refuse_member(at, "Invalid member bits_offset")
        if offset > most:
            raise types.refuse_member(at, "Member bits_offset exceeds its struct size")
        before = offset


def _enumeration(types: Types) -> None:
    if types.size not in {1, 2, 4, 8}:
        raise types.refuse_type("Unexpected size")
    _named(types, or_not=True)
    each = _KINDS[types.kind][1]
    start = types.at + _HEAD_WORDS
    for name in types.words[start : start + each * types.vlen : each]:
        if not types.is_identifier(name):
            if types.has_string(name):
                raise types.refuse_type("Invalid name")
            raise types.refuse(f"\tInvalid name_offset:{name}")


def _prototype(types: Types) -> None:
    if types.words[types.at]:
        raise types.refuse_type("Invalid name")
    if types.flag:
        raise types.refuse_type("Invalid btf_info kind_flag")


def _function(types: Types) -> None:
    _named(types)
    if types.vlen > _GLOBAL_FUNCTION:
        raise types.refuse_type("Invalid func linkage")
    if types.flag:
        raise types.refuse_type("Invalid btf_info kind_flag")


def _variable(types: Types) -> None:
    _plain(types)
    _named(types)
    if not 0 < types.size <= LARGEST_TYPE:
        raise types.refuse_type("Invalid type_id")
    if types.words[types.at + 3] > 1:
        raise types.refuse_type("Linkage not supported")


def _section(types: Types) -> None:
    size = types.size
    if not size:
        raise types.refuse_type("size == 0")
    if types.flag:
        raise types.refuse_type("Invalid btf_info kind_flag")
    if not types.is_section_name(types.words[types.at]):
        raise types.refuse_type("Invalid name")
    start = types.at + _HEAD_WORDS
    end = total = 0
    for at in range(start, start + 3 * types.vlen, 3):
        kind, offset, part = types.words[at : at + 3]
        if not 0 < kind <= LARGEST_TYPE:
            raise types.refuse_variable(at, "Invalid type_id")
        if offset < end or offset >= size:
            raise types.refuse_variable(at, "Invalid offset")
        if not 0 < part <= size:
            raise types.refuse_variable(at, "Invalid size")
        end = offset + part & 0xFFFF_FFFF
        if end > size:
            raise types.refuse_variable(at, "Invalid offset+size")
        total += part
    if size < total:
        raise types.refuse_type("Invalid btf_info size")


def _float(types: Types) -> None:
    _plain(types)
    if types.size not in {2, 4, 8, 12, 16}:
        raise types.refuse_type("Invalid type_size")


def _declaration_tag(types: Types) -> None:
    name = types.words[types.at]
    if not name or not types.name(name):
        raise types.refuse_type("Invalid value")
    _plain(types)
    if signed(types.words[types.at + 3]) < -1:
        raise types.refuse_type("Invalid component_idx")


# By kind: words that follow the head, words for each of its vlen members, and the check.
_KINDS: tuple[tuple[int, int, Callable[[Types], None]], ...] = (
    (0, 0, _plain),
    (1, 0, _int),
    (0, 0, _reference),
    (3, 0, _array),
    (0, 3, _structure),
    (0, 3, _structure),
    (0, 2, _enumeration),
    (0, 0, _forward),
    *[(0, 0, _reference)] * 4,
    (0, 0, _function),
    (0, 2, _prototype),
    (1, 0, _variable),
    (0, 3, _section),
    (0, 0, _float),
    (1, 0, _declaration_tag),
    (0, 0, _reference),
    (0, 3, _enumeration),
)
