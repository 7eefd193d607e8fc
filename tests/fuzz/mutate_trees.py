"""Changes of binary indexes and of DER, which are trees of records."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from random import Random

from tests.fuzz.inputs import Input
from tests.fuzz.mutate import BYTES, Change, apply, interesting

_INDEX_PARTS = (0, 1 << 29, 1 << 30, 1 << 31, 3 << 29, 5 << 29, 6 << 29, 7 << 29)
_TAGS = (0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0C, 0x13, 0x1E, 0x1F, 0x30, 0x31, 0xA0, 0xA3, 0xFF)


def _references(data: bytes | bytearray) -> list[int]:
    """Return where numbers stand that may name a node of this index."""
    size = len(data)
    found = []
    for at in range(8, min(size - 3, 1 << 14)):
        number = int.from_bytes(data[at : at + 4], "big")
        if number >> 29 and number & 0x1FFF_FFFF < size:
            found.append(at)
    return found


def _lead_elsewhere(rng: Random, data: bytearray, _others: Sequence[Input]) -> None:
    """Have a reference lead where another one leads: rings, and nodes with many parents."""
    places = _references(data)
    if not places:
        return
    for _ in range(rng.choice((1, 1, 4, 64))):
        at, other = rng.choice(places), rng.choice(places)
        data[at : at + 4] = data[other : other + 4]


def _new_reference(rng: Random, data: bytearray, _others: Sequence[Input]) -> None:
    places = _references(data)
    if places:
        at = rng.choice(places)
        offset = rng.choice((rng.randrange(len(data)), interesting(rng, len(data), 29)))
        struct.pack_into(">I", data, at, rng.choice(_INDEX_PARTS) | offset)


def _ladder(rng: Random, data: bytearray, _others: Sequence[Input]) -> None:
    """Put nodes behind the file each of which leads to the next one many times over."""
    width, depth = rng.choice((1, 2, 16, 127)), rng.choice((4, 40, 400))
    start = len(data)
    prefix = rng.choice((b"", b"a\0", b"*\0", b"?*\0"))
    part = (1 << 31 if prefix else 0) | 1 << 29
    step = len(prefix) + 2 + 4 * width
    depth = min(depth, (1 << 16) // step)
    first = rng.choice((0x21, 0x2A, 0x61)) if width < 80 else 0
    for level in range(depth):
        behind = part | start + step * (level + 1)
        if level == depth - 1:
            behind = rng.choice((part | start, 1 << 30 | start + step * depth))
        data += prefix + bytes((first, first + width - 1)) + struct.pack(">I", behind) * width
    data += struct.pack(">II", 1, 0) + b"end\0"
    if len(data) > 12 and rng.random() < 0.7:
        struct.pack_into(">I", data, 8, part | start)


INDEX: tuple[Change, ...] = (_lead_elsewhere, _lead_elsewhere, _new_reference, _ladder, *BYTES)


def mutate_index(rng: Random, start: Input, others: Sequence[Input]) -> bytes:
    """Change one of depmod's binary indexes."""
    return apply(rng, start.data, others, INDEX)


def _elements(data: bytes | bytearray) -> list[tuple[int, int, int]]:
    """Return offset, start of the contents and end of what looks like DER elements, nested."""
    found: list[tuple[int, int, int]] = []
    todo = [(0, len(data))]
    while todo and len(found) < 500:
        at, end = todo.pop()
        while at + 2 <= end:
            size, start = data[at + 1], at + 2
            if size & 0x80:
                start += size & 0x7F
                size = int.from_bytes(data[at + 2 : start], "big")
            if start + size > end:
                break
            found.append((at, start, start + size))
            if data[at] & 0x20:
                todo.append((start, start + size))
            at = start + size
    return found


def _length(rng: Random, data: bytearray, _others: Sequence[Input]) -> None:
    elements = _elements(data)
    if elements:
        at, start, end = rng.choice(elements)
        longer = interesting(rng, end - start, 32)
        data[at + 1 : start] = rng.choice(
            (
                bytes([0x84]) + longer.to_bytes(4, "big"),
                b"\x80",
                b"\xff",
                b"\0",
                b"\x88" + b"\xff" * 8,
            )
        )


def _tag(rng: Random, data: bytearray, _others: Sequence[Input]) -> None:
    elements = _elements(data)
    if elements:
        data[rng.choice(elements)[0]] = rng.choice(_TAGS)


def _contents(rng: Random, data: bytearray, others: Sequence[Input]) -> None:
    elements = _elements(data)
    if elements:
        _, start, end = rng.choice(elements)
        part = bytearray(data[start:end])
        rng.choice(BYTES)(rng, part, others)
        data[start:end] = part[: end - start].ljust(end - start, b"\0")


def _nest(rng: Random, data: bytearray, _others: Sequence[Input]) -> None:
    """Wrap an element into many others, or repeat it many times."""
    elements = _elements(data)
    if not elements:
        return
    at, _, end = rng.choice(elements)
    inner = bytes(data[at:end])
    if rng.random() < 0.5:
        inner *= min(2000, (1 << 16) // len(inner) + 1)
    else:
        for _ in range(rng.choice((2, 100, 2000))):
            size = len(inner)
            inner = rng.choice((b"\x30\x84", b"\xa0\x84")) + size.to_bytes(4, "big") + inner
    data[at:end] = inner


DER: tuple[Change, ...] = (_length, _length, _tag, _contents, _contents, _nest, *BYTES)


def mutate_der(rng: Random, start: Input, others: Sequence[Input]) -> bytes:
    """Change a certificate or a PKCS#7 message."""
    return apply(rng, start.data, others, DER)


def mutate_signature(rng: Random, start: Input, others: Sequence[Input]) -> bytes:
    """Change what is appended to a module: the message, or the record and the magic behind it."""
    if rng.random() < 0.4 or len(start.data) < 40:
        return apply(rng, start.data, others, BYTES)
    message, record, magic = start.data[:-40], bytearray(start.data[-40:-28]), start.data[-28:]
    changed = apply(rng, message, others, DER)
    if rng.random() < 0.8:
        record[8:] = len(changed).to_bytes(4, "big")
    return changed + bytes(record) + magic
