"""Find the tables of kallsyms in a kernel's bytes by their structure, without any symbol.

The build writes them as one run of ``.rodata``, each aligned to a pointer (since the relative base
went, to 4 bytes). Their order changed; what stands side by side did not, but for one table:

    before 6.2   offsets relative_base num_syms names markers            token_table token_index
    6.2, 6.3     offsets relative_base num_syms names markers seqs       token_table token_index
    since 6.4    num_syms names markers token_table token_index offsets relative_base seqs
    later        num_syms names markers token_table token_index offsets seqs

    token_table  256 texts, each with its NUL: what each byte of a compressed name stands for
    token_index  256 x u16: where in token_table each begins
    num_syms     u32 (before 4.20 as wide as a pointer)
    names        for each symbol its length, one byte, or since 6.1 two if the first has its high
                 bit set (low seven bits first), and that many tokens; expanded, a symbol begins
                 with its type letter
    markers      u32 (before 4.20 as wide as a pointer) for each 256th symbol: where in names it is
    seqs         3 bytes for each symbol: the order of names, which lkm does not need

So the token index is found first, since its 256 numbers must fit 256 texts; then, backwards, the
one place where markers begin whose names lead, symbol by symbol, from one marker to the next and
up to the markers themselves. A wrong guess has no chance to pass all that.

How many guesses there are is up to the bytes, so the search has a ``Budget`` of steps.

Source: Linux, scripts/kallsyms.c (write_src) and kernel/kallsyms.c.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

# Digits are used in every kernel's symbol names, and a used character stands for itself.
_DIGITS = b"".join(b"%d\0" % digit for digit in range(10))
_FIRST_DIGIT = ord("0")
_TOKENS = 256
_INDEX_SIZE = 2 * _TOKENS

# A kernel with everything built in has half a million symbols; the bounds keep a made-up image
# from costing more than a look at its bytes.
_MOST_SYMBOLS = 1 << 20
_MOST_SEQS = 3 * _MOST_SYMBOLS
_LONGEST_SYMBOL = 512
_STEP = 256  # symbols for each marker
_RUN = 4096
_MOST_MARKERS = _MOST_SYMBOLS // _STEP
_LONGEST_STEP = _STEP * (_LONGEST_SYMBOL + 2)  # bytes from one marker to the next


# Real images take some two steps a symbol; a step takes a fraction of a microsecond.
_LEAST_STEPS = 1 << 16
_BYTES_PER_STEP = 4
_MOST_STEPS = 4 << 20
_NUMBERS_PER_STEP = 8  # looked at all at once
_STEPS_PER_PLACE = 16


class TooManyStepsError(Exception):
    """A search that takes more than an image of its size needs."""


class Budget:
    """How many steps the search in an image of *size* bytes may take; *left* is what is left."""

    def __init__(self, size: int) -> None:
        self.steps: Final = min(_LEAST_STEPS + size // _BYTES_PER_STEP, _MOST_STEPS)
        self.left = self.steps

    def spend(self, steps: int) -> None:
        """Take *steps* off. Raises ``TooManyStepsError`` before they are done."""
        if steps > self.left:
            raise TooManyStepsError(f"more than {self.steps} steps")
        self.left -= steps


@dataclass(frozen=True, slots=True)
class Memory:
    """A kernel's bytes, how its numbers are written, and what a search in them may cost."""

    data: bytes
    order: Literal["<", ">"]
    is_64bit: bool
    budget: Budget

    @property
    def pointer_size(self) -> int:
        """Return the size of an address, in bytes."""
        return 8 if self.is_64bit else 4

    def numbers(self, offset: int, count: int, size: int) -> tuple[int, ...]:
        """Return *count* unsigned numbers of *size* bytes (2, 4, 8), none where they leave it."""
        if offset < 0 or count < 0 or offset + count * size > len(self.data):
            return ()
        code = {2: "H", 4: "I", 8: "Q"}[size]
        return struct.unpack_from(f"{self.order}{count}{code}", self.data, offset)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The token table: its texts, where it begins, and where the token index ends."""

    texts: tuple[bytes, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The table of names: *start* is its offset, *positions* where each symbol's length stands.

    *tokens_at* says where its tokens begin, *end* where the last one ends. *align* is the alignment
    of the tables in bytes, *count_at* the offset of num_syms.
    """

    start: int
    end: int
    align: int
    count_at: int
    positions: tuple[int, ...]
    tokens_at: tuple[int, ...]


def find_tokens(memory: Memory) -> Iterator[Tokens]:
    """Yield every place in *memory* where a token table and its index stand.

    Raises ``TooManyStepsError``.
    """
    data = memory.data
    for found in re.finditer(re.escape(_DIGITS), data):
        memory.budget.spend(_TOKENS)
        end = found.start()
        for _ in range(_TOKENS - _FIRST_DIGIT):
            end = data.find(b"\0", end, end + _LONGEST_SYMBOL) + 1
            if not end:
                break
        else:
            yield from _tokens(memory, found.start(), end)


def find_names(memory: Memory, tokens: Tokens) -> Names | None:
    """Return the names that stand before *tokens*, None where there are none that fit.

    Raises ``TooManyStepsError``.
    """
    for align in (memory.pointer_size, 4) if memory.is_64bit else (4,):
        for wide in (4, 8) if align == 8 else (4,):
            for markers_at in _places_of_markers(memory, tokens.start, align, wide):
                for count in _counts_of_markers(tokens.start - markers_at, align, wide):
                    last = memory.numbers(markers_at + wide * (count - 1), 1, wide)
                    if not last or not 2 * _STEP * (count - 1) <= last[0] <= markers_at:
                        continue
                    markers = memory.numbers(markers_at, count, wide)
                    names = _names_before(memory, markers_at, markers, align)
                    if names and _reaches(names, markers_at + wide * count, tokens.start):
                        return names
    return None


