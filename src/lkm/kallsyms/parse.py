"""Parse the text of ``/proc/kallsyms``, all lines at once.

    ADDRESS TYPE NAME              the kernel's own, sorted by address
    ADDRESS TYPE NAME<tab>[MODULE] then the modules', newest module first; last what has no module:
                                   [bpf], [__builtin__ftrace], [__builtin__kprobes]

ADDRESS has 16 hex digits, or 8 on a 32-bit machine, and is zero where the reader may not know it.

200,000 lines are usual, so nothing here goes line by line as long as the text is what the kernel
writes: that every line has its three or four words follows from the white space alone, and all
words are split in one call, when a column is asked for. Only a text that fails that is read
slowly, to say which line is wrong, or to take it for what it is (lines in another order, a name
with a blank).

Source: Linux, kernel/kallsyms.c, s_show.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Final

from lkm import _text
from lkm.errors import FormatError

_WHAT = "kallsyms"
_NO_SPACE = bytes(byte for byte in range(256) if byte not in b" \t\n\v\f\r")
_OWN_LINE, _MODULE_LINE = b"  \n", b"  \t\n"
_WIDTHS = (16, 8)
_VISIBLE = re.compile(rb"^0*[1-9a-fA-F]", re.MULTILINE)
_MODULE = re.compile(rb"\t([^\n]*)")
_SHOWN = 80


class Columns:
    """A symbol table, column by column, all of equal length; not to be changed.

    *addresses* is of 64-bit numbers; *types* has one letter a symbol; *modules* is empty for the
    kernel's own. *address_size* is 8 or 4 bytes. No name holds a line end. The names are given
    one by one, or as *joined*, each with a line feed behind it, or are those of *lines*, of which
    all words are known to be right, and are then taken apart when they are first asked for.
    """

    def __init__(
        self,
        *,
        addresses: array[int],
        types: str,
        modules: tuple[str, ...],
        names: tuple[str, ...] | None = None,
        joined: bytes = b"",
        lines: Lines | None = None,
        address_size: int = 8,
    ) -> None:
        self.addresses: Final = addresses
        self.types: Final = types
        self.modules: Final = modules
        self.address_size: Final = address_size
        self._names: tuple[str, ...] | None = names
        self._joined: bytes = joined
        self._lines: Final = lines

    @property
    def names(self) -> tuple[str, ...]:
        """Every symbol's name."""
        if self._names is None:
            # Decoded in one piece: a call for each of 200,000 names costs more than all of this.
            names = _text.decode(self.joined_names()).split("\n")
            names.pop()
            self._names = tuple(names)
        return self._names

    @cached_property
    def runs(self) -> dict[str, list[tuple[int, int]]]:
        """From which row to which each module has its symbols."""
        return runs_of(self.modules)

    def joined_names(self) -> bytes:
        """Return all names, each with a line feed behind it."""
        if not self._joined and self._lines is not None:
            self._joined = _joined(self._lines)
        if self._joined or not self.types:
            return self._joined
        return _text.encode("\n".join(self.names) + "\n")

    def has_names_of(self, other: Columns) -> bool:
        """Tell whether both have the same names, in the same order."""
        if self._lines is not None and self._lines is other._lines:
            return True
        if self._joined and other._joined:
            return self._joined == other._joined
        return self.names == other.names

    def part(self, start: int, stop: int, joined: bytes) -> Columns:
        """Return the rows from *start* to *stop*, whose names are *joined*."""
        return Columns(
            addresses=self.addresses[start:stop],
            types=self.types[start:stop],
            joined=joined,
            modules=self.modules[start:stop],
            address_size=self.address_size,
        )


@dataclass(frozen=True, slots=True)
class Lines:
    """A text whose lines look right: the kernel's own, then, from *own_end*, the modules'."""

    data: bytes
    own_end: int
    own_count: int
    module_count: int

    def __len__(self) -> int:
        return self.own_count + self.module_count


def split_lines(data: bytes) -> Lines | None:
    """Return where the two parts of *data* are, None where it is not what the kernel writes.

    Looks at white space only, which says how many words each line has unless one is empty.
    """
    own_end = data.find(b"\t")
    own_end = len(data) if own_end < 0 else data.rfind(b"\n", 0, own_end) + 1
    space = data.translate(None, _NO_SPACE)
    tab = space.find(b"\t")
    own_count = (len(space) if tab < 0 else space.rfind(b"\n", 0, tab) + 1) // len(_OWN_LINE)
    module_count = (len(space) - own_count * len(_OWN_LINE)) // len(_MODULE_LINE)
    if space != _OWN_LINE * own_count + _MODULE_LINE * module_count:
        return None
    return Lines(data, own_end, own_count, module_count)


