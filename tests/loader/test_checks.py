"""The checks against what real kernels answered: most cases are of Debian's 6.1.0-56-amd64."""

from __future__ import annotations

import errno
import struct
from types import MappingProxyType

import pytest

from lkm.loader.checks import CHECKS, Verdict, examine
from lkm.loader.facts import KernelFacts, KernelSymbol
from lkm.loader.findings import LogLine
from lkm.loader.taint import Taint, letters
from lkm.module.file import image_from_bytes
from tests.builders.elf import AnExport, ASection, ASymbol, a_module, an_elf

VERMAGIC = "6.1.0-56-amd64 SMP preempt mod_unload modversions "
LAYOUT, PRINTK = 0x10, 0x20
SIGNATURE = b"S" + bytes([0, 0, 2, 0, 0, 0, 0, 0]) + b"\0\0\0\1" + b"~Module signature appended~\n"

OUT_OF_TREE = "4 tm: loading out-of-tree module taints kernel."
UNSIGNED = (
    "5 tm: module verification failed: signature and/or required key missing - tainting kernel"
)
LOCKS = "4 Disabling lock debugging due to kernel taint"


def a_kernel(*symbols: KernelSymbol, **parts: object) -> KernelFacts:
    every: dict[str, tuple[KernelSymbol, ...]] = {
        "module_layout": (KernelSymbol(name="module_layout", crc=LAYOUT),),
        "_printk": (KernelSymbol(name="_printk", crc=PRINTK),),
    }
    for symbol in symbols:
        every[symbol.name] = (*every.get(symbol.name, ()), symbol)
    defaults: dict[str, object] = {
        "release": "6.1.0-56-amd64",
        "vermagic": VERMAGIC,
        "modversions": True,
        "retpoline": True,
        "symbols": MappingProxyType(every),
    }
    return KernelFacts(**(defaults | parts))  # type: ignore[arg-type]  # KernelFacts' own fields


def a_file(**parts: object) -> bytes:
    defaults: dict[str, object] = {
        "name": "tm",
        "modinfo": ("retpoline=Y",),
        "versions": {"module_layout": LAYOUT, "_printk": PRINTK},
        "imports": ("_printk",),
        "vermagic": VERMAGIC,
    }
    return a_module(**(defaults | parts))


def a_clean_file(**parts: object) -> bytes:
    """A module as the distribution has it: of the tree, with retpolines, signed."""
    return a_file(**({"modinfo": ("retpoline=Y", "intree=Y")} | parts)) + SIGNATURE


def examined(data: bytes, kernel: KernelFacts | None = None, flags: int = 0) -> Verdict:
    return examine(image_from_bytes(data, name="tm"), kernel or a_kernel(), flags=flags)


def log_of(verdict: Verdict) -> list[str]:
    return [f"{line.level} {line.text}" for line in verdict.log]


def test_a_distributions_own_module_loads_without_a_word() -> None:
    verdict = examined(a_clean_file())

    assert (verdict.errno, log_of(verdict), verdict.tainted) == (0, [], 0)
    assert verdict.refusal is None


def test_an_unsigned_out_of_tree_module_taints() -> None:
    verdict = examined(a_file())

    assert verdict.errno == 0
    assert log_of(verdict) == [OUT_OF_TREE, UNSIGNED]
    assert (int(verdict.tainted), letters(verdict.taints)) == (12288, "OE")


def test_what_the_kernel_said_once_it_does_not_say_again() -> None:
    kernel = a_kernel(tainted=Taint.OUT_OF_TREE | Taint.UNSIGNED)

    verdict = examined(a_file(), kernel)

    assert log_of(verdict) == []
    assert letters(verdict.taints) == "OE"


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


def test_a_flag_makes_a_signed_module_an_unsigned_one() -> None:
    verdict = examined(a_clean_file(), flags=1)

    assert log_of(verdict) == ["4 tm: module_layout: kernel tainted.", LOCKS, UNSIGNED]
    assert (int(verdict.tainted), letters(verdict.taints)) == (8194, "FE")


def test_the_flag_words_of_the_vermagic_must_be_equal() -> None:
    theirs = "6.1.0-56-amd64 SMP mod_unload modversions "

    verdict = examined(a_file(vermagic=theirs))

    assert verdict.errno == errno.ENOEXEC
    assert log_of(verdict) == [f"3 tm: version magic '{theirs}' should be '{VERMAGIC}'"]
    assert verdict.tainted == 0


