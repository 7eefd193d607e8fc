"""Type information (BTF) of a module, made from lines of text.

A line is a type: its kind, its name, its size (or the type referred to), then ``vlen=N``, ``flag``
or ``info=WORD``, then the words that follow its head. A word is a number, ``first`` or ``first+N``
for the module's own types, a name of ``NAMES``, ``int`` for a name
of the kernel's, ``-`` for none, or ``end+N`` for what lies behind all strings.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

KINDS = (
    *("VOID", "INT", "PTR", "ARRAY", "STRUCT", "UNION", "ENUM", "FWD", "TYPEDEF", "VOLATILE"),
    *("CONST", "RESTRICT", "FUNC", "FUNC_PROTO", "VAR", "DATASEC", "FLOAT", "DECL_TAG"),
    *("TYPE_TAG", "ENUM64", "KIND20"),
)
NAMES: Mapping[str, bytes] = {
    "empty": b"",
    "good": b"good",
    "bad": b"bad name",
    "num": b"1num",
    "dot": b".dot_",
    "latin": b"\xe9t\xe9",
    "percent": b"a%s",
    "long": b"L" * 512,
    "toolong": b"M" * 513,
}
STRINGS = b"".join([name + b"\0" for name in NAMES.values()])


def a_btf(
    lines: Iterable[str], strings_size: int, first: int, header: Mapping[str, int] | None = None
) -> bytes:
    """Return a module's BTF for a kernel with strings of that size; its types begin at *first*.

    *header* are fields that differ from what fits; ``cut`` leaves out the last bytes of the
    strings, ``garbage`` puts bytes that make no word behind the types.
    """
    given = dict(header or {})
    strings = STRINGS[: len(STRINGS) - given.pop("cut", 0)]
    types = b"".join([_type(line.split(), strings_size, first) for line in lines])
    types += bytes(given.pop("garbage", 0))
    fields = {"magic": 0xEB9F, "version": 1, "flags": 0, "hdr": 24, "to": 0}
    fields |= {"tl": len(types), "so": len(types), "sl": len(strings)} | given
    return struct.pack("<HBBIIIII", *fields.values()) + types + strings


def _type(words: list[str], strings_size: int, first: int) -> bytes:
    kind = KINDS.index(words[0]) if words[0] in KINDS else int(words[0].removeprefix("KIND"))
    info, rest = kind << 24, []
    for word in words[3:]:
        if word == "flag":
            info |= 1 << 31
        elif word.startswith("vlen="):
            info |= int(word[5:])
        elif word.startswith("info="):
            info = int(word[5:], 0)
        else:
            rest.append(word)
    numbers = [_number(word, strings_size, first) for word in (words[1], words[2], *rest)]
    return struct.pack(f"<{2 + len(rest) + 1}I", numbers[0], info, *numbers[1:])


def _number(word: str, strings_size: int, first: int) -> int:
    name, _plus, more = word.partition("+")
    if name in NAMES:
        before = list(NAMES).index(name)
        return strings_size + sum([len(each) + 1 for each in list(NAMES.values())[:before]])
    if name in {"first", "end"}:
        start = first if name == "first" else strings_size + len(STRINGS)
        return start + int(more or 0)
    if word in {"-", "int"}:
        return 0 if word == "-" else 1
    return int(word, 0) & 0xFFFF_FFFF
