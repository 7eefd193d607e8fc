"""What the walk over the imports finds, and where it cannot tell; CRCs in their sections."""

from __future__ import annotations

import errno

import pytest

from lkm.elf.constants import EM_AARCH64
from lkm.loader.facts import KernelSymbol
from lkm.loader.options import KernelOptions
from lkm.loader.symbols.resolving import resolve
from lkm.loader.taint import Taint
from tests.builders.elf import ASection, ASymbol
from tests.loader.examining import (
    LAYOUT,
    PRINTK,
    a_clean_file,
    a_file,
    a_kernel,
    examined,
    log_of,
)

TABLE = "_GLOBAL_OFFSET_TABLE_"


def doubts(data: bytes, *symbols: KernelSymbol, **parts: object) -> list[tuple[str, str]]:
    """Return check and evidence of what could not be told."""
    kernel = a_kernel(*symbols, **({"struct_module_size": 896} | parts))
    verdict = examined(data, kernel)
    return [(each.check, each.evidence) for each in verdict.doubts]


@pytest.mark.parametrize("name", ["lve", "driverloader"])
def test_who_was_caught_sees_no_gpl_only_symbols_whatever_the_licence(name: str) -> None:
    kernel = a_kernel(KernelSymbol(name="gpl", gpl_only=True))

    caught = examined(a_clean_file(name=name, imports=("gpl",), versions=None), kernel)
    wrapper = examined(a_clean_file(name="ndiswrapper", imports=("gpl",), versions=None), kernel)

    assert caught.refusal is not None
    assert (caught.errno, caught.refusal.check) == (errno.ENOENT, "gpl-only")
    assert name in caught.refusal.evidence
    assert (wrapper.errno, wrapper.taints & Taint.PROPRIETARY) == (0, 0)


@pytest.mark.parametrize("index", [0xFF00, 0xFF1F, 0xFF21, 0xFFF0, 0xFFF3, 0xFFFF])
def test_of_reserved_section_indexes_four_are_known(index: int) -> None:
    verdict = examined(a_clean_file(extra_symbols=(ASymbol("odd", index),)))

    assert verdict.errno == errno.ENOEXEC
    assert f"Symbol odd has an invalid section index {index} (max" in log_of(verdict)[0]


@pytest.mark.parametrize("index", [0xFFF1, 0xFF20])
def test_absolute_symbols_and_livepatchings_stay_as_they_are(index: int) -> None:
    assert examined(a_clean_file(extra_symbols=(ASymbol("odd", index),))).errno == 0


def test_the_offset_table_may_be_missing_where_assemblers_leave_it() -> None:
    verdict = examined(a_clean_file(imports=(TABLE,)))
    assert verdict.errno == 0
    assert verdict.module is not None

    (finding,) = resolve(verdict.module, a_kernel(machine=EM_AARCH64)).findings

    assert (finding.check, finding.errno) == ("unknown-symbol", errno.ENOENT)


def test_a_namespace_that_is_not_imported_may_be_allowed() -> None:
    options = KernelOptions(module_allow_missing_namespace_imports=True)
    kernel = a_kernel(KernelSymbol(name="spaced", namespace="NS"), options=options)

    verdict = examined(a_clean_file(imports=("spaced",)), kernel)

    assert verdict.errno == 0
    assert log_of(verdict) == [
        "4 tm: module uses symbol (spaced) from namespace NS, but does not import it."
    ]


@pytest.mark.parametrize(
    ("release", "text"),
    [("6.12.1", "MODULE_IMPORT_NS(NS)"), ("6.13.0", 'MODULE_IMPORT_NS("NS")')],
)
def test_the_remedy_is_written_as_the_kernels_sources_want_it(release: str, text: str) -> None:
    kernel = a_kernel(KernelSymbol(name="spaced", namespace="NS"), release=release)

    verdict = examined(a_clean_file(imports=("spaced",)), kernel)

    assert verdict.refusal is not None
    assert text in verdict.refusal.remedy


def test_crcs_that_are_not_known_are_one_doubt_with_a_count() -> None:
    names = [f"sym{number}" for number in range(5)]
    unknown = [KernelSymbol(name=name, crc_known=False) for name in names]
    data = a_clean_file(imports=names, versions={"module_layout": LAYOUT} | dict.fromkeys(names, 7))

    ((check, evidence),) = doubts(data, *unknown)

    assert check == "crc"
    assert "sym0, sym1, sym2 and 2 more" in evidence


def test_an_exporter_without_crcs_leaves_no_doubt() -> None:
    none = KernelSymbol(name="bare")
    data = a_clean_file(imports=("bare",), versions={"module_layout": LAYOUT, "bare": 7})

    assert doubts(data, none) == []


@pytest.mark.parametrize(
    "layout", [{}, {"module_layout": (KernelSymbol(name="module_layout", crc_known=False),)}]
)
def test_a_module_layout_that_is_not_known_is_in_doubt(
    layout: dict[str, tuple[KernelSymbol, ...]],
) -> None:
    ((check, evidence),) = doubts(a_clean_file(imports=()), symbols=layout)

    assert check == "crc"
    assert "module_layout" in evidence


def test_vermagic_and_struct_size_that_are_not_known_are_in_doubt() -> None:
    for release in ("6.1.0", "6.12.1"):
        found = doubts(a_clean_file(), release=release, vermagic=None, struct_module_size=None)

        assert sorted(check for check, _evidence in found) == ["struct-size", "vermagic"]


@pytest.mark.parametrize(
    ("release", "known"),
    [("6.0.12", False), ("6.1.0", True), ("6.12.117", True), ("6.13.0", False), ("5.10", False)],
)
def test_a_release_whose_rules_were_not_read_is_one_doubt(release: str, known: bool) -> None:
    size = len(_struct())
    found = doubts(a_clean_file(), release=release, struct_module_size=size)

    assert [check for check, _evidence in found] == ([] if known else ["release"])


EXTENDED = (
    ASection("__version_ext_crcs", LAYOUT.to_bytes(4, "little") + PRINTK.to_bytes(4, "little")),
    ASection("__version_ext_names", b"module_layout\0_printk\0"),
)


def test_extended_crcs_count_from_6_14_on() -> None:
    data = a_file(versions=None, extra=EXTENDED)
    size = len(_struct())

    before = examined(data, a_kernel(release="6.13.0", struct_module_size=size))
    after = examined(data, a_kernel(release="6.14.0", struct_module_size=size))

    assert (before.errno, after.errno) == (0, 0)
    assert before.taints & Taint.FORCED
    assert not after.taints & Taint.FORCED


@pytest.mark.parametrize("number", [0, 1])
def test_one_of_the_two_extended_sections_is_refused_from_6_14_on(number: int) -> None:
    data = a_file(extra=EXTENDED[number : number + 1])
    size = len(_struct())

    before = examined(data, a_kernel(release="6.13.0", struct_module_size=size))
    after = examined(data, a_kernel(release="6.14.0", struct_module_size=size))

    assert (before.errno, after.errno) == (0, errno.ENOEXEC)
    assert log_of(after) == ["3 extended version crc+name presence does not match"]


def _struct() -> bytes:
    """Return the struct module of the modules of these tests."""
    module = examined(a_clean_file()).module
    assert module is not None
    return module.elf.section_data(".gnu.linkonce.this_module") or b""