def test_with_crcs_the_release_in_the_vermagic_does_not_matter() -> None:
    other = VERMAGIC.replace("6.1.0-56", "6.9.0-99")

    taken = examined(a_clean_file(vermagic=other))
    refused = examined(a_clean_file(vermagic=other), flags=1)

    assert taken.errno == 0
    assert refused.errno == errno.ENOEXEC
    assert log_of(refused) == [
        "4 tm: module_layout: kernel tainted.",
        LOCKS,
        f"3 tm: version magic '{other}' should be '{VERMAGIC}'",
    ]
    assert int(refused.tainted) == 2


def test_on_a_kernel_without_crcs_the_whole_vermagic_counts() -> None:
    kernel = a_kernel(modversions=False, vermagic="6.1.0 SMP ")
    other = examined(a_clean_file(vermagic="6.2.0 SMP "), kernel)
    same = examined(a_clean_file(vermagic="6.1.0 SMP ", versions=None), kernel)

    assert other.errno == errno.ENOEXEC
    assert (same.errno, log_of(same)) == (0, [])


def test_no_vermagic_is_forced_and_without_any_modinfo_so_is_the_rest() -> None:
    assert log_of(examined(a_file(vermagic=None))) == [
        "4 tm: bad vermagic: kernel tainted.",
        LOCKS,
        OUT_OF_TREE,
        UNSIGNED,
    ]
    bare = examined(a_file(modinfo=(), vermagic=None, license=None, depends=None))
    assert log_of(bare) == [
        "4 tm: bad vermagic: kernel tainted.",
        LOCKS,
        OUT_OF_TREE,
        "3 Spectre V2 : System may be vulnerable to spectre v2",
        "4 tm: loading module not compiled with retpoline compiler.",
        "4 tm: module license 'unspecified' taints kernel.",
        UNSIGNED,
    ]
    assert (int(bare.tainted), letters(bare.taints)) == (12291, "PFOE")


@pytest.mark.parametrize(
    ("entry", "line", "shown", "tainted"),
    [
        (
            "staging=Y",
            "4 tm: module is from the staging directory, the quality is unknown, you have been "
            "warned.",
            "COE",
            13312,
        ),
        ("test=Y", "4 tm: loading test module taints kernel.", "OEN", 274432),
        ("livepatch=Y", "5 tm: tainting kernel with TAINT_LIVEPATCH", "OEK", 45056),
    ],
)
def test_what_the_modinfo_confesses_taints(entry: str, line: str, shown: str, tainted: int) -> None:
    verdict = examined(a_file(modinfo=("retpoline=Y", entry)))

    assert log_of(verdict) == [OUT_OF_TREE, line, UNSIGNED]
    assert (letters(verdict.taints), int(verdict.tainted)) == (shown, tainted)


@pytest.mark.parametrize(
    ("licence", "free"),
    [
        ("GPL", True),
        ("GPL v2", True),
        ("Dual BSD/GPL", True),
        ("Dual MPL/GPL", True),
        ("gpl", False),
        ("BSD", False),
        ("Proprietary", False),
    ],
)
def test_the_licence_is_compared_letter_by_letter(licence: str, free: bool) -> None:
    verdict = examined(a_clean_file(license=licence))

    assert (letters(verdict.taints) == "") == free
    assert f"4 tm: module license '{licence}' taints kernel." not in log_of(verdict) or not free


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


@pytest.mark.parametrize(
    ("state", "number"), [("live", errno.EEXIST), ("coming", errno.EBUSY), ("going", errno.EBUSY)]
)
def test_a_name_that_is_taken_is_refused_without_a_word(state: str, number: int) -> None:
    verdict = examined(a_clean_file(), a_kernel(loaded={"tm": state}))

    assert (verdict.errno, log_of(verdict)) == (number, [])


def test_a_built_ins_name_fails_last() -> None:
    verdict = examined(a_file(), a_kernel(sysfs_names=frozenset({"tm"})))

    assert verdict.errno == errno.EINVAL
    assert log_of(verdict) == [OUT_OF_TREE, UNSIGNED, "3 tm: module is already loaded"]


def test_module_blacklist_forbids_and_taints_nothing() -> None:
    verdict = examined(a_file(), a_kernel(blacklist=frozenset({"crc8", "tm"})))

    assert verdict.errno == errno.EPERM
    assert log_of(verdict) == ["3 Module tm is blacklisted"]
    assert verdict.tainted == 0


def test_nomodule_forbids_everything_in_silence() -> None:
    verdict = examined(b"", a_kernel(modules_disabled=True))

    assert (verdict.errno, verdict.log) == (errno.EPERM, ())


def test_a_section_to_write_and_to_run_is_refused_after_the_modinfos_taints() -> None:
    both = ASection(".tm_wx", b"\0" * 8, flags=7)

    verdict = examined(a_file(extra=(both,)))

    assert verdict.errno == errno.ENOEXEC
    assert log_of(verdict)[0] == OUT_OF_TREE
    assert log_of(verdict)[1].startswith("3 tm: section .tm_wx (index ")
    assert int(verdict.tainted) == 4096


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


