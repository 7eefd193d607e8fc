"""One whole kernel, compared with kmod; ``python -m tests.oracle.whole`` takes four."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.oracle.whole import compare
from tests.oracle.whole_kernels import Pair, Result, a_pair, compared


@pytest.fixture(scope="module")
def pair(debian_root: Path, kmod: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("whole")
    with a_pair(debian_root, folder, kmod.parent) as pair:
        yield pair


@pytest.mark.debian
@pytest.mark.oracle
def test_a_whole_kernel_is_the_same_to_both(pair: Pair, tmp_path: Path) -> None:
    results = list(compare(pair, tmp_path, words=2000, every=40, sample=25))

    assert [result for result in results if result.equal < result.total] == []
    # That something was compared at all: kernel, words and containers.
    totals = {result.name: result.total for result in results}
    assert totals["modinfo, every file"] > 1000
    assert totals["modprobe -D, every module (made up configuration)"] > 1000
    assert totals["modprobe -R, modaliases (empty configuration)"] > 1500
    assert totals["depmod: entries of modules.alias.bin"] > 2000
    assert totals["modinfo of zst modules"] > 20


def test_what_one_side_lacks_is_no_equality() -> None:
    result = compared("x", ["a", "b", "c"], ["1", "2"], ["1"])

    assert (result.equal, result.total) == (1, 3)
    assert compared("x", ["a"], [], []).equal == 0
    assert compared("x", ["a"], ["1"], ["1"]) == Result("x", 1, 1)
