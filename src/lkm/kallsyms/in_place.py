"""Read two texts of the same symbols at other addresses, as after a reboot with KASLR.

Every line differs, yet nothing but digits does. So the texts are looked at as numbers, whose bytes
are the characters: where lines begin is one number, where their addresses stand follows from it by
shifts, and that two texts are the same elsewhere takes three operations, whatever the number of
lines. None of them becomes an object of its own.
"""

from __future__ import annotations

import re
import sys
from array import array
from binascii import unhexlify
from itertools import groupby

from lkm import _text
from lkm.kallsyms.parse import Columns, Lines, split_lines

_PIECE = 1 << 18  # what the processor keeps at hand
_FULL = b"\xff"
_BREAKS = bytes(_FULL[0] if byte == ord("\n") else 0 for byte in range(256))
_SPACES = int.from_bytes(b" " * _PIECE, "little")
_MODULE = re.compile(rb"\t([^\n]*)")
_WIDTHS = (16, 8)


def columns_in_place(old: bytes, new: bytes) -> tuple[Columns, Columns] | None:
    """Return the columns of two texts that differ in their addresses only.

    None where they differ otherwise too, or a line is not what the kernel writes.
    """
    width = old.find(b" ")
    if len(old) != len(new) or width not in _WIDTHS:
        return None
    lines = split_lines(old)
    modules = None if lines is None else _modules(lines)
    if lines is None or modules is None:
        return None
    pieces = []
    start = 0
    while start < len(old):
        stop = old.rfind(b"\n", start, start + _PIECE) + 1
        piece = _piece(old[start:stop], new[start:stop], width)
        if piece is None:
            return None
        pieces.append(piece)
        start = stop
    befores, afters, types = (b"".join(each) for each in zip(*pieces, strict=True))
    # A NUL among the digits would have been left out.
    if not len(befores) == len(afters) == len(types) * width // 2 == len(lines) * width // 2:
        return None
    one, two = (
        Columns(
            addresses=_addresses(packed, width),
            types=types.decode("latin-1"),
            modules=modules,
            lines=lines,
            address_size=width // 2,
        )
        for packed in (befores, afters)
    )
    return one, two


def _piece(old: bytes, new: bytes, width: int) -> tuple[bytes, bytes, bytes] | None:
    """Return the addresses before, those after, and the types of some lines."""
    if not old or old.endswith(b" \n"):
        return None
    size = len(old)
    starts = int.from_bytes((b"\n" + old[:-1]).translate(_BREAKS), "little")
    digits, covered = starts, 1
    while covered < width:
        digits |= digits << 8 * covered
        covered *= 2
    one, two = int.from_bytes(old, "little"), int.from_bytes(new, "little")
    if (one ^ two) | digits != digits or not _are_lines(one, starts, width):
        return None
    # The blank and the type letter behind an address come along with it.
    words = (one & (digits | digits << 16)).to_bytes(size + 2, "little").translate(None, b"\0")
    afters = (two & digits).to_bytes(size + 2, "little").translate(None, b"\0")
    befores = bytearray(words)
    del befores[width + 1 :: width + 2]
    del befores[width :: width + 1]
    try:
        return unhexlify(befores), unhexlify(afters), words[width + 1 :: width + 2]
    except ValueError:
        return None


def _are_lines(text: int, starts: int, width: int) -> bool:
    """Tell whether each line of *text* has an address of *width*, one letter, and more."""
    blanks = starts << 8 * width | starts << 8 * (width + 2)
    # A name that is empty ends its line there, and the next one starts.
    return text & blanks == _SPACES & blanks and not starts & starts << 8 * (width + 4)


def _addresses(packed: bytes, width: int) -> array[int]:
    addresses = array("Q" if width == _WIDTHS[0] else "I", packed)
    if sys.byteorder == "little":
        addresses.byteswap()
    return addresses if width == _WIDTHS[0] else array("Q", addresses)


def _modules(lines: Lines) -> tuple[str, ...] | None:
    """Return the module of each line, None where one is not in brackets or its name is empty."""
    loaded = lines.data[lines.own_end :]
    words = _MODULE.findall(loaded)
    if loaded.count(b"\t[") != len(words) or loaded.count(b"]\n") != len(words):
        return None
    if b" \t" in loaded:
        return None
    modules = [""] * lines.own_count
    for word, run in groupby(words):
        modules += [_text.decode(word[1:-1])] * len(list(run))
    return tuple(modules)
