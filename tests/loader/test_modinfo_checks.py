from __future__ import annotations

import errno

import pytest

from lkm.loader.options import KernelOptions
from lkm.loader.taint import letters
from tests.loader.examining import LOCKS, a_clean_file, a_kernel, examined, log_of

FREE = ("retpoline=Y", "intree=Y")


@pytest.mark.parametrize("release", ["6.1.0-56-amd64", "6.12.117+deb12-amd64"])
def test_a_live_patch_is_refused_where_there_is_no_live_patching(release: str) -> None:
    kernel = a_kernel(release=release, options=KernelOptions(livepatch=False))

    verdict = examined(a_clean_file(modinfo=(*FREE, "livepatch=Y")), kernel)

    assert verdict.errno == errno.ENOEXEC
    assert log_of(verdict) == [
        "3 tm: module is marked as livepatch module, but livepatch support is disabled"
    ]


def test_a_later_kernel_tells_of_a_proprietary_module_twice_but_only_the_first() -> None:
    kernel = a_kernel(release="6.12.117+deb12-amd64")
    file = a_clean_file(license="X")

    first = examined(file, kernel)
    second = examined(file, a_kernel(release=kernel.release, tainted=first.tainted))

    assert log_of(first) == [
        "4 tm: module license 'X' taints kernel.",
        LOCKS,
        "4 tm: module license taints kernel.",
    ]
    assert (log_of(second), letters(second.taints)) == ([], "P")


def test_a_module_whose_name_is_taken_does_not_taint_a_later_kernel() -> None:
    file = a_clean_file(license="X")
    taken = {"tm": "live"}

    assert examined(file, a_kernel(loaded=taken)).tainted != 0
    later = a_kernel(release="6.12.117+deb12-amd64", loaded=taken)
    assert examined(file, later).tainted == 0
