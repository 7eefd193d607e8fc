"""What real kernels answered about symbols: most cases are of Debian's 6.1.0-56-amd64."""

from __future__ import annotations

import errno

import pytest

from lkm.loader.facts import KernelSymbol
from lkm.loader.taint import Taint, letters
from tests.builders.elf import AnExport, ASymbol
from tests.loader.examining import (
    LAYOUT,
    LOCKS,
    OUT_OF_TREE,
    PRINTK,
    UNSIGNED,
    a_clean_file,
    a_file,
    a_kernel,
    examined,
    log_of,
)


def test_an_unknown_symbol_is_logged_each_time_and_weak_ones_may_be_missing() -> None:
    data = a_file(imports=("tm_nowhere2", "tm_nowhere"), weak_imports=("tm_weak",))

    verdict = examined(data)

    assert verdict.errno == errno.ENOENT
    assert log_of(verdict) == [
        OUT_OF_TREE,
        UNSIGNED,
        "4 tm: Unknown symbol tm_nowhere2 (err -2)",
        "4 tm: Unknown symbol tm_nowhere (err -2)",
    ]
    assert int(verdict.tainted) == 12288


def test_a_gpl_only_symbol_does_not_exist_for_a_proprietary_module() -> None:
    kernel = a_kernel(KernelSymbol(name="tm_exp_gpl", gpl_only=True, owner="tm_exp"))
    data = a_clean_file(license="PRO", imports=("tm_exp_gpl",))

    verdict = examined(data, kernel)

    assert verdict.errno == errno.ENOENT
    assert log_of(verdict) == [
        "4 tm: module license 'PRO' taints kernel.",
        LOCKS,
        "4 tm: Unknown symbol tm_exp_gpl (err -2)",
    ]
    assert verdict.refusal is not None
    assert verdict.refusal.check == "gpl-only"


def test_a_namespace_must_be_imported() -> None:
    kernel = a_kernel(KernelSymbol(name="tm_exp_ns", namespace="TM_NS", owner="tm_exp"))

    refused = examined(a_clean_file(imports=("tm_exp_ns",)), kernel)
    importing = ("retpoline=Y", "intree=Y", "import_ns=TM_NS")
    taken = examined(a_clean_file(imports=("tm_exp_ns",), modinfo=importing), kernel)

    assert refused.errno == errno.EINVAL
    assert log_of(refused) == [
        "3 tm: module uses symbol (tm_exp_ns) from namespace TM_NS, but does not import it.",
        "4 tm: Unknown symbol tm_exp_ns (err -22)",
    ]
    assert (taken.errno, taken.owners) == (0, ("tm_exp",))


def test_a_crc_that_differs_is_another_error_than_a_missing_symbol() -> None:
    verdict = examined(a_clean_file(versions={"module_layout": LAYOUT, "_printk": 0x99}))

    assert verdict.errno == errno.EINVAL
    assert log_of(verdict) == [
        "4 tm: disagrees about version of symbol _printk",
        "4 tm: Unknown symbol _printk (err -22)",
    ]
    assert verdict.refusal is not None
    assert "0x00000099" in verdict.refusal.evidence


def test_a_crc_that_is_absent_is_refused_as_well() -> None:
    verdict = examined(a_clean_file(versions={"module_layout": LAYOUT}))

    assert verdict.errno == errno.EINVAL
    assert log_of(verdict)[0] == "4 tm: no symbol version for _printk"


@pytest.mark.parametrize(
    ("versions", "line"),
    [
        ({"module_layout": 0x99}, "4 tm: disagrees about version of symbol module_layout"),
        ({"_printk": PRINTK}, "4 tm: no symbol version for module_layout"),
    ],
)
def test_the_crc_of_module_layout_comes_first_and_with_its_own_errno(
    versions: dict[str, int], line: str
) -> None:
    verdict = examined(a_file(versions=versions))

    assert (verdict.errno, log_of(verdict)) == (errno.ENOEXEC, [line])
    assert verdict.tainted == 0


@pytest.mark.parametrize(
    ("parts", "flags"),
    [
        ({"versions": None}, 0),
        ({"versions": {"module_layout": 0x99, "_printk": 0x99}}, 1),
        ({}, 3),
    ],
)
def test_without_crcs_to_compare_a_module_is_forced(parts: dict[str, object], flags: int) -> None:
    verdict = examined(a_file(**parts), flags=flags)

    assert verdict.errno == 0
    assert log_of(verdict) == [
        "4 tm: module_layout: kernel tainted.",
        LOCKS,
        OUT_OF_TREE,
        UNSIGNED,
    ]
    assert (int(verdict.tainted), letters(verdict.taints)) == (12290, "FOE")


