"""Where a kernel puts a module: each of its areas, and so each of its sections.

Memory is given out from the start of its machine's region on, the lowest gap that is large enough,
and one page stays free behind each area, as vmalloc has it. What is needed for init only gets its
place last and is free again at once; the real kernel gives it back later than this. Per-CPU data
lies in the part of the per-CPU area that the kernel keeps for modules, behind its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lkm.elf.constants import EM_AARCH64, EM_X86_64
from lkm.elf.file import Section
from lkm.loader.facts import KernelFacts, ModuleFacts
from lkm.loader.memory.layout import PAGE, Area, Layout, aligned, layout

MODULES_START = 0xFFFF_FFFF_C020_1000
"""Where the first module lands on an x86-64 kernel without address randomisation."""

PERCPU_START = 0x3_5000
"""Where modules' per-CPU data begins if the kernel does not tell: there on Debian's 6.1."""

PERCPU = "percpu"
"""The kind of an allocation of per-CPU data."""

PERCPU_UNIT = 4
"""What sizes and alignments of per-CPU data are rounded up to: PCPU_MIN_ALLOC_SIZE."""

AREAS = "areas"
"""What a module that is too large lacks."""

_GIB = 1 << 30
_X86_64 = (MODULES_START, 0xFFFF_FFFF_FF00_0000 - MODULES_START)
_REGIONS: Mapping[int, tuple[int, int]] = {
    EM_X86_64: _X86_64,
    # MODULES_VADDR with addresses of 48 bits. Where in the 2 GiB around the kernel the first one
    # lands hangs on the kernel's size (6.1) or on chance (since 6.5).
    EM_AARCH64: (0xFFFF_8000_0000_0000, 2 * _GIB),
}
"""Start and size of the memory for modules, by machine.

Source: arch/x86/include/asm/pgtable_64_types.h, observed; arch/arm64/include/asm/memory.h and
arch/arm64/kernel/module.c.
"""

TOLD_MACHINES = frozenset({EM_X86_64})
"""The machines whose first module is known to land where it is put here."""

_PERCPU_SIZE = 8 << 10  # PERCPU_MODULE_RESERVE


class Allocation(NamedTuple):
    """A piece of memory: of which kind, for init only or not, its address and its size in bytes."""

    kind: str
    init: bool
    start: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A module in memory: how it is laid out, and where each piece and each section came to lie.

    *addresses* are by the sections' indexes. A module that does not fit has none of them, and
    *missing* tells what of.
    """

    laid_out: Layout
    allocations: tuple[Allocation, ...] = ()
    addresses: Mapping[int, int]
    missing: str = ""


def place(module: ModuleFacts, kernel: KernelFacts) -> Placed:
    """Return where *kernel*, with what it has loaded, puts *module*."""
    laid_out = layout(module, kernel.version, kernel.options)
    region = _REGIONS.get(kernel.machine, _X86_64)
    placed = allocate(laid_out.areas, kernel.areas_taken, region)
    if placed is None:
        return Placed(laid_out=laid_out, addresses={}, missing=AREAS)
    if laid_out.percpu is not None and laid_out.percpu.size:
        end = PERCPU_START if kernel.percpu_end is None else kernel.percpu_end
        percpu = allocate_percpu(laid_out.percpu, end, kernel.percpu_taken)
        if percpu is None:
            return Placed(laid_out=laid_out, addresses={}, missing=PERCPU)
        placed = (*placed, percpu)
    addresses = section_addresses(laid_out, placed)
    return Placed(laid_out=laid_out, allocations=placed, addresses=addresses)


def allocate(
    areas: Sequence[Area], taken: Iterable[tuple[int, int]], region: tuple[int, int] = _X86_64
) -> tuple[Allocation, ...] | None:
    """Return a place for each of *areas*, None where one does not fit.

    *taken* are start and size of what is in use, *region* those of the memory for modules.
    """
    first, room = region
    used = [(start - first, size + PAGE) for start, size in taken]
    placed: list[Allocation] = []
    for area in areas:
        size = aligned(area.size, PAGE)
        if not size:
            continue
        start = _lowest_gap(used, size + PAGE)
        if start + size + PAGE > room:
            return None
        used.append((start, size + PAGE))
        placed.append(Allocation(area.kind, area.init, start + first, size))
    return tuple(placed)


def allocate_percpu(
    section: Section, first: int, taken: Iterable[tuple[int, int]]
) -> Allocation | None:
    """Return a place for per-CPU data, None where it does not fit behind *first*."""
    used = [(start - first, size) for start, size in taken]
    alignment = min(max(section.addralign, PERCPU_UNIT), PAGE)
    start = _lowest_gap(used, section.size, alignment)
    if start + section.size > _PERCPU_SIZE:
        return None
    return Allocation(PERCPU, False, start + first, section.size)


def section_addresses(laid_out: Layout, placed: Iterable[Allocation]) -> dict[int, int]:
    """Return the address of each section that takes memory, by its index."""
    starts = {(each.kind, each.init): each.start for each in placed}
    addresses = {
        index: starts[kind, init] + offset
        for index, (kind, init, offset) in laid_out.offsets.items()
        if (kind, init) in starts
    }
    if laid_out.percpu is not None and (PERCPU, False) in starts:
        addresses[laid_out.percpu.index] = starts[PERCPU, False]
    return addresses


def _lowest_gap(used: Sequence[tuple[int, int]], size: int, alignment: int = 1) -> int:
    start = 0
    for other, length in sorted(used):
        if other - start >= size:
            break
        start = max(start, aligned(other + length, alignment))
    return start
