"""A module that declares parameters of every kind, made as the compiler makes it."""

from __future__ import annotations

import struct

from tests.builders.elf import SHT_RELA, ASection, ASymbol, a_module

ALLOC, WRITE = 2, 1
ABSOLUTE = 1  # R_X86_64_64

# Where each value lies in .data, and how it begins.
DATA = struct.pack(
    "<iIB?B?i4iIq8s8xQ",
    *(-1, 2, 3, True, 0, False, 4),  # num, unsigned, byte, yes, pad, inverted, hidden
    *(1, 2, 0, 0),  # list
    *(2, -5),  # list's count, large
    b"abc\0",  # text; behind it the pointer of a charp
    77,
)
OFFSETS = {"num": 0, "unum": 4, "small": 8, "yes": 9, "inv": 11, "hidden": 12, "list": 16}
OFFSETS |= {"count": 32, "large": 36, "buffer": 44, "name": 52, "danger": 0}

# name -> operations, mode, flags
DECLARED = {
    "num": ("param_ops_int", 0o644, 0),
    "unum": ("param_ops_uint", 0o444, 0),
    "small": ("param_ops_byte", 0o444, 0),
    "yes": ("param_ops_bool", 0o644, 0),
    "inv": ("param_ops_invbool", 0o644, 0),
    "hidden": ("param_ops_int", 0, 0),
    "list": ("param_array_ops", 0o444, 0),
    "large": ("param_ops_long", 0o444, 0),
    "buffer": ("param_ops_string", 0o444, 0),
    "name": ("param_ops_charp", 0o444, 0),
    "danger": ("param_ops_int", 0o444, 1),
    "two-words": ("param_ops_hexint", 0o444, 0),
    "own": ("my_ops", 0o444, 0),
    "secret": ("param_ops_int", 0o200, 0),
}
OFFSETS |= {"two-words": 4, "own": 0, "secret": 0}


def a_parameter_module(**parts: object) -> bytes:
    """Build module ``tiny`` with the parameters of DECLARED; *parts* are a_module's."""
    names = b"\0".join([name.encode() for name in DECLARED]) + b"\0charps text\0"
    name_at = {name: names.index(name.encode() + b"\0") for name in DECLARED}
    first = 4  # behind the null symbol, __this_module, init_module, cleanup_module
    symbols = [
        ASymbol(".data", ".data", type=3),
        ASymbol(".rodata.names", ".rodata.names", type=3),
        ASymbol(".rodata.more", ".rodata.more", type=3),
        ASymbol("my_ops", ".data"),
        *(
            ASymbol(name)
            for name in dict.fromkeys(ops for ops, _m, _f in DECLARED.values())
            if name.startswith("param_")
        ),
    ]
    numbers = {symbol.name: first + at for at, symbol in enumerate(symbols)}
    records, pointers = b"", b""
    for number, (name, (ops, mode, flags)) in enumerate(DECLARED.items()):
        at = 40 * number
        records += struct.pack("<24xHbB4x8x", mode, -1, flags)
        value = (".rodata.more", 32 if name == "buffer" else 0)
        if name not in {"list", "buffer"}:
            value = (".data", OFFSETS[name])
        pointers += _pointer(at, numbers[".rodata.names"], name_at[name])
        pointers += _pointer(at + 16, numbers[ops], 0)
        pointers += _pointer(at + 32, numbers[value[0]], value[1])
    # struct kparam_array, then struct kparam_string
    more = struct.pack("<II8x8x8x", 4, 4) + struct.pack("<I4x8x", 8)
    more_pointers = _pointer(8, numbers[".data"], OFFSETS["count"])
    more_pointers += _pointer(16, numbers["param_ops_int"], 0)
    more_pointers += _pointer(24, numbers[".data"], OFFSETS["list"])
    more_pointers += _pointer(40, numbers[".data"], OFFSETS["buffer"])
    text = _pointer(OFFSETS["name"], numbers[".rodata.names"], names.index(b"charps text"))
    extra = (
        ASection(".data", DATA, flags=ALLOC | WRITE, align=8),
        ASection(".rodata.names", names),
        ASection(".rodata.more", more, align=8),
        ASection("__param", records, align=8),
        *(
            ASection(f".rela{name}", packed, SHT_RELA, 0x40, 8, ".symtab", name, 24)
            for name, packed in (
                ("__param", pointers),
                (".rodata.more", more_pointers),
                (".data", text),
            )
        ),
    )
    return a_module(**({"extra": extra, "extra_symbols": symbols} | parts))


def _pointer(place: int, symbol: int, addend: int) -> bytes:
    return struct.pack("<QQq", place, symbol << 32 | ABSOLUTE, addend)
