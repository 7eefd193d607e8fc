"""Build the tables of kallsyms as the kernel's build writes them, in every order it has used.

Written from scripts/kallsyms.c's description, apart from the product's reader.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tests.builders.vmlinux import an_elf_kernel

# What stands where. "seqs" are the numbers that let the kernel look names up.
LAYOUTS = {
    "absolute": ("addresses", "num_syms", "names", "markers", "token_table", "token_index"),
    "4.19": ("offsets", "base", "num_syms", "names", "markers", "token_table", "token_index"),
    "5.10": ("offsets", "base", "num_syms", "names", "markers", "token_table", "token_index"),
    "6.2": (
        "offsets",
        "base",
        "num_syms",
        "names",
        "markers",
        "seqs",
        "token_table",
        "token_index",
    ),
    "6.4": (
        "num_syms",
        "names",
        "markers",
        "token_table",
        "token_index",
        "offsets",
        "base",
        "seqs",
    ),
    "7.1": ("num_syms", "names", "markers", "token_table", "token_index", "offsets", "seqs"),
}
# The symbols lie in .text, and so before the tables.
_TEXT_SIZE = 0x10 * 700
SECTION = ".rodata.kallsyms"
Symbol = tuple[int, str, str]
_TOKENS = (b"_init", b"module_", b"sys_", b"__x64", b"Tx")


def symbols(count: int, base: int, *, per_cpu: int = 0) -> tuple[Symbol, ...]:
    """Return that many symbols in the kernel's order, the first of them per-CPU ones."""
    low = [(0x1000 * index, "A", f"per_cpu_{index}") for index in range(per_cpu)]
    rest = [
        (base + 0x10 * (index // 2), "TtDdBbrW"[index % 8], f"{_stem(index)}_init_{index}")
        for index in range(count - per_cpu)
    ]
    return (*low, *rest)


def _stem(index: int) -> str:
    if index % 50 == 7:
        return "very_long_" * 20
    return ("module_x", "__x64_sys_call", "y.z", "a")[index % 4]


def a_kernel(
    listed: Sequence[Symbol],
    layout: str = "6.4",
    *,
    bits: int = 64,
    order: str = "<",
    percpu: bool = False,
    padding: int = 64,
    changes: Mapping[str, bytes] = MappingProxyType({}),
) -> bytes:
    """Return an ELF kernel whose own symbols are *listed*; *changes* replace tables by name."""

    def kernel(data: bytes) -> bytes:
        return an_elf_kernel(
            exports=(),
            text=bytes(_TEXT_SIZE),
            sections=[(SECTION, bytes(padding) + data)],
            bits=bits,
            order=order,
        )

    at = _address_of_last(kernel(b""), bits, order) + padding
    return kernel(
        tables(listed, layout, at, bits=bits, order=order, percpu=percpu, changes=changes)
    )


def tables(
    listed: Sequence[Symbol],
    layout: str,
    at: int,
    *,
    bits: int = 64,
    order: str = "<",
    percpu: bool = False,
    changes: Mapping[str, bytes] = MappingProxyType({}),
) -> bytes:
    """Return the tables for *listed*, to lie at address *at*."""
    word = bits // 8 if layout in ("absolute", "4.19") else 4
    align = 4 if layout == "7.1" else bits // 8
    names, positions = _names(listed)
    code = {4: "I", 8: "Q"}
    texts = _token_texts()
    starts = [sum(len(text) + 1 for text in texts[:index]) for index in range(256)]
    base = next(address for address, kind, _ in listed if not percpu or kind != "A")
    parts = {
        "num_syms": struct.pack(order + code[word], len(listed)),
        "names": names,
        "markers": struct.pack(f"{order}{len(positions[::256])}{code[word]}", *positions[::256]),
        "token_table": b"".join(text + b"\0" for text in texts),
        "token_index": struct.pack(f"{order}256H", *starts),
        "addresses": struct.pack(
            f"{order}{len(listed)}{code[bits // 8]}", *(each[0] for each in listed)
        ),
        "base": struct.pack(order + code[bits // 8], base),
        "seqs": b"".join(index.to_bytes(3, "big") for index in reversed(range(len(listed)))),
        **changes,
    }
    data = b""
    for name in LAYOUTS[layout]:
        data += bytes(-len(data) % align)
        if name == "offsets":
            place = at + len(data) if layout == "7.1" else None
            data += _offsets(listed, base, order, place=place, percpu=percpu)
        else:
            data += parts[name]
    return data


def _offsets(
    listed: Sequence[Symbol], base: int, order: str, *, place: int | None, percpu: bool
) -> bytes:
    numbers = []
    for index, (address, kind, _) in enumerate(listed):
        if place is not None:
            numbers.append(address - place - 4 * index)
        elif not percpu:
            numbers.append(address - base)
        else:
            numbers.append(address if kind == "A" else base - 1 - address)
    return b"".join(struct.pack(order + "I", number & 0xFFFFFFFF) for number in numbers)


def _token_texts() -> list[bytes]:
    """Every character stands for itself; some other bytes for more, the rest for nothing."""
    used = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_.$"
    texts = [bytes([byte]) if byte in used else b"" for byte in range(256)]
    for index, text in enumerate(_TOKENS):
        texts[1 + index] = texts[200 + index] = text
    return texts


def _names(listed: Sequence[Symbol]) -> tuple[bytes, list[int]]:
    texts = _token_texts()
    data = b""
    positions = []
    for _, kind, name in listed:
        tokens = (kind + name).encode("utf-8", "surrogateescape")
        for text in _TOKENS:
            tokens = tokens.replace(text, bytes([texts.index(text)]))
        positions.append(len(data))
        size = len(tokens)
        length = bytes([size]) if size < 0x80 else bytes([size & 0x7F | 0x80, size >> 7])
        data += length + tokens
    return data, positions


def _address_of_last(kernel: bytes, bits: int, order: str) -> int:
    """Return the address of the section before the section names."""
    at, size, code = (40, 64, "Q") if bits == 64 else (32, 40, "I")
    (table,) = struct.unpack_from(order + code, kernel, at)
    (count,) = struct.unpack_from(order + "H", kernel, 60 if bits == 64 else 48)
    header = table + (count - 2) * size
    (address,) = struct.unpack_from(order + code, kernel, header + (16 if bits == 64 else 12))
    return int(address)