@pytest.mark.parametrize("flags", [8, -1])
def test_flags_that_no_kernel_knows_are_refused(flags: int) -> None:
    verdict = examined(a_file(), flags=flags)

    assert (verdict.errno, verdict.log) == (errno.EINVAL, ())


def test_the_name_in_the_struct_counts_and_the_modinfos_is_for_the_log() -> None:
    data = a_clean_file(modinfo=("name=other", "retpoline=Y", "intree=Y"), imports=("gone",))

    verdict = examined(data)
    blacklisted = examined(data, a_kernel(blacklist=frozenset({"other"})))

    assert log_of(verdict) == ["4 tm: Unknown symbol gone (err -2)"]
    assert log_of(blacklisted) == ["3 Module other is blacklisted"]


def test_an_owner_on_its_way_out_exports_nothing_and_one_on_its_way_in_is_waited_for() -> None:
    going = KernelSymbol(name="val", owner="tm_slow", owner_state="going")
    coming = KernelSymbol(name="val", owner="tm_slow", owner_state="coming")

    gone = examined(a_clean_file(imports=("val",)), a_kernel(going))
    waited = examined(a_clean_file(imports=("val",)), a_kernel(coming))

    assert (gone.errno, log_of(gone)) == (errno.ENOENT, ["4 tm: Unknown symbol val (err -2)"])
    assert waited.errno == errno.EBUSY
    assert log_of(waited)[0] == "4 tm: gave up waiting for init of module tm_slow."


def test_the_order_of_the_checks_is_the_kernels() -> None:
    assert [check.__name__ for check in CHECKS] == [
        "blacklist",
        "module_layout",
        "vermagic",
        "modinfo_taints",
        "writable_code",
        "name_free",
        "unsigned",
        "exports_without_crcs",
        "symbols",
        "duplicate_exports",
        "sysfs_name",
    ]


def test_every_finding_of_a_refusal_names_its_check_and_evidence() -> None:
    verdict = examined(a_file(imports=("gone",), versions=None))

    assert all(finding.check and finding.evidence for finding in verdict.findings)
    assert [finding.check for finding in verdict.findings] == [
        "crc",
        "out-of-tree",
        "unsigned",
        "unknown-symbol",
    ]


@pytest.mark.parametrize("size", range(0, len(a_clean_file()), 7))
def test_a_file_cut_anywhere_is_refused_or_loads(size: int) -> None:
    verdict = examined(a_clean_file()[:size])

    assert verdict.errno in {errno.ENOEXEC, 0}


def test_a_file_of_another_class_in_name_only_loads() -> None:
    data = bytearray(a_file())
    data[4] = 1

    assert examined(bytes(data)).errno == 0


def test_a_32_bit_kernel_takes_32_bit_modules() -> None:
    kernel = a_kernel(is_64bit=False, machine=3, retpoline=False)

    assert examined(a_file(bits=32, machine=3), kernel).errno == 0
    assert examined(a_file(), kernel).errno == errno.ENOEXEC


def test_an_object_that_is_no_module_is_refused() -> None:
    verdict = examined(an_elf([ASection(".text", b"\xc3", flags=6)], [ASymbol("f", ".text")]))

    assert verdict.errno == errno.ENOEXEC
    assert log_of(verdict) == [
        "4 (missing .modinfo section or name field): No module found in object"
    ]


def test_signatures_enforced_refuse_an_unsigned_module() -> None:
    verdict = examined(a_file(), a_kernel(signatures_enforced=True))

    assert verdict.errno == errno.EKEYREJECTED
    assert verdict.log == (LogLine(5, "Loading of unsigned module is rejected"),)


def test_a_signature_whose_length_lies_is_a_bad_message() -> None:
    record = bytes([0, 0, 2, 0, 0, 0, 0, 0]) + struct.pack(">I", 1 << 30)

    verdict = examined(a_file() + b"S" + record + SIGNATURE[13:])

    assert (verdict.errno, verdict.log) == (errno.EBADMSG, ())


def test_a_signature_of_an_old_kind_counts_as_none() -> None:
    old = b"S" + bytes([0, 0, 1, 0, 0, 0, 0, 0]) + SIGNATURE[9:]

    verdict = examined(a_file(modinfo=("retpoline=Y", "intree=Y")) + old)

    assert log_of(verdict) == ["3 module: not signed with expected PKCS#7 message", UNSIGNED]
    assert letters(verdict.taints) == "E"