def columns_of_lines(lines: Lines) -> Columns | None:
    """Return the columns of *lines*, None where a word is empty, or no address, type or module."""
    own = lines.data[: lines.own_end].split()
    modules = lines.data[lines.own_end :].split()
    if len(own) != 3 * lines.own_count or len(modules) != 4 * lines.module_count:
        return None
    types = b"".join(own[1::3] + modules[1::4])
    addresses = _addresses(own[0::3] + modules[0::4])
    brackets = set(modules[3::4])
    if addresses is None or len(types) != len(lines) or not all(map(_is_module, brackets)):
        return None
    texts = {word: _text.decode(word[1:-1]) for word in brackets}
    return Columns(
        addresses=addresses,
        types=types.decode("latin-1"),
        joined=b"\n".join([*own[2::3], *modules[2::4], b""]),
        modules=("",) * lines.own_count + tuple([texts[word] for word in modules[3::4]]),
        address_size=len(own[0] if own else modules[0]) // 2 if len(lines) else 8,
    )


def _joined(lines: Lines) -> bytes:
    own = lines.data[: lines.own_end].split()
    return b"\n".join([*own[2::3], *lines.data[lines.own_end :].split()[2::4], b""])


def module_names(lines: Lines) -> tuple[str, ...]:
    """Return the modules in *lines*, in their order, each once."""
    ends = dict.fromkeys(_MODULE.findall(lines.data, lines.own_end))
    return tuple([_text.decode(word[1:-1]) for word in ends if _is_module(word)])


def first_lines(lines: Lines, modules: Iterable[str]) -> dict[str, int]:
    """Return where in *lines* the first one of each of *modules* ends, if there is one."""
    ends = {
        module: lines.data.find(b"\t[%b]\n" % _text.encode(module), lines.own_end)
        for module in modules
    }
    return {module: end for module, end in ends.items() if end >= 0}


def runs_of(modules: Iterable[str]) -> dict[str, list[tuple[int, int]]]:
    """Return from which row to which each of *modules* has its symbols."""
    found: dict[str, list[tuple[int, int]]] = {}
    start = 0
    for module, rows in groupby(modules):
        stop = start + len(list(rows))
        found.setdefault(module, []).append((start, stop))
        start = stop
    return found


def offset_of_line(data: bytes, line: int) -> int:
    """Return where the line that has *line* before it begins in *data*, or its end."""
    start, stop = 0, len(data)
    while stop - start > _SHOWN:
        middle = (start + stop) // 2
        before = data.count(b"\n", start, middle)
        if before >= line:
            stop = middle
        else:
            start, line = middle, line - before
    for _ in range(line):
        start = data.find(b"\n", start) + 1 or len(data)
    return start


def is_hidden(data: bytes) -> bool:
    """Tell whether all addresses in the text *data* are zero."""
    return bool(data) and _VISIBLE.search(data) is None


def parse_slowly(data: bytes) -> Columns:
    """Return the columns of any text of symbols, line by line.

    Raises ``FormatError`` naming the first line that has too few words, or no address or type.
    """
    addresses, types, names, modules = array("Q"), [], [], []
    size = 4
    offset = 0
    for number, line in enumerate(data.removesuffix(b"\n").split(b"\n") if data else (), 1):
        words = line.split(None, 2)
        problem = _problem(words)
        if problem:
            shown = _text.printable(_text.decode(line.rstrip()[:_SHOWN]))
            raise FormatError(_WHAT, f"line {number}: {problem}: {shown!r}", offset=offset)
        name, module = _name_and_module(words[2].rstrip())
        addresses.append(int(words[0], 16))
        types.append(words[1].decode("latin-1"))
        names.append(_text.decode(name))
        modules.append(_text.decode(module))
        size = 8 if len(words[0]) > _WIDTHS[-1] else size
        offset += len(line) + 1
    return Columns(
        addresses=addresses,
        types="".join(types),
        names=tuple(names),
        modules=tuple(modules),
        address_size=size,
    )


def text_of(columns: Columns) -> bytes:
    """Return the lines that the kernel would write for *columns*."""
    width = 2 * columns.address_size
    own, loaded = f"%0{width}x %s %s\n", f"%0{width}x %s %s\t[%s]\n"
    rows = zip(columns.addresses, columns.types, columns.names, columns.modules, strict=True)
    return _text.encode("".join([loaded % row if row[3] else own % row[:3] for row in rows]))


def _addresses(words: list[bytes]) -> array[int] | None:
    width = len(words[0]) if words else _WIDTHS[0]
    if width not in _WIDTHS or not set(map(len, words)) <= {width}:
        return None
    try:
        packed = bytes.fromhex(b"".join(words).decode("ascii"))
    except ValueError:  # not ASCII, or not hexadecimal
        return None
    addresses = array("Q" if width == _WIDTHS[0] else "I", packed)
    if sys.byteorder == "little":
        addresses.byteswap()
    return addresses if width == _WIDTHS[0] else array("Q", addresses)


def _is_module(word: bytes) -> bool:
    return word[:1] == b"[" and word[-1:] == b"]"


def _problem(words: list[bytes]) -> str:
    if len(words) < 3:
        return "too few words"
    if len(words[0]) > _WIDTHS[0] or not set(words[0]) <= set(b"0123456789abcdefABCDEF"):
        return "no address"
    return "" if len(words[1]) == 1 else "no type letter"


def _name_and_module(rest: bytes) -> tuple[bytes, bytes]:
    name, bracket, module = rest.rpartition(b"[")
    if bracket and module.endswith(b"]") and name[-1:] in (b"\t", b" ") and name.strip():
        return name.rstrip(), module[:-1]
    return rest, b""
