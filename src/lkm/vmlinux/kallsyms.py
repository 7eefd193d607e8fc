"""Decode the whole symbol table that a kernel image carries for ``/proc/kallsyms``.

``kallsyms_tables`` finds the names, ``kallsyms_addresses`` the addresses that belong to them.

Source: Linux, scripts/kallsyms.c (write_src) and kernel/kallsyms.c (kallsyms_expand_symbol).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from lkm import _text
from lkm.vmlinux.answers import LayoutNotKnown, NotThere
from lkm.vmlinux.kallsyms_addresses import AddressSearch, parts_of
from lkm.vmlinux.kallsyms_tables import (
    Budget,
    Memory,
    Names,
    Tokens,
    TooManyStepsError,
    find_names,
    find_tokens,
)

if TYPE_CHECKING:
    from lkm.vmlinux.image import KernelImage

# Besides the kernel's own there may be a second one in an image that contains a kernel.
_MOST_TOKEN_TABLES = 4
# Expanded, a symbol has some 25 characters; this keeps made-up tokens from filling the memory.
_MEAN_SYMBOL = 128
_BYTES_PER_STEP = 8
# Those of nm(1); the kernel prints one of its own, "?", for a module's symbols only.
_TYPES = frozenset("ABCDGINRSTUVWabcdginprstuvw-?")
_WHITE_SPACE = re.compile(rb"[\t\n\v\f\r ]")


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelSymbols:
    """The kernel's own symbols as ``/proc/kallsyms`` shows them to root, in its order.

    Columns of equal length: *addresses* as linked, that is without KASLR; *types* has one letter a
    symbol. *address_size* is 8 or 4 bytes.
    """

    addresses: tuple[int, ...]
    types: str
    names: tuple[str, ...]
    address_size: int = 8

    def __len__(self) -> int:
        return len(self.addresses)

    def __iter__(self) -> Iterator[tuple[int, str, str]]:
        """Yield (address, type letter, name)."""
        return zip(self.addresses, self.types, self.names, strict=True)

    def as_text(self) -> bytes:
        """Return the lines of ``/proc/kallsyms``."""
        line = f"%0{2 * self.address_size}x %s %s\n"
        return _text.encode("".join([line % symbol for symbol in self]))


def decode_kallsyms(image: KernelImage) -> KernelSymbols | NotThere | LayoutNotKnown:
    """Return every symbol of *image*'s own table, modules' not among them.

    ``NotThere`` means that there is no token table anywhere: the kernel was built without KALLSYMS.
    """
    memory = Memory(image.data, image.order, image.is_64bit, Budget(len(image.data)))
    try:
        return _search(image, memory)
    except TooManyStepsError as error:
        return LayoutNotKnown(f"to find the tables of kallsyms takes {error}")


def _search(image: KernelImage, memory: Memory) -> KernelSymbols | NotThere | LayoutNotKnown:
    answer: NotThere | LayoutNotKnown = NotThere("the image has no token table of kallsyms")
    if image.release is None:  # perhaps it is still packed, in a way that nobody here knows
        answer = LayoutNotKnown("the image does not say that it is Linux, and has no token table")
    for tokens in islice(find_tokens(memory), _MOST_TOKEN_TABLES):
        symbols = _decode(image, memory, tokens)
        if isinstance(symbols, KernelSymbols):
            return symbols
        answer = symbols
    return answer


def _decode(image: KernelImage, memory: Memory, tokens: Tokens) -> KernelSymbols | LayoutNotKnown:
    names = find_names(memory, tokens)
    if names is None:
        return LayoutNotKnown("no names of kallsyms fit its token table")
    memory.budget.spend((names.end - names.start) // _BYTES_PER_STEP)
    symbols = _expand(memory.data, tokens, names)
    if symbols is None:
        return LayoutNotKnown("the names of kallsyms do not begin with type letters")
    types, texts = symbols
    search = AddressSearch(
        memory=memory, tokens=tokens, names=names, types=types, parts=parts_of(image)
    )
    addresses = search.find()
    if addresses is None:
        return LayoutNotKnown("no table of addresses fits the names of kallsyms")
    return KernelSymbols(
        addresses=addresses, types=types, names=texts, address_size=memory.pointer_size
    )


def _expand(data: bytes, tokens: Tokens, names: Names) -> tuple[str, tuple[str, ...]] | None:
    """Return the type letters and the names, None where these cannot be such."""
    if any(map(_WHITE_SPACE.search, tokens.texts)):  # no line would be a line
        return None
    # All at once, since a call for each of 160,000 symbols takes longer than all the rest: every
    # byte becomes its token, and then the bytes of each length a NUL.
    pieces = [tokens.texts[byte] for byte in data[names.start : names.end]]
    for position, first in zip(names.positions, names.tokens_at, strict=True):
        pieces[position - names.start] = b"\0"
        if first - position > 1:
            pieces[position - names.start + 1] = b""
    if sum(map(len, pieces)) > _MEAN_SYMBOL * len(names.positions) + _MEAN_SYMBOL**2:
        return None
    symbols = _text.decode(b"".join(pieces)).split("\0")[1:]
    types = "".join([symbol[:1] for symbol in symbols])
    if len(types) != len(symbols) or not set(types) <= _TYPES:
        return None
    return types, tuple([symbol[1:] for symbol in symbols])
