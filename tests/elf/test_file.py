from __future__ import annotations

import struct

import pytest

from lkm.elf.constants import EM_X86_64, ET_REL, SHF_ALLOC, SHT_NOBITS, SHT_PROGBITS
from lkm.elf.file import ElfFile
from lkm.errors import FormatError
from tests.builders.elf import EM_PPC, EM_S390, ASection, an_elf

KINDS = [(64, "<"), (64, ">"), (32, "<"), (32, ">")]
TEXT = ASection(".text", b"\x90" * 5, align=16)
BSS = ASection(".bss", type=SHT_NOBITS, size=1 << 40, flags=3)


def a_file(bits: int = 64, order: str = "<") -> bytes:
    bss = ASection(".bss", type=SHT_NOBITS, size=1 << 30, flags=3)
    return an_elf([TEXT, bss], bits=bits, order=order, machine=EM_S390)


def with_field(data: bytes, code: str, offset: int, value: int) -> bytes:
    """Return *data* with one number overwritten."""
    changed = bytearray(data)
    struct.pack_into(code, changed, offset, value)
    return bytes(changed)


@pytest.mark.parametrize(("bits", "order"), KINDS)
def test_header_and_sections_are_read_in_either_width_and_byte_order(bits: int, order: str) -> None:
    elf = ElfFile.from_bytes(a_file(bits, order))

    assert (elf.is_64bit, elf.order, elf.machine, elf.type) == (bits == 64, order, EM_S390, ET_REL)
    names = [section.name for section in elf.sections]
    assert names == ["", ".text", ".bss", ".symtab", ".strtab", ".shstrtab"]
    text = elf.section(".text")
    assert text == elf.sections[1]
    assert text is not None
    assert (text.index, text.type, text.flags, text.addralign) == (1, SHT_PROGBITS, SHF_ALLOC, 16)
    assert (text.size, text.offset % 16) == (5, 0)
    assert elf.contents(text) == b"\x90" * 5


def test_the_first_of_two_sections_of_one_name_is_found() -> None:
    elf = ElfFile.from_bytes(an_elf([ASection(".data", b"first"), ASection(".data", b"second")]))

    assert elf.section_data(".data") == b"first"


def test_a_name_that_is_the_end_of_another_is_not_taken_for_it() -> None:
    elf = ElfFile.from_bytes(an_elf([ASection(".rela.text", b"relocations")]))

    assert elf.section(".text") is None
    assert elf.section_data(".text") is None


def test_names_that_share_their_ends_are_told_apart() -> None:
    data = an_elf([ASection(".rela.text", b"long"), ASection(".text", b"short")])
    elf = ElfFile.from_bytes(data)
    (end,) = struct.unpack_from("<Q", data, 40)
    shared = data.index(b".rela.text\0") + 5 - elf.sections[-1].offset
    elf = ElfFile.from_bytes(with_field(data, "<I", end + 2 * 64, shared))

    assert elf.section_data(".text") == b"short"
    assert [section.name for section in elf.sections[1:3]] == [".rela.text", ".text"]


def test_a_section_without_bytes_in_the_file_has_its_size_in_memory() -> None:
    elf = ElfFile.from_bytes(an_elf([BSS]))

    bss = elf.section(".bss")
    assert bss is not None
    assert bss.size == 1 << 40
    assert elf.contents(bss) == b""


def test_a_file_without_sections_has_none() -> None:
    data = an_elf(machine=EM_X86_64)
    for offset in (40, 58, 60, 62):  # e_shoff (its low half), e_shentsize, e_shnum, e_shstrndx
        data = with_field(data, "<H", offset, 0)
    elf = ElfFile.from_bytes(data)

    assert elf.sections == ()
    assert elf.section(".text") is None
    assert elf.section_at(0) is None


@pytest.mark.parametrize(("bits", "order"), KINDS)
def test_a_file_cut_anywhere_is_a_format_error(bits: int, order: str) -> None:
    data = a_file(bits, order)
    for size in range(len(data)):
        with pytest.raises(FormatError) as caught:
            ElfFile.from_bytes(data[:size])
        assert caught.value.offset is not None
        assert caught.value.offset <= size


