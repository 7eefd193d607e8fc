"""Each broken header field, with the log line of a real 6.1 kernel."""

from __future__ import annotations

import errno
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from lkm.elf.constants import (
    EM_386,
    EM_486,
    EM_AARCH64,
    EM_MIPS,
    EM_PPC64,
    EM_RISCV,
    EM_S390,
    EM_S390_OLD,
    EM_X86_64,
)
from lkm.loader.checks import file_findings
from lkm.loader.facts import KernelFacts
from lkm.loader.file.given import GivenFile
from lkm.loader.findings import Finding
from lkm.module.file import ModuleImage
from lkm.names import ModuleName
from tests.builders.elf import ASection, a_module
from tests.loader.examining import a_clean_file, a_file, a_kernel, examined, log_of

KERNEL = KernelFacts(release="6.1.0-56-amd64")


def findings(data: bytes, path: str = "", flags: int = 0) -> list[Finding]:
    image = ModuleImage(ModuleName("tm"), data, path)
    return list(file_findings(GivenFile.of(image, KERNEL, flags)))


def refusal(data: bytes, path: str = "") -> tuple[int, list[str]]:
    found = findings(data, path)
    assert found, "nothing was found"
    return found[-1].errno, [f"{line.level} {line.text}" for line in found[-1].log]


def patched(offset: int, code: str, *values: int) -> bytes:
    data = bytearray(a_module(name="tm"))
    struct.pack_into("<" + code, data, offset, *values)
    return bytes(data)


def section_at(data: bytes, index: int) -> int:
    start: int = struct.unpack_from("<Q", data, 40)[0]
    return start + 64 * index


def section_count(data: bytes) -> int:
    count: int = struct.unpack_from("<H", data, 60)[0]
    return count


def with_section(index: int, field: int, value: int, code: str = "Q") -> bytes:
    """Change the field at byte *field* of a section header; a negative *index* from the end."""
    data = bytearray(a_module(name="tm"))
    index = index if index >= 0 else section_count(bytes(data)) + index
    struct.pack_into("<" + code, data, section_at(bytes(data), index) + field, value)
    return bytes(data)


def test_a_sound_module_gives_no_finding() -> None:
    assert findings(a_module()) == []
    assert findings(a_module() + b"trailing garbage") == []


def test_an_empty_file_is_another_error_than_no_bytes() -> None:
    assert refusal(b"", path="/empty.ko") == (errno.EINVAL, [])
    assert refusal(b"") == (errno.ENOEXEC, [])


def test_a_short_file_is_logged_and_short_bytes_are_not() -> None:
    assert refusal(b"\x7fELF", path="/short.ko") == (
        errno.ENOEXEC,
        ["3 Invalid ELF header len 4"],
    )
    assert refusal(b"\x7fELF") == (errno.ENOEXEC, [])


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"garbage" * 20, "3 Invalid ELF header magic: != \\x7fELF"),
        (patched(16, "H", 2), "3 Invalid ELF header type: 2 != 1"),
        (patched(18, "H", 40), "3 Invalid architecture in ELF header: 40"),
        (patched(58, "H", 32), "3 Invalid ELF section header size"),
        (patched(40, "Q", 1 << 40), "3 Invalid ELF section header overflow"),
        (patched(60, "H", 60000), "3 Invalid ELF section header overflow"),
        (
            with_section(0, 32, 1),
            "3 ELF Spec violation: section 0 type(0)!=SH_NULL or non-zero len or addr",
        ),
        (
            with_section(0, 4, 0x80000001, "I"),
            "3 ELF Spec violation: section 0 type(-2147483647)!=SH_NULL or non-zero len or addr",
        ),
        (
            with_section(3, 24, 1 << 50),
            "3 Invalid ELF section in module (section 3 type 1)",
        ),
        (with_section(-1, 32, 0), "3 empty section name table"),
        (with_section(-1, 24, 1 << 50), "3 Invalid ELF section hdr(type 3)"),
        (
            with_section(3, 0, 1 << 30, "I"),
            "3 Invalid ELF section name in module (section 3 type 1)",
        ),
    ],
)
def test_a_broken_header_is_refused_with_the_kernels_line(data: bytes, line: str) -> None:
    assert refusal(data) == (errno.ENOEXEC, [line])


@pytest.mark.parametrize(
    ("machine", "given", "kind", "answer"),
    [
        (EM_X86_64, EM_X86_64, 1, 0),
        (EM_AARCH64, EM_AARCH64, 1, 0),
        (EM_386, EM_486, 2, 0),
        (EM_S390, EM_S390, 2, 0),
        (EM_S390, EM_S390_OLD, 2, 0),
        (EM_S390, EM_S390, 1, errno.ENOEXEC),
        (EM_RISCV, EM_RISCV, 1, errno.ENOEXEC),
        (EM_MIPS, EM_MIPS, 1, errno.ENOEXEC),
    ],
)
def test_a_machine_may_have_two_numbers_and_ask_for_the_class(
    machine: int, given: int, kind: int, answer: int
) -> None:
    """Source: arch/*/include/asm/elf.h, elf_check_arch."""
    data = bytearray(patched(18, "H", given))
    data[4] = kind

    found = list(file_findings(GivenFile(bytes(data), replace(KERNEL, machine=machine), 0, False)))

    assert [each.errno for each in found] == ([answer] if answer else [])
    assert all(each.check == "machine" for each in found)


def test_of_other_machines_it_is_not_claimed_that_the_class_does_not_matter() -> None:
    data = bytearray(patched(18, "H", EM_PPC64))
    kernel = replace(KERNEL, machine=EM_PPC64)

    assert list(file_findings(GivenFile(bytes(data), kernel, 0, False))) == []
    data[4] = 1
    (found,) = file_findings(GivenFile(bytes(data), kernel, 0, False))

    assert (found.check, found.errno, found.could_not_tell) == ("machine", 0, True)


