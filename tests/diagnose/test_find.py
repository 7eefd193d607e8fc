"""Every criterion, on four modules and a built-in."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.diagnose.find import Criteria, Hit, find
from lkm.errors import FormatError, LkmError
from lkm.tree.catalog import Catalog
from tests.builders.tree import RELEASE, a_root


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    a_root(
        tmp_path,
        builtin={"kernel/fs/ext-two.ko": ["alias=fs-ext2", "license=GPL v2", "parm=quick:Quick"]},
    )
    return Catalog.open(str(tmp_path / "lib/modules" / RELEASE))


def found(catalog: Catalog, **criteria: str) -> list[str]:
    return [hit.name for hit in find(catalog, Criteria(**criteria))]


CASES: list[tuple[dict[str, str], list[str]]] = [
    ({}, ["fat", "lone", "nls_test", "vfat", "ext_two"]),
    ({"pattern": "fat"}, ["fat"]),
    ({"pattern": "nls-test"}, ["nls_test"]),
    ({"pattern": "nls-test.ko"}, ["nls_test"]),
    ({"pattern": "?fat"}, ["vfat"]),
    ({"pattern": "*.ko"}, ["fat", "lone", "nls_test", "vfat", "ext_two"]),
    ({"pattern": "ext-two.ko"}, ["ext_two"]),
    ({"pattern": "kernel/fs/fat/vfat.ko"}, ["vfat"]),
    ({"pattern": "fa"}, []),
    ({"description": "fat"}, ["fat", "vfat"]),
    ({"description": "FAT*"}, ["fat"]),
    ({"author": "somebody"}, ["vfat"]),
    ({"license": "gpl v2"}, ["ext_two"]),
    ({"alias": "pci:"}, ["vfat"]),
    ({"modalias": "pci:v00001234d00005678"}, ["vfat"]),
    ({"modalias": "fs-ext2"}, ["ext_two"]),
    ({"modalias": "pci:v00004321d00005678"}, []),
    ({"exports": "fat_attach"}, ["fat"]),
    ({"exports": "fat_*"}, ["fat"]),
    ({"exports": "fat"}, []),
    ({"needs": "fat_detach"}, ["vfat"]),
    ({"parameter": "debug"}, ["vfat"]),
    ({"parameter": "quick"}, ["ext_two"]),
    ({"firmware": "VFAT"}, ["vfat"]),
    ({"path": "kernel/fs/f*"}, ["fat", "vfat"]),
    ({"path": "lib/modules"}, []),
    ({"signer": "anybody"}, []),
    ({"description": "fat", "needs": "_printk", "author": "nobody"}, ["fat"]),
]


@pytest.mark.parametrize(("criteria", "names"), CASES, ids=lambda value: str(value)[:40])
def test_all_criteria_must_hold(
    catalog: Catalog, criteria: dict[str, str], names: list[str]
) -> None:
    assert found(catalog, **criteria) == names


def test_a_hit_says_where_it_is_and_what_matched(catalog: Catalog) -> None:
    (hit,) = find(catalog, Criteria(modalias="pci:v00001234d1", description="vfat"))

    assert hit == Hit(
        name=hit.name,
        path="kernel/fs/fat/vfat.ko",
        file=f"{catalog.directory}/kernel/fs/fat/vfat.ko",
        builtin=False,
        matches=(("description", "VFAT filesystem support"), ("modalias", "pci:v00001234d*")),
    )


def test_a_broken_file_is_handed_over_and_the_search_goes_on(catalog: Catalog) -> None:
    Path(catalog.directory, "kernel/fs/fat/fat.ko").write_bytes(b"\x7fELF, but no more")
    problems: list[LkmError] = []

    hits = list(find(catalog, Criteria(description="fat"), on_problem=problems.append))

    assert [hit.name for hit in hits] == ["vfat"]
    assert [type(problem) for problem in problems] == [FormatError]
    with pytest.raises(FormatError):
        list(find(catalog, Criteria(description="fat")))
