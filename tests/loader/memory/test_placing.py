from __future__ import annotations

from lkm.elf.constants import EM_AARCH64
from lkm.elf.file import Section
from lkm.loader.memory.layout import PAGE, Area
from lkm.loader.memory.placing import MODULES_START, Allocation, allocate, allocate_percpu
from tests.loader.examining import a_file, a_kernel, examined


def a_percpu(size: int, alignment: int = 1) -> Section:
    return Section(1, ".data..percpu", (0, 1, 3, 0, 0, size, 0, 0, alignment, 0))


def test_areas_follow_each_other_with_a_free_page_between() -> None:
    areas = (Area("text", PAGE), Area("data", 2 * PAGE), Area("text", PAGE, init=True))

    assert allocate(areas, ()) == (
        Allocation("text", False, MODULES_START, PAGE),
        Allocation("data", False, MODULES_START + 2 * PAGE, 2 * PAGE),
        Allocation("text", True, MODULES_START + 5 * PAGE, PAGE),
    )


def test_the_lowest_gap_that_is_large_enough_is_taken() -> None:
    taken = [(MODULES_START + 3 * PAGE, PAGE), (MODULES_START + 9 * PAGE, PAGE)]

    def start(pages: int) -> int:
        (placed,) = allocate((Area("core", pages * PAGE),), taken) or ()
        return (placed.start - MODULES_START) // PAGE

    assert [start(2), start(3), start(4), start(5)] == [0, 5, 11, 11]


def test_memory_is_whole_pages_and_nothing_takes_none() -> None:
    placed = allocate((Area("core", 100), Area("core", 0, init=True)), ())

    assert placed == (Allocation("core", False, MODULES_START, PAGE),)


def test_what_does_not_fit_has_no_place() -> None:
    assert allocate((Area("core", 1 << 40),), ()) is None


def test_percpu_data_keeps_its_alignment_and_its_bounds() -> None:
    taken = [(0x100, 10)]

    assert allocate_percpu(a_percpu(8, 64), 0x100, taken) == Allocation("percpu", False, 0x140, 8)
    assert allocate_percpu(a_percpu(8), 0x100, taken) == Allocation("percpu", False, 0x10C, 8)
    assert allocate_percpu(a_percpu(8192), 0x100, ()) is not None
    assert allocate_percpu(a_percpu(8192), 0x100, taken) is None


def test_each_machine_has_its_own_memory_for_modules() -> None:
    verdict = examined(a_file(machine=EM_AARCH64), a_kernel(machine=EM_AARCH64))

    assert verdict.module is not None
    assert verdict.module.placed is not None
    assert min(each.start for each in verdict.module.placed.allocations) == 0xFFFF_8000_0000_0000