@pytest.mark.parametrize(
    ("code", "offset", "value", "problem"),
    [
        ("<I", 0, 0, "not an ELF file"),
        ("<B", 4, 3, "ELF class 3 is neither 32 nor 64 bit (byte 4)"),
        ("<B", 5, 0, "unknown ELF byte order 0"),
        ("<Q", 40, 1 << 63, "section table of"),
        ("<Q", 40, (1 << 64) - 1, "section table of"),
        ("<H", 58, 40, "section headers of 40 bytes instead of 64"),
        ("<H", 60, 0xFFFF, "section table of"),
        ("<H", 62, 200, "section names in section 200 of"),
    ],
)
def test_a_header_that_lies_is_a_format_error(
    code: str, offset: int, value: int, problem: str
) -> None:
    with pytest.raises(FormatError) as caught:
        ElfFile.from_bytes(with_field(a_file(), code, offset, value), what="thing")

    assert problem in str(caught.value)
    assert str(caught.value).startswith("thing: ")


def test_an_empty_file_is_called_empty() -> None:
    with pytest.raises(FormatError, match="the file is empty"):
        ElfFile.from_bytes(b"")


@pytest.mark.parametrize(("field", "value"), [(24, 1 << 62), (32, 1 << 40), (32, (1 << 64) - 1)])
def test_a_section_outside_the_file_is_an_error_when_it_is_read(field: int, value: int) -> None:
    data = a_file()
    (table,) = struct.unpack_from("<Q", data, 40)
    elf = ElfFile.from_bytes(with_field(data, "<Q", table + 64 + field, value))
    section = elf.section(".text")

    assert section is not None
    with pytest.raises(FormatError, match=r"\.text of"):
        elf.contents(section)


def test_a_section_name_outside_the_names_is_a_format_error() -> None:
    data = a_file()
    (table,) = struct.unpack_from("<Q", data, 40)
    elf = ElfFile.from_bytes(with_field(data, "<I", table + 64, 10**6))

    with pytest.raises(FormatError, match="a section's name at 1000000"):
        _ = elf.sections
    assert elf.section(".bss") is not None


def test_section_names_without_their_last_nul_are_a_format_error() -> None:
    data = a_file()
    names = ElfFile.from_bytes(data).sections[-1]

    with pytest.raises(FormatError, match="do not end with NUL"):
        ElfFile.from_bytes(with_field(data, "<B", names.offset + names.size - 1, 65))


@pytest.mark.parametrize(("bits", "order"), KINDS)
def test_a_count_too_large_for_the_header_stands_in_section_zero(bits: int, order: str) -> None:
    data = a_file(bits, order)
    count = len(ElfFile.from_bytes(data).sections)
    wide = bits == 64
    (table,) = struct.unpack_from(order + ("Q" if wide else "I"), data, 40 if wide else 32)
    counts_at, names_at = (60, 62) if wide else (48, 50)
    size_at, link_at = (table + 32, table + 40) if wide else (table + 20, table + 24)
    data = with_field(data, order + "H", counts_at, 0)
    data = with_field(data, order + "H", names_at, 0xFFFF)
    data = with_field(data, order + ("Q" if wide else "I"), size_at, count)
    data = with_field(data, order + "I", link_at, count - 1)

    assert ElfFile.from_bytes(data).section_data(".text") == b"\x90" * 5


@pytest.mark.parametrize("count", [1 << 20, 1 << 60, (1 << 64) - 1])
def test_an_absurd_count_in_section_zero_is_a_format_error(count: int) -> None:
    data = with_field(a_file(), "<H", 60, 0)
    (table,) = struct.unpack_from("<Q", data, 40)

    with pytest.raises(FormatError, match="section table of"):
        ElfFile.from_bytes(with_field(data, "<Q", table + 32, count))


def test_a_section_is_found_by_its_number() -> None:
    elf = ElfFile.from_bytes(an_elf([TEXT], machine=EM_PPC))

    assert elf.section_at(1) == elf.section(".text")
    assert elf.section_at(-1) is None
    assert elf.section_at(len(elf.sections)) is None
