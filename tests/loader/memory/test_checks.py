from __future__ import annotations

import errno
from dataclasses import replace

from lkm.loader.options import KernelOptions
from tests.builders.elf import SHF_ALLOC, SHF_WRITE, SHT_NOBITS, ASection
from tests.loader.examining import a_clean_file, a_kernel, examined, log_of

PERCPU = ASection(
    ".data..percpu", type=SHT_NOBITS, flags=SHF_ALLOC | SHF_WRITE, size=16 << 10, align=4
)
LARGE = ASection(".bss.large", type=SHT_NOBITS, flags=SHF_ALLOC | SHF_WRITE, size=2 << 30, align=1)


def test_a_module_that_is_too_large_is_refused() -> None:
    verdict = examined(a_clean_file(extra=(LARGE,)))

    assert verdict.errno == errno.ENOMEM
    assert verdict.refusal is not None
    assert verdict.refusal.check == "memory"


def test_a_module_is_refused_where_others_have_taken_the_room() -> None:
    start, size = 0xFFFF_FFFF_C020_1000, 0x3EDF_E000

    verdict = examined(a_clean_file(), a_kernel(areas_taken=((start, size),)))

    assert verdict.errno == errno.ENOMEM


def test_percpu_data_that_is_too_large_is_refused_with_a_line() -> None:
    verdict = examined(a_clean_file(extra=(PERCPU,)))

    assert verdict.errno == errno.ENOMEM
    assert log_of(verdict) == [
        "4 percpu: allocation failed, size=16384 align=4 atomic=0, alloc from reserved chunk "
        "failed",
        "4 tm: Could not allocate 16384 bytes percpu data",
    ]


def test_more_than_the_allocators_smallest_unit_is_asked_in_error() -> None:
    """As the source says: the warning has a trace of the stack, which no case compares."""
    verdict = examined(a_clean_file(extra=(replace(PERCPU, size=65537, align=1),)))

    assert log_of(verdict) == [
        "4 illegal size (65540) or align (4) for percpu allocation",
        "4 tm: Could not allocate 65537 bytes percpu data",
    ]


def test_an_alignment_beyond_a_page_is_told_and_cut_to_one() -> None:
    verdict = examined(a_clean_file(extra=(replace(PERCPU, size=8, align=8192),)))

    assert verdict.errno == 0
    assert log_of(verdict) == ["4 tm: per-cpu alignment 8192 > 4096"]


def test_a_kernel_for_one_processor_keeps_percpu_data_with_the_rest() -> None:
    kernel = a_kernel(options=KernelOptions(broken_on_smp=True))

    assert examined(a_clean_file(extra=(PERCPU,)), kernel).errno == 0


def test_percpu_data_is_met_after_the_name_and_before_the_symbols() -> None:
    file = a_clean_file(extra=(PERCPU,), imports=("nowhere",))

    verdict = examined(file, a_kernel(loaded={"tm": "live"}))

    assert verdict.errno == errno.EEXIST
    assert examined(file).errno == errno.ENOMEM