def aligned(offset: int, align: int) -> int:
    """Return *offset*, or the next one that *align* divides."""
    return -(-offset // align) * align


def _tokens(memory: Memory, digits_at: int, end: int) -> Iterator[Tokens]:
    for index_at in sorted({aligned(end, 4), aligned(end, 8)}):
        index = memory.numbers(index_at, _TOKENS, 2)
        if not index or index[0]:
            continue
        start = digits_at - index[_FIRST_DIGIT]
        texts = memory.data[max(start, 0) : end].split(b"\0")[:-1]
        if len(texts) == _TOKENS and index == _starts(texts):
            yield Tokens(tuple(texts), start, index_at + _INDEX_SIZE)
            return


def _starts(texts: list[bytes]) -> tuple[int, ...]:
    starts, offset = [], 0
    for text in texts:
        starts.append(offset)
        offset += len(text) + 1
    return tuple(starts)


def _places_of_markers(memory: Memory, end: int, align: int, wide: int) -> Iterator[int]:
    """Yield the aligned places before *end*, nearest first, that may hold markers: a zero first."""
    zero = bytes(wide)
    lowest = max(end - _MOST_SEQS - wide * _MOST_MARKERS, 0)
    place = aligned(end, align)
    while (place := memory.data.rfind(zero, lowest, place + wide - 1)) >= 0:
        memory.budget.spend(1)
        place -= place % align
        second = memory.numbers(place + wide, 1, wide)
        if not second or memory.data[place : place + wide] != zero:
            continue
        # A symbol takes two bytes at least. Behind a single marker stands no second one.
        if end - place <= 2 * align + 3 * _STEP or 2 * _STEP <= second[0] <= _LONGEST_STEP:
            memory.budget.spend(_STEPS_PER_PLACE)
            yield place
        elif not second[0]:  # no markers anywhere in a run of zeros
            start = max(place - _RUN, lowest)
            place = start + len(memory.data[start:place].rstrip(b"\0"))


def _counts_of_markers(distance: int, align: int, wide: int) -> list[int]:
    """Return how many markers there can be when a token table follows *distance* bytes on."""
    straight = [
        count
        for count in (distance // wide - 1, distance // wide)
        if aligned(wide * count, align) == distance
    ]
    with_seqs = distance // (wide + 3 * _STEP)
    counts = [*straight, with_seqs, with_seqs + 1, with_seqs + 2]
    return [count for count in counts if 0 < count <= _MOST_MARKERS]


def _names_before(
    memory: Memory, markers_at: int, markers: tuple[int, ...], align: int
) -> Names | None:
    memory.budget.spend(len(markers))
    if not markers or any(after - at < 2 * _STEP for at, after in pairwise(markers)):
        return None
    highest = markers_at - markers[-1]
    highest -= highest % align
    lowest = max(aligned(highest - _LONGEST_STEP, align), align)
    # Each number in reach that could be num_syms; the names begin after it.
    numbers = memory.numbers(lowest - align, (highest - lowest) // align + 1, align)
    memory.budget.spend(len(numbers) // _NUMBERS_PER_STEP)
    counts = _counts_of_symbols(memory, numbers, align)
    most = _STEP * len(markers)
    for index in [at for at, count in enumerate(counts) if most - _STEP < count <= most]:
        start = lowest + index * align
        names = _names_at(memory, start, counts[index], markers_at, align)
        if names and names.positions[::_STEP] == tuple([start + at for at in markers]):
            return names
    return None


def _counts_of_symbols(memory: Memory, numbers: Sequence[int], align: int) -> Sequence[int]:
    # In eight bytes num_syms is a wide number, or a u32 with its padding: the same bytes on a
    # little-endian machine.
    if align == 8 and memory.order == ">":
        return [number if number & 0xFFFFFFFF else number >> 32 for number in numbers]
    return numbers


def _names_at(memory: Memory, start: int, count: int, limit: int, align: int) -> Names | None:
    """Walk *count* names from *start*; None unless they end at *limit*, but for padding."""
    if not 0 < count <= _MOST_SYMBOLS or start + 2 * count > limit:
        return None
    data = memory.data
    positions, tokens_at = [], []
    offset = start
    for index in range(count):
        if not index % _STEP:
            memory.budget.spend(min(_STEP, count - index))
        if offset + 1 >= limit:
            return None
        positions.append(offset)
        length = data[offset]
        offset += 1
        if length & 0x80:
            length = length & 0x7F | data[offset] << 7
            offset += 1
        if not length:
            return None
        tokens_at.append(offset)
        offset += length
    if aligned(offset, align) != limit or data[offset:limit].strip(b"\0"):
        return None
    return Names(
        start=start,
        end=offset,
        align=align,
        count_at=start - align,
        positions=tuple(positions),
        tokens_at=tuple(tokens_at),
    )


def _reaches(names: Names, markers_end: int, tokens_start: int) -> bool:
    """Tell whether nothing but padding and seqs stand between the markers and the tokens."""
    seqs_at = aligned(markers_end, names.align)
    seqs_end = seqs_at + 3 * len(names.positions)
    return tokens_start in (seqs_at, aligned(seqs_end, names.align))
