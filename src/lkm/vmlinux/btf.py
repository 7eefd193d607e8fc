"""Read sizes of structures from a kernel's BTF, the description of its C types.

Also what a module's own BTF builds on: the number of the kernel's types, and its strings.

    header    u16 magic 0xeb9f, u8 version 1, u8 flags, u32 length of the header,
              u32 offset and length of the types, u32 offset and length of the strings;
              both offsets count from the end of the header
    type      u32 offset of its name in the strings, u32 info, u32 size or another type;
              info: bits 0 to 15 vlen, 24 to 28 kind; then what its kind adds

A kernel image without sections has the same bytes somewhere: a place counts as the kernel's BTF
only if header, types and strings fit each other to the end and ``struct task_struct`` is among
them, since programs for BPF that are compiled into the kernel bring small ones of their own.

Source: Documentation/bpf/btf.rst; include/uapi/linux/btf.h.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from lkm import _text
from lkm.errors import FormatError
from lkm.vmlinux.answers import CouldNotTell, NotThere
from lkm.vmlinux.image import KernelImage

Words: TypeAlias = "memoryview[int] | tuple[int, ...]"  # before 3.14 not to be evaluated

_WHAT = "BTF"
_MAGIC = 0xEB9F
_HEADER = "HBBIIIII"
_HEADER_SIZE = 24
_TYPE_WORDS = 3
_STRUCT, _TYPE_TAG = 4, 18
_MOST_PLACES = 1000
# Bytes of all that looks like BTF: walking through it is slow. A kernel's takes some 5 MB.
_MOST_SEARCHED = 64 << 20

# Words that follow a type: so many, and so many for each of its vlen members.
_FIXED_WORDS = {1: 1, 3: 3, 14: 1, 17: 1}  # INT, ARRAY, VAR, DECL_TAG
_MEMBER_WORDS = {4: 3, 5: 3, 6: 2, 13: 2, 15: 3, 19: 3}  # STRUCT UNION ENUM PROTO DATASEC ENUM64
_MOST_KINDS = 19  # ENUM64, of Linux 6.0, is the last one


class KernelBtf:
    """What the BTF of modules goes on from.

    *type_count* is the number of the kernel's types, void not counted; *type_tags* are the numbers
    of those that are tags. *strings* are given as bytes, or as what makes them when they are asked
    for.
    """

    def __init__(
        self,
        type_count: int,
        type_tags: frozenset[int],
        strings: bytes | Callable[[], bytes],
    ) -> None:
        self.type_count: Final = type_count
        self.type_tags: Final = type_tags
        self._strings = strings

    @property
    def strings(self) -> bytes:
        """The names, each ended by NUL, the first one empty."""
        if not isinstance(self._strings, bytes):
            self._strings = self._strings()
        return self._strings

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KernelBtf) and self._all() == other._all()

    def __hash__(self) -> int:
        return hash((self.type_count, self.type_tags))

    def _all(self) -> tuple[object, ...]:
        return self.type_count, self.type_tags, self.strings


class Btf:
    """The C types of one kernel, as far as lkm asks for them.

    *type_count* is their number, *base* what modules build on.
    """

    def __init__(self, words: Words, structs: array[int], base: KernelBtf) -> None:
        self._words: Final = words
        self._structs: Final = structs
        self._strings: Final = base.strings
        self.type_count: Final = base.type_count
        self.base: Final = base

    @classmethod
    def from_bytes(cls, data: bytes) -> Btf:
        """Read the header and walk through all types.

        Raises ``FormatError`` for parts that do not lie inside *data*, for a kind of type that is
        not known, whose length is not known then either, and for types that end inside another.
        """
        order = {b"\x9f\xeb": "<", b"\xeb\x9f": ">"}.get(data[:2])
        if order is None or len(data) < _HEADER_SIZE:
            raise FormatError(_WHAT, "no BTF header", offset=0)
        fields: tuple[int, ...] = struct.unpack_from(order + _HEADER, data)
        _magic, version, _flags, header, type_at, type_size, string_at, string_size = fields
        if version != 1 or header < _HEADER_SIZE:
            raise FormatError(_WHAT, f"version {version} with a header of {header} bytes", offset=2)
        types = _part(data, header + type_at, type_size, "types")
        strings = _part(data, header + string_at, string_size, "strings")
        if type_size % 4:
            raise FormatError(_WHAT, f"types of {type_size} bytes, no multiple of 4", offset=12)
        words = _words(types, order)
        structs, tags, count = _walk(words)
        return cls(words, structs, KernelBtf(count, frozenset(tags), strings))

    def struct_sizes(self, name: str) -> tuple[int, ...]:
        """Return the different sizes in bytes of the structures named *name*; most have one."""
        names = set(self._offsets(_text.encode(name) + b"\0"))
        words = self._words
        return tuple(sorted({words[at + 2] for at in self._structs if words[at] in names}))

    def struct_size(self, name: str) -> int | None:
        """Return the size in bytes of ``struct name``, None where there is none of that name.

        Raises ``FormatError`` where structures of that name differ in size.
        """
        sizes = self.struct_sizes(name)
        if len(sizes) > 1:
            raise FormatError(_WHAT, f"struct {name} has several sizes: {sizes}")
        return sizes[0] if sizes else None

    def _offsets(self, text: bytes) -> Iterator[int]:
        """Yield where *text* stands in the strings, also as the tail of another."""
        start = self._strings.find(text)
        while start >= 0:
            yield start
            start = self._strings.find(text, start + 1)


def read_btf(image: KernelImage) -> Btf | NotThere | CouldNotTell:
    """Return the types of the kernel in *image*.

    Raises ``FormatError`` for a section ``.BTF`` that is damaged.
    """
    if image.sections:
        data = image.section_data(".BTF")
        if data is None:
            return NotThere("the image has no section .BTF")
        return Btf.from_bytes(data)
    found = [btf for btf in _candidates(image.data, image.order) if btf.struct_sizes("task_struct")]
    if len(found) == 1:
        return found[0]
    if found:
        return CouldNotTell("the image has no sections, and several pieces that may be its BTF")
    return CouldNotTell("the image has no sections, and no BTF was found in it")


def _candidates(data: bytes, order: str) -> Iterator[Btf]:
    start, budget = -1, _MOST_SEARCHED
    head = struct.pack(order + "HBBI", _MAGIC, 1, 0, _HEADER_SIZE)
    for _turn in range(_MOST_PLACES):
        start = data.find(head, start + 1)
        if start < 0:
            return
        header = data[start : start + _HEADER_SIZE]
        if len(header) < _HEADER_SIZE:
            return
        fields: tuple[int, ...] = struct.unpack(order + _HEADER, header)
        _magic, _version, _flags, _size, type_at, type_size, string_at, string_size = fields
        end = start + _HEADER_SIZE + string_at + string_size
        if type_at or string_at != type_size or not string_size or end > len(data):
            continue
        if data[start + _HEADER_SIZE + string_at] or data[end - 1]:
            continue
        budget -= end - start
        if budget < 0:
            return
        try:
            yield Btf.from_bytes(data[start:end])
        except FormatError:
            continue


def _words(types: bytes, order: str) -> Words:
    if (order == "<") == (sys.byteorder == "little"):
        return memoryview(types).cast("I")
    return struct.unpack(f"{order}{len(types) // 4}I", types)


def _walk(words: Words) -> tuple[array[int], list[int], int]:
    """Return where the structures are in *words*, which types are tags, and their number."""
    # Some 150,000 types a kernel: numbers of one view, and no call for each.
    fixed = tuple([_TYPE_WORDS + _FIXED_WORDS.get(kind, 0) for kind in range(_MOST_KINDS + 1)])
    member = tuple([_MEMBER_WORDS.get(kind, 0) for kind in range(_MOST_KINDS + 1)])
    structs = array("I")
    tags: list[int] = []
    offset = count = 0
    try:
        while offset < len(words):
            info = words[offset + 1]
            kind = info >> 24 & 31
            if kind == _STRUCT:
                structs.append(offset)
            offset += fixed[kind] + (info & 0xFFFF) * member[kind]
            count += 1
            if kind == _TYPE_TAG:
                tags.append(count)
    except IndexError:
        problem = "a type is cut off, or of a kind that is not known"
        raise FormatError(_WHAT, problem, offset=4 * offset) from None
    if offset != len(words):
        raise FormatError(_WHAT, "the last type is cut off", offset=4 * len(words))
    return structs, tags, count


def _part(data: bytes, offset: int, size: int, part: str) -> bytes:
    if offset + size > len(data):
        problem = f"{part} of {size} bytes at {offset} of {len(data)}"
        raise FormatError(_WHAT, problem, offset=min(offset, len(data)))
    return data[offset : offset + size]