def test_a_name_section_out_of_range_is_refused() -> None:
    count = section_count(a_module(name="tm"))

    assert refusal(patched(62, "H", 999))[1] == [
        f"3 Invalid ELF section name index: 999 || e_shstrndx (999) >= e_shnum ({count})"
    ]


def test_section_names_must_end_with_nul() -> None:
    data = a_module(name="tm")
    size: int = struct.unpack_from("<Q", data, section_at(data, section_count(data) - 1) + 32)[0]

    assert refusal(with_section(-1, 32, size - 1))[1] == [
        "3 ELF Spec violation: section name table isn't null terminated"
    ]


def test_a_stripped_module_has_no_symbols() -> None:
    assert refusal(with_section(-3, 4, 1, "I")) == (
        errno.ENOEXEC,
        ["4 tm: module has no symbols (stripped?)"],
    )


def test_a_struct_that_takes_no_memory_is_not_found() -> None:
    assert refusal(with_section(5, 8, 0)) == (
        errno.ENOEXEC,
        ["4 tm: No module found in object"],
    )


def test_a_symbol_table_must_name_its_strings() -> None:
    number, (line,) = refusal(with_section(-3, 40, 999, "I"))

    assert number == errno.ENOEXEC
    assert line.startswith("3 Invalid ELF sh_link!=SHN_UNDEF(999)")


def test_the_first_broken_field_is_the_one_reported() -> None:
    data = bytearray(patched(16, "H", 2))
    struct.pack_into("<H", data, 58, 32)

    assert refusal(bytes(data))[1] == ["3 Invalid ELF header type: 2 != 1"]


@pytest.mark.parametrize("size", range(0, len(a_module()), 5))
def test_a_file_cut_anywhere_is_refused(size: int, tmp_path: Path) -> None:
    number, _log = refusal(a_module()[:size], path=str(tmp_path / "cut.ko"))

    assert number in {errno.ENOEXEC, errno.EINVAL}


def test_before_6_4_a_struct_module_of_another_size_is_refused_by_lkm_alone() -> None:
    verdict = examined(a_clean_file(), a_kernel(struct_module_size=1280))

    assert (verdict.errno, log_of(verdict)) == (errno.ENOEXEC, [])
    assert verdict.refusal is not None
    assert verdict.refusal.check == "struct-size"
    assert "oops" in verdict.refusal.evidence
    assert examined(a_clean_file(), a_kernel(struct_module_size=896)).errno == 0


def test_from_6_4_on_the_kernel_compares_the_size_itself() -> None:
    vermagic = "6.12.1 SMP preempt mod_unload modversions "
    data = a_clean_file(vermagic=vermagic)
    kernel = a_kernel(release="6.12.1", vermagic=vermagic, struct_module_size=1280)

    verdict = examined(data, kernel)

    assert (verdict.errno, log_of(verdict)) == (
        errno.ENOEXEC,
        [
            "3 module tm: .gnu.linkonce.this_module section size must match the kernel's built "
            "struct module size at run time"
        ],
    )


def test_from_6_4_on_there_must_be_exactly_one_struct_module() -> None:
    kernel = a_kernel(release="6.12.1")
    text = ["3 module tm: Only one .gnu.linkonce.this_module section must exist."]
    twice = a_clean_file(extra=(ASection(".gnu.linkonce.this_module", bytes(896), flags=3),))
    never = a_file().replace(b".gnu.linkonce.this_module", b".gnu.linkonce.this_modulX")

    assert log_of(examined(twice, kernel)) == text
    assert log_of(examined(never, kernel)) == text
    assert log_of(examined(never)) == ["4 tm: No module found in object"]


@pytest.mark.parametrize("release", ["6.1.0-56-amd64", "6.12.1"])
def test_of_more_modinfo_than_any_module_has_no_refusal_is_claimed(release: str) -> None:
    verdict = examined(a_file(modinfo=["alias=x"] * 33000), a_kernel(release=release))

    (doubt,) = verdict.doubts
    assert (doubt.errno, log_of(verdict)) == (errno.ENOEXEC, [])
    assert "more than 32768 entries in .modinfo" in doubt.evidence


STRUCT = ".gnu.linkonce.this_module"


@pytest.mark.parametrize(
    ("extra", "line"),
    [
        ((ASection(".modinfo", b"x=y", flags=0),), "3 Only one .modinfo section must exist."),
        (
            (ASection("other", bytes(24), flags=0, type=2, link=".symtab"),),
            "4 tm: module has no symbols (stripped?)",
        ),
        ((ASection(STRUCT, b"x"),), f"3 module tm: Only one {STRUCT} section must exist."),
    ],
)
def test_from_6_4_to_6_12_116_parts_are_counted_in_an_order_of_their_own(
    extra: tuple[ASection, ...], line: str
) -> None:
    data = a_file(extra=extra, modinfo=("name=tm",))
    counted = examined(data, a_kernel(release="6.12.116"))

    assert (counted.errno, log_of(counted)) == (errno.ENOEXEC, [line])


def test_symbols_are_counted_before_struct_module_there_and_behind_it_later() -> None:
    both = (ASection("other", bytes(24), flags=0, type=2, link=".symtab"), ASection(STRUCT, b"x"))
    data = a_file(extra=both, modinfo=("name=tm",))

    counted = examined(data, a_kernel(release="6.12.116"))
    stepwise = examined(data, a_kernel(release="6.12.117"))

    assert log_of(counted) == ["4 tm: module has no symbols (stripped?)"]
    assert log_of(stepwise) == [f"3 module tm: Exactly one {STRUCT} section must exist."]
