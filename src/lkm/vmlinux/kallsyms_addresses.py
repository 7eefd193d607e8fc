"""Find the addresses that belong to the names of kallsyms, by trying every form that there is.

    relative   u32 each, added to relative_base, an address
    per-CPU    i32 each: from 0 on the address itself (a per-CPU symbol of x86-64 before 6.15, its
               type always A), below 0 relative_base - 1 - offset
    place      i32 each, added to the address of the number itself; no relative_base
    absolute   an address each; no relative_base (without KALLSYMS_BASE_RELATIVE)

Which it is, and whether it stands before or behind the names (``kallsyms_tables``), is not written
down. But the build sorts symbols by address, so all addresses must rise; they lie in the kernel,
and none in these tables themselves, whose names the build leaves out. Numbers that are something
else do not pass that as addresses of thousands of symbols.

Source: Linux, scripts/kallsyms.c (write_src) and kernel/kallsyms.c (kallsyms_sym_address).
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, islice
from operator import le
from typing import TYPE_CHECKING, NamedTuple

from lkm.elf.constants import SHF_ALLOC
from lkm.vmlinux.kallsyms_tables import Memory, Names, Tokens, aligned

if TYPE_CHECKING:
    from lkm.vmlinux.image import KernelImage

_SIGN = 1 << 31
_R_AARCH64_RELATIVE = 1027
_ARM64_IMAGE_ALIGN = 2 << 20
_LOWEST_RAW_ADDRESS = 0x1000
# A few symbols may lie where none should: at the edge of a section that was moved, for one.
_MOST = 7 / 8


class Part(NamedTuple):
    """Bytes of an image: *size* at *offset* in it, *memory_size* at *address* in memory."""

    offset: int
    address: int
    size: int
    memory_size: int


class _Candidate(NamedTuple):
    """What may be the addresses, read from *size* bytes at *offset*."""

    addresses: Sequence[int]
    offset: int
    size: int


def parts_of(image: KernelImage) -> tuple[Part, ...]:
    """Return where the bytes of *image* lie in memory; nothing if it does not tell."""
    if image.segments:
        return tuple(Part(s.offset, s.address, s.size, s.memory_size) for s in image.segments)
    return tuple(
        Part(section.offset, section.address, section.size, section.size)
        for section in image.sections
        if section.flags & SHF_ALLOC
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressSearch:
    """A search for the addresses of *names*, whose type letters are *types*."""

    memory: Memory
    tokens: Tokens
    names: Names
    types: str
    parts: tuple[Part, ...]

    def find(self) -> tuple[int, ...] | None:
        """Return the address of every name, in their order, None where no form fits."""
        for candidate in self._candidates():
            if self._fits(candidate):
                return tuple(candidate.addresses)
        return None

    def _candidates(self) -> Iterator[_Candidate]:
        names, pointer = self.names, self.memory.pointer_size
        count = len(self.types)
        after = aligned(self.tokens.end, names.align)
        base_before = names.count_at - pointer
        yield from self._based(base_before - aligned(4 * count, names.align), base_before)
        yield from self._based(after, aligned(after + 4 * count, names.align))
        yield from self._placed(after)
        for offset in (names.count_at - aligned(pointer * count, names.align), after):
            absolute = self.memory.numbers(offset, count, pointer)
            if absolute:
                yield _Candidate(absolute, offset, pointer * count)

    def _based(self, offset: int, base_at: int) -> Iterator[_Candidate]:
        """Yield both forms that have a relative_base, if it stands at *base_at*."""
        offsets = self.memory.numbers(offset, len(self.types), 4)
        for base in self._bases(base_at) if offsets else ():
            size = 4 * len(offsets)
            yield _Candidate([base + each for each in offsets], offset, size)
            own = [each < _SIGN for each in offsets]
            if set(compress(self.types, own)) <= {"A"}:
                top = base - 1 + (1 << 32)
                addresses = [each if each < _SIGN else top - each for each in offsets]
                yield _Candidate(addresses, offset, size)

    def _placed(self, offset: int) -> Iterator[_Candidate]:
        place = self._address_of(offset)
        offsets = self.memory.numbers(offset, len(self.types), 4)
        if offsets and place is not None:
            size = 4 * len(offsets)
            places = range(place, place + size, 4)
            addresses = [
                here + each - ((each & _SIGN) << 1)
                for here, each in zip(places, offsets, strict=True)
            ]
            yield _Candidate(addresses, offset, size)

    def _bases(self, offset: int) -> Iterator[int]:
        """Yield what relative_base may be if it stands at *offset*."""
        (base,) = self.memory.numbers(offset, 1, self.memory.pointer_size) or (0,)
        if base and self._share_in_kernel((base,)):
            yield base
        elif not base and not self.parts and self.memory.is_64bit:
            yield from self._bases_of_relocations(offset)

    def _bases_of_relocations(self, offset: int) -> Iterator[int]:
        """Yield what the kernel itself will write at *offset* when it starts.

        An arm64 kernel may be linked without that number: it relocates itself, by entries of place,
        kind and value. Where the image begins in memory follows from the place, and is a multiple
        of 2 MiB; the value is the lowest symbol, which is one of the first in the image. Hardly
        ever is that true of a second entry, and then neither is taken.
        """
        memory = self.memory
        low = struct.pack(memory.order + "H", offset & 0xFFFF)
        kind = struct.pack(memory.order + "Q", _R_AARCH64_RELATIVE)
        entry = re.compile(re.escape(low) + b".{6}" + re.escape(kind) + b".{8}", re.DOTALL)
        found = [memory.numbers(match.start(), 3, 8) for match in entry.finditer(memory.data)]
        bases = {
            base
            for place, _, base in found
            if not (place - offset) % _ARM64_IMAGE_ALIGN
            and 0 <= base - (place - offset) < _ARM64_IMAGE_ALIGN
        }
        if len(bases) == 1:
            yield from bases

    def _fits(self, candidate: _Candidate) -> bool:
        addresses = candidate.addresses
        if not all(map(le, addresses, islice(addresses, 1, None))):
            return False
        if self._share_in_kernel(addresses) < _MOST:
            return False
        tables = (
            (self.names.count_at, self.tokens.end),
            (candidate.offset, candidate.offset + candidate.size),
        )
        return sum(self._in_file(addresses, *table) for table in tables) <= (
            (1 - _MOST) * len(addresses)
        )

    def _share_in_kernel(self, addresses: Sequence[int]) -> float:
        """Return what part of the rising *addresses* lies in the kernel, from 0 to 1."""
        if self.parts:
            ranges = [(part.address, part.address + part.memory_size) for part in self.parts]
        elif self.memory.is_64bit:
            # A raw image does not tell where it lies; on the machines that have one it is the
            # upper half.
            ranges = [(1 << 63, 1 << 64)]
        else:
            ranges = [(_LOWEST_RAW_ADDRESS, 1 << 32)]
        return sum(_between(addresses, *each) for each in ranges) / len(addresses)

    def _in_file(self, addresses: Sequence[int], start: int, end: int) -> int:
        """Return how many of the rising *addresses* lie between two offsets in the file."""
        address = self._address_of(start)
        if address is None:
            return 0
        return bisect_left(addresses, address + end - start) - bisect_right(addresses, address)

    def _address_of(self, offset: int) -> int | None:
        for part in self.parts:
            if part.offset <= offset < part.offset + part.size:
                return part.address + offset - part.offset
        return None


def _between(addresses: Sequence[int], low: int, high: int) -> int:
    """Return how many of the rising *addresses* are from *low* to *high*."""
    return bisect_right(addresses, high) - bisect_left(addresses, low)
