from __future__ import annotations

import errno

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
    assert log_of(verdict) == ["4 tm: Could not allocate 16384 bytes percpu data"]


def test_percpu_data_is_met_after_the_name_and_before_the_symbols() -> None:
    file = a_clean_file(extra=(PERCPU,), imports=("nowhere",))

    verdict = examined(file, a_kernel(loaded={"tm": "live"}))

    assert verdict.errno == errno.EEXIST
    assert examined(file).errno == errno.ENOMEM
