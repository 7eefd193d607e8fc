"""Changes of ELF files that know where headers, symbols and relocations lie.

The places are read with ``struct`` alone, apart from the product's reader, and from a file that
earlier changes may have broken: what cannot be found is changed as plain bytes.
"""

from __future__ import annotations

import gzip
import lzma
import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from tests.fuzz.inputs import Input
from tests.fuzz.mutate import BYTES, Change, apply, interesting, put_number

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# Offset and width of each field of a section header, by class.
_SECTION_FIELDS = {
    1: tuple((4 * field, 4) for field in range(10)),
    2: ((0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 4), (44, 4), (48, 8), (56, 8)),
}
# Of the ELF header, from the first field behind the identification.
_HEADER_FIELDS = {
    1: ((16, 2), (18, 2), (20, 4), (32, 4), (36, 4), (46, 2), (48, 2), (50, 2)),
    2: ((16, 2), (18, 2), (20, 4), (40, 8), (48, 4), (58, 2), (60, 2), (62, 2)),
}
_TYPES = (*range(20), 0x6FFFFFF5, 0x6FFFFFFF, 0x70000001, 0xFFFFFFFF)
_INDEXES = (0, 1, 2, 0xFEFF, 0xFF00, 0xFF1F, 0xFFF1, 0xFFF2, 0xFFFF)
_MOST_TABLE = 1 << 20
_MOST_GROWN = 1 << 20


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the section headers of a file lie, and the sections: (type, offset, size, entsize)."""

    kind: int
    order: str
    table: int
    step: int
    sections: tuple[tuple[int, int, int, int], ...]

    def put(self, data: bytearray, at: int, width: int, number: int) -> None:
        if at >= 0 and at + width <= len(data):
            number %= 1 << 8 * width
            data[at : at + width] = number.to_bytes(width, "little" if self.order == "<" else "big")


def _places(data: bytes | bytearray) -> _Places | None:
    if len(data) < 64 or data[:4] != b"\x7fELF" or data[4] not in (1, 2):
        return None
    kind, order = data[4], "<" if data[5] == 1 else ">"
    (table,) = struct.unpack_from(
        order + ("I" if kind == 1 else "Q"), data, 32 if kind == 1 else 40
    )
    (count,) = struct.unpack_from(order + "H", data, 48 if kind == 1 else 60)
    step = 40 if kind == 1 else 64
    if not count or table + count * step > len(data):
        return None
    code = order + ("4xI8xII12xI" if kind == 1 else "4xI16xQQ16xQ")
    sections = tuple(struct.unpack_from(code, data, table + index * step) for index in range(count))
    return _Places(kind, order, table, step, sections)


def _field(rng: Random, data: bytearray, _others: Sequence[Input]) -> None:
    """Change a field of one section header."""
    places = _places(data)
    if places is None:
        return put_number(rng, data)
    index = rng.randrange(len(places.sections))
    field = rng.randrange(10)
    offset, width = _SECTION_FIELDS[places.kind][field]
    number = interesting(rng, len(data), 8 * width)
    if field == 1:
        number = rng.choice(_TYPES)
    elif field in (6, 7) and rng.random() < 0.7:  # link and info name sections
        number = rng.randrange(len(places.sections) + 1)
    elif field in (4, 5) and rng.random() < 0.5:  # where another section lies
        number = rng.choice(places.sections)[field - 3]
    elif field == 2 and rng.random() < 0.7:
        number = rng.choice((0, 1, 2, 3, 4, 6, 7, 0x10, 0x20, 0x40, 0x400, 0x800, 0x10000003))
    return places.put(data, places.table + index * places.step + offset, width, number)


def _header(rng: Random, data: bytearray, _others: Sequence[Input]) -> None:
    places = _places(data)
    if places is None:
        return put_number(rng, data)
    offset, width = rng.choice(_HEADER_FIELDS[places.kind])
    number = interesting(rng, len(data), 8 * width)
    if rng.random() < 0.3:
        number = rng.choice((len(places.sections), len(places.sections) + 1, 0, 0xFF00, 0xFFFF))
    if rng.random() < 0.15:
        offset, width, number = 4 + rng.randrange(2), 1, rng.randrange(4)
    return places.put(data, offset, width, number)


def _exchange(rng: Random, data: bytearray, _others: Sequence[Input]) -> None:
    """Swap two section headers, or write one over the other."""
    places = _places(data)
    if places is None:
        return put_number(rng, data)
    step = places.step
    one, other = (places.table + step * rng.randrange(len(places.sections)) for _ in range(2))
    first, second = data[one : one + step], data[other : other + step]
    data[one : one + step] = second
    if rng.random() < 0.6:
        data[other : other + step] = first
    return None


def _many_headers(rng: Random, data: bytearray, _others: Sequence[Input]) -> None:
    """Append a table of many headers that all say the same."""
    places = _places(data)
    if places is None:
        return put_number(rng, data)
    count = len(places.sections)
    old = bytes(data[places.table : places.table + count * places.step])
    index = rng.randrange(count)
    if rng.random() < 0.5:  # one that somebody reads
        wanted = rng.choice((1, 2, 3, 4, 7, 9))
        kinds = [number for number, each in enumerate(places.sections) if each[0] == wanted]
        index = max(kinds, key=lambda number: places.sections[number][2], default=index)
    again = old[index * places.step :][: places.step]
    more = rng.choice((10, 1000, 0xFEF0 - count))
    more = min(more, _MOST_TABLE // places.step)
    start = len(data)
    if rng.random() < 0.3:  # whose names are none
        again = rng.choice((b"\xff\xff\xff\xff", b"\0\0\1\0")) + again[4:]
    data += old + again * more
    places.put(data, 32 if places.kind == 1 else 40, 4 if places.kind == 1 else 8, start)
    places.put(data, 48 if places.kind == 1 else 60, 2, count + more)
    return None


def _entry(rng: Random, data: bytearray, _others: Sequence[Input]) -> None:
    """Change a field of a symbol or of a relocation."""
    places = _places(data)
    tables = [each for each in places.sections if each[0] in (2, 4, 9)] if places else []
    if places is None or not tables:
        return put_number(rng, data)
    kind, offset, size, _ = rng.choice(tables)
    wide = places.kind == 2
    step = {2: 24 if wide else 16, 4: 24 if wide else 12, 9: 16 if wide else 8}[kind]
    if size < step:
        return None
    at = offset + step * rng.randrange(size // step)
    fields: tuple[tuple[int, int], ...] = ((0, 4), (4, 1), (5, 1), (6, 2), (8, 8), (16, 8))
    if not wide:
        fields = ((0, 4), (4, 4), (8, 4), (12, 1), (13, 1), (14, 2))
    if kind != 2:
        fields = ((0, 8), (8, 4), (12, 4), (16, 8)) if wide else ((0, 4), (4, 1), (5, 3), (8, 4))
    where, width = rng.choice([(where, width) for where, width in fields if where + width <= step])
    number = interesting(rng, size // step, 8 * width)
    if width == 2:
        number = rng.choice((*_INDEXES, rng.randrange(len(places.sections) + 2)))
    return places.put(data, at + where, width, number)


def _inside(rng: Random, data: bytearray, _others: Sequence[Input]) -> None:
    """Change bytes of one section that is small, where a flip in the whole file seldom hits."""
    places = _places(data)
    small = [each for each in places.sections if 0 < each[2] < 0x4000] if places else []
    if places is None or not small:
        return put_number(rng, data)
    _, offset, size, _ = rng.choice(small)
    part = bytearray(data[offset : offset + size])
    rng.choice(BYTES)(rng, part, ())
    data[offset : offset + size] = part[:size].ljust(size, b"\0")
    return None


def _grow(rng: Random, data: bytearray, _others: Sequence[Input]) -> None:
    """Have a section hold its contents many times over, at the end of the file."""
    places = _places(data)
    full = [number for number, each in enumerate(places.sections) if each[2]] if places else []
    if places is None or not full:
        return put_number(rng, data)
    index = rng.choice(full)
    _, offset, size, _ = places.sections[index]
    block = bytes(data[offset : offset + min(size, 1 << 14)])
    if rng.random() < 0.5:  # a part of it, on the bounds of most entries
        start = 8 * rng.randrange(len(block) // 8 + 1)
        block = block[start : start + rng.choice((8, 24, 64, 192))]
    times = rng.choice((2, 100, 100_000))
    more = data[offset : offset + size] + block * min(times, _MOST_GROWN // max(1, len(block)))
    if rng.random() < 0.3:
        _number_texts(more)
    header = places.table + index * places.step
    wide = places.kind == 2
    places.put(data, header + (24 if wide else 16), 8 if wide else 4, len(data) + -len(data) % 8)
    places.put(data, header + (32 if wide else 20), 8 if wide else 4, len(more))
    data += bytes(-len(data) % 8) + more
    return None


def _number_texts(data: bytearray) -> None:
    """Make texts that are alike differ: put numbers before every fourth NUL or so."""
    for count, at in enumerate(range(64, len(data) - 8, 32)):
        end = data.find(b"\0", at, at + 32)
        if end > at + 4 and data[end - 4 : end].isalnum():
            data[end - 4 : end] = b"%04d" % (count % 10_000)


ELF: tuple[Change, ...] = (
    *(_field, _field, _field, _header, _exchange, _many_headers, _grow),
    *(_entry, _entry, _entry, _inside, _inside),
)


def mutate_elf(rng: Random, start: Input, others: Sequence[Input]) -> bytes:
    """Change an ELF file: mostly its tables, now and then any byte."""
    changes = ELF if rng.random() < 0.75 else BYTES
    return apply(rng, start.data, others, changes)


_PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": lambda data: gzip.compress(data, 1, mtime=0),
    ".xz": lambda data: lzma.compress(data, check=lzma.CHECK_CRC32, preset=0),
    ".zst": lambda data: zstd.compress(data, 1),
}


def mutate_module(rng: Random, start: Input, others: Sequence[Input]) -> bytes:
    """Change a module file; a wrapped one inside its wrapping, or the wrapping."""
    for suffix, pack in _PACK.items():
        if start.name.endswith(suffix):
            if rng.random() < 0.3:
                return pack(mutate_elf(rng, start, others))
            return apply(rng, pack(start.data), others, BYTES)
    return mutate_elf(rng, start, others)
