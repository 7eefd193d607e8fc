"""A kernel's symbol table as a value: of the running kernel, a snapshot, a sandbox, an image."""

from __future__ import annotations

import fnmatch
import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Final, NamedTuple

from lkm.kallsyms.parse import (
    Columns,
    Lines,
    columns_of_lines,
    first_lines,
    is_hidden,
    module_names,
    parse_slowly,
    split_lines,
    text_of,
)

# A table tells where symbols begin, not where the last one of the kernel or of a module ends;
# hardly any object of theirs is larger than this.
_REACH = 1 << 20
_PAGE = 4096
_FEW = 8


class Symbol(NamedTuple):
    """One line of ``/proc/kallsyms``. *module* is empty for the kernel's own symbols.

    An address of zero stands for one that the reader may not know (but for per-CPU symbols).
    """

    address: int
    type: str
    name: str
    module: str


class SymbolTable:
    """Symbols in the order of ``/proc/kallsyms``; immutable. *release* is the kernel's, or empty.

    Its columns are made from the text when first asked for: comparing two tables needs only the
    part in which they differ.
    """

    def __init__(
        self,
        columns: Columns | None,
        *,
        release: str = "",
        text: bytes | None = None,
        lines: Lines | None = None,
        hidden: bool | None = None,
    ) -> None:
        self.release: Final = release
        self._given: Columns | None = columns
        self._lines: Lines | None = lines
        self._text: bytes | None = text
        self._hidden: bool | None = hidden

    @classmethod
    def from_text(cls, data: bytes, *, release: str = "") -> SymbolTable:
        """Read the text of ``/proc/kallsyms``.

        Raises ``FormatError`` naming the line if one has too few words. That a word is empty, or
        no address or type, is told only when a column is asked for.
        """
        if data and not data.endswith(b"\n"):
            data += b"\n"
        lines = split_lines(data)
        columns = parse_slowly(data) if lines is None else None
        return cls(columns, release=release, text=data, lines=lines)

    @classmethod
    def from_symbols(
        cls, symbols: Iterable[tuple[int, str, str, str]], *, release: str = ""
    ) -> SymbolTable:
        """Return the table of *symbols*: address, type letter, name, module or empty."""
        rows = tuple(symbols)
        return cls(
            Columns(
                addresses=array("Q", [row[0] for row in rows]),
                types="".join([row[1] for row in rows]),
                names=tuple([row[2] for row in rows]),
                modules=tuple([row[3] for row in rows]),
            ),
            release=release,
        )

    @property
    def columns(self) -> Columns:
        """The columns. Raises ``FormatError`` naming the line whose address or type is none."""
        if self._given is None:
            assert self._lines is not None
            assert self._text is not None
            self._given = columns_of_lines(self._lines) or parse_slowly(self._text)
            self._lines = None
        return self._given

    @property
    def addresses(self) -> array[int]:
        """Every symbol's address; not to be changed."""
        return self.columns.addresses

    @property
    def types(self) -> str:
        """Every symbol's type letter."""
        return self.columns.types

    @property
    def names(self) -> tuple[str, ...]:
        """Every symbol's name."""
        return self.columns.names

    @property
    def modules(self) -> tuple[str, ...]:
        """Every symbol's module, empty for the kernel's own."""
        return self.columns.modules

    @property
    def text(self) -> bytes | None:
        """The text that this was read from, None where it came from elsewhere."""
        return self._text

    @cached_property
    def module_names(self) -> tuple[str, ...]:
        """The modules that have symbols, in the table's order."""
        if self._lines is not None:
            return module_names(self._lines)
        return tuple([module for module in dict.fromkeys(self.modules) if module])

    def places_of(self, modules: Collection[str]) -> dict[str, int]:
        """Return numbers that order those of *modules* that have symbols as the table does."""
        if self._lines is not None and len(modules) <= _FEW:
            return first_lines(self._lines, modules)
        return {name: place for place, name in enumerate(self.module_names) if name in modules}

    @cached_property
    def hidden(self) -> bool:
        """Whether all addresses are zero: the kernel kept them from whoever read them.

        Of a part of a table it tells what is true of the whole: a per-CPU symbol may be at zero.
        """
        if self._hidden is not None:
            return self._hidden
        if self._given is None and self._text is not None:
            return is_hidden(self._text)  # most often told by the first lines
        return bool(len(self)) and not any(self.addresses)

    def __len__(self) -> int:
        return len(self._lines) if self._lines is not None else len(self.columns.types)

    def __iter__(self) -> Iterator[Symbol]:
        columns = self.columns
        rows = zip(columns.addresses, columns.types, columns.names, columns.modules, strict=True)
        return map(Symbol._make, rows)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SymbolTable):
            return NotImplemented
        return self.release == other.release and self.as_text() == other.as_text()

    def __hash__(self) -> int:
        return hash((self.release, len(self)))

    def as_text(self) -> bytes:
        """Return the lines of ``/proc/kallsyms``."""
        return text_of(self.columns) if self._text is None else self._text

    def find(self, pattern: str) -> SymbolTable:
        """Return the symbols whose whole name matches *pattern*: ``*``, ``?`` and ``[...]``."""
        if not re.search(r"[*?[]", pattern):
            return self._where(self.names, lambda name: name == pattern)
        match = re.compile(fnmatch.translate(pattern)).match
        return self._where(self.names, lambda name: match(name) is not None)

    def of_module(self, name: str) -> SymbolTable:
        """Return the symbols of the module *name*, of the kernel itself if that is empty."""
        return self._where(self.modules, lambda module: module == name)

    def at_address(self, address: int) -> tuple[Symbol, int] | None:
        """Return the symbol that *address* lies at or after, and how many bytes after it.

        Of several at one address it is the first, as in the kernel's own messages. None where
        addresses are hidden, or where no symbol is near: 1 MiB or more after the last one, or after
        one of the kernel's own while not between ``_stext`` and the page of ``_end``, if those are
        in the table.
        """
        if self.hidden:
            return None
        addresses, order = self._by_address
        after = bisect_right(addresses, address)
        if not after or address - addresses[after - 1] >= _REACH:
            return None
        first = order[bisect_left(addresses, addresses[after - 1])]
        columns = self.columns
        symbol = Symbol(
            columns.addresses[first],
            columns.types[first],
            columns.names[first],
            columns.modules[first],
        )
        if address > symbol.address and not symbol.module and address not in self._extent:
            return None
        return symbol, address - symbol.address

    def rows(self, indexes: Sequence[int]) -> SymbolTable:
        """Return the table of the symbols at *indexes* only, in that order."""
        columns = self.columns
        addresses, types = columns.addresses, columns.types
        names, modules = (columns.names, columns.modules) if indexes else ((), ())
        return SymbolTable(
            Columns(
                addresses=array("Q", [addresses[index] for index in indexes]),
                types="".join([types[index] for index in indexes]),
                names=tuple([names[index] for index in indexes]),
                modules=tuple([modules[index] for index in indexes]),
                address_size=columns.address_size,
            ),
            release=self.release,
            hidden=self.hidden,
        )

    def _where(self, column: Sequence[str], wanted: Callable[[str], bool]) -> SymbolTable:
        return self.rows([index for index, each in enumerate(column) if wanted(each)])

    @cached_property
    def _extent(self) -> range:
        """Where the kernel itself lies, everywhere if the table does not tell."""
        lies = {"_text": 0, "_stext": 0, "_end": 1 << 64}
        for address, name, module in zip(self.addresses, self.names, self.modules, strict=True):
            if name in lies and not module:
                lies[name] = address
        start = min(lies["_text"] or lies["_stext"], lies["_stext"] or lies["_text"])
        return range(start, -(-lies["_end"] // _PAGE) * _PAGE)

    @cached_property
    def _by_address(self) -> tuple[list[int], list[int]]:
        addresses = self.addresses
        order = sorted(range(len(addresses)), key=addresses.__getitem__)
        return [addresses[index] for index in order], order