def proprietary(name: str) -> KernelSymbol:
    return KernelSymbol(name=name, owner="tm_prop", owner_taints=Taint.PROPRIETARY)


def test_using_a_proprietary_modules_symbol_taints_the_user_alone() -> None:
    kernel = a_kernel(proprietary("tm_prop_val"), tainted=Taint.PROPRIETARY)

    verdict = examined(a_clean_file(imports=("tm_prop_val", "_printk")), kernel)

    assert verdict.errno == 0
    assert log_of(verdict) == [
        "4 tm: module uses symbols tm_prop_val from proprietary module tm_prop, inheriting taint."
    ]
    assert (letters(verdict.taints), verdict.tainted) == ("P", Taint.PROPRIETARY)
    assert verdict.owners == ("tm_prop",)


def test_after_inheriting_the_next_gpl_only_symbol_is_invisible() -> None:
    gpl = KernelSymbol(name="gpl", gpl_only=True)
    kernel = a_kernel(proprietary("closed"), gpl, tainted=Taint.PROPRIETARY)

    closed_first = examined(a_clean_file(imports=("closed", "gpl")), kernel)
    gpl_first = examined(a_clean_file(imports=("gpl", "closed"), versions=None), kernel)

    assert closed_first.errno == gpl_first.errno == errno.ENOENT
    assert log_of(closed_first)[-1] == "4 tm: Unknown symbol gpl (err -2)"
    assert log_of(gpl_first)[-2:] == [
        "3 tm: module using GPL-only symbols uses symbols closed from proprietary module tm_prop.",
        "4 tm: Unknown symbol closed (err -2)",
    ]


def test_an_export_that_exists_is_refused_after_all_symbols() -> None:
    kernel = a_kernel(KernelSymbol(name="tm_exp_plain", owner="tm_exp"))

    verdict = examined(a_clean_file(exports=(AnExport(name="tm_exp_plain", crc=1),)), kernel)

    assert verdict.errno == errno.ENOEXEC
    assert log_of(verdict) == ["3 tm: exports duplicate symbol tm_exp_plain (owned by tm_exp)"]


def test_an_export_of_the_kernel_is_owned_by_the_kernel() -> None:
    verdict = examined(a_clean_file(exports=(AnExport(name="_printk", crc=PRINTK),)))

    assert log_of(verdict) == ["3 tm: exports duplicate symbol _printk (owned by kernel)"]


def test_exports_without_crcs_are_forced() -> None:
    verdict = examined(a_clean_file(exports=(AnExport(name="bare"),)))

    assert (verdict.errno, letters(verdict.taints)) == (0, "F")


def test_a_common_symbol_is_refused() -> None:
    verdict = examined(a_clean_file(extra_symbols=(ASymbol("shared", 0xFFF2),)))

    assert verdict.errno == errno.ENOEXEC
    assert log_of(verdict) == ["4 tm: please compile with -fno-common"]


def test_a_symbol_of_a_section_that_is_not_there_is_refused() -> None:
    verdict = examined(a_clean_file(extra_symbols=(ASymbol("lost", 200),)))

    count = len(examined(a_clean_file()).module.sections)  # type: ignore[union-attr]  # it loads
    assert verdict.errno == errno.ENOEXEC
    assert log_of(verdict) == [
        f"3 tm: Symbol lost has an invalid section index 200 (max {count - 1})"
    ]


def test_an_owner_on_its_way_out_exports_nothing_and_one_on_its_way_in_is_waited_for() -> None:
    going = KernelSymbol(name="val", owner="tm_slow", owner_state="going")
    coming = KernelSymbol(name="val", owner="tm_slow", owner_state="coming")

    gone = examined(a_clean_file(imports=("val",)), a_kernel(going))
    waited = examined(a_clean_file(imports=("val",)), a_kernel(coming))

    assert (gone.errno, log_of(gone)) == (errno.ENOENT, ["4 tm: Unknown symbol val (err -2)"])
    assert waited.errno == errno.EBUSY
    assert log_of(waited)[0] == "4 tm: gave up waiting for init of module tm_slow."
