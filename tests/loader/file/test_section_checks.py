"""Sections that a module should not have; the lines are the kernel's."""

from __future__ import annotations

import errno

import pytest

from lkm.loader.options import KernelOptions
from tests.builders.elf import SHF_ALLOC, ASection
from tests.loader.examining import a_clean_file, a_kernel, examined, log_of

BOTH = tuple([ASection(name, bytes(8), flags=SHF_ALLOC) for name in (".ctors", ".init_array")])


def test_two_ways_to_name_constructors_are_refused_where_the_kernel_calls_them() -> None:
    """No kernel of Debian's has CONFIG_CONSTRUCTORS: source, find_module_sections."""
    verdict = examined(a_clean_file(extra=BOTH), a_kernel(options=KernelOptions(constructors=True)))

    assert verdict.errno == errno.EINVAL
    assert log_of(verdict) == ["4 tm: has both .ctors and .init_array."]
    assert verdict.refusal is not None
    assert verdict.refusal.check == "constructors"


@pytest.mark.parametrize(("extra", "has"), [(BOTH, False), (BOTH[:1], True), (BOTH[1:], True)])
def test_one_of_them_is_fine_and_without_constructors_both(
    extra: tuple[ASection, ...], has: bool
) -> None:
    kernel = a_kernel(options=KernelOptions(constructors=has))

    assert examined(a_clean_file(extra=extra), kernel).errno == 0


def test_old_parameters_are_told_and_ignored_where_they_take_memory() -> None:
    old = ASection("__obsparm", bytes(8), flags=SHF_ALLOC)

    verdict = examined(a_clean_file(extra=(old,)))

    assert (verdict.errno, log_of(verdict)) == (0, ["4 tm: Ignoring obsolete parameters"])
    assert log_of(examined(a_clean_file(extra=(ASection("__obsparm", bytes(8), flags=0),)))) == []
