"""The checks against what real kernels answered: most cases are of Debian's 6.1.0-56-amd64."""

from __future__ import annotations

import errno

import pytest

from lkm.loader.checks import checks_of, examine
from lkm.loader.findings import LogLine
from lkm.loader.taint import Taint, letters
from lkm.module.file import image_from_bytes
from tests.builders.elf import ASection, ASymbol, an_elf
from tests.builders.pkcs7 import appended
from tests.loader.examining import (
    LOCKS,
    OUT_OF_TREE,
    UNSIGNED,
    VERMAGIC,
    a_clean_file,
    a_file,
    a_kernel,
    examined,
    log_of,
)


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

    line = f"4 tm: module license '{licence}' taints kernel."
    assert (verdict.errno, letters(verdict.taints)) == (0, "" if free else "P")
    assert (line in log_of(verdict)) != free


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


def test_the_order_of_the_checks_is_the_kernels() -> None:
    assert [check.__name__ for check in checks_of(a_kernel())] == [
        "release",
        "blacklist",
        "module_layout",
        "vermagic",
        "source_taints",
        "livepatch",
        "content_taints",
        "jump_tables",
        "writable_code",
        "memory",
        "struct_size",
        "name_free",
        "unsigned",
        "percpu_memory",
        "found_sections",
        "caught_names",
        "exports_without_crcs",
        "symbols",
        "relocations",
        "arguments",
        "duplicate_exports",
        "btf",
        "parameters",
        "sysfs_name",
        "init",
    ]


def test_every_finding_of_a_refusal_names_its_check_and_evidence() -> None:
    verdict = examined(a_file(imports=("gone",), versions=None))

    assert all(finding.check and finding.evidence for finding in verdict.findings)
    assert [finding.check for finding in verdict.findings] == [
        "crc",
        "out-of-tree",
        "struct-size",
        "unsigned",
        "unknown-symbol",
    ]


@pytest.mark.parametrize("size", range(0, len(a_clean_file()), 7))
def test_a_file_cut_anywhere_is_refused_and_without_its_signature_unsigned(size: int) -> None:
    verdict = examined(a_clean_file()[:size])

    if size < len(a_file(modinfo=("retpoline=Y", "intree=Y"))):
        assert verdict.errno == errno.ENOEXEC
    else:
        assert (verdict.errno, letters(verdict.taints)) == (0, "E")


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
    verdict = examined(appended(a_file(), b"S", size=1 << 30))

    assert (verdict.errno, verdict.log) == (errno.EBADMSG, ())


def test_a_signature_of_an_old_kind_counts_as_none() -> None:
    data = a_file(modinfo=("retpoline=Y", "intree=Y"))

    verdict = examined(appended(data, b"S", record=b"\0\0\1\0\0\0\0\0"))

    assert log_of(verdict) == ["3 module: not signed with expected PKCS#7 message", UNSIGNED]
    assert letters(verdict.taints) == "E"


def test_a_null_pointer_for_the_parameters_is_met_late() -> None:
    image = image_from_bytes(a_file(), name="tm")

    verdict = examine(image, a_kernel(), params=None)

    assert verdict.errno == errno.EFAULT
    assert log_of(verdict) == [OUT_OF_TREE, UNSIGNED]


def test_who_may_not_load_modules_is_refused_in_silence() -> None:
    verdict = examined(b"", a_kernel(capable=False))

    assert (verdict.errno, log_of(verdict)) == (errno.EPERM, [])
