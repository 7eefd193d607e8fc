from __future__ import annotations

import pytest

from lkm.errors import FormatError
from lkm.vmlinux.answers import LayoutNotKnown
from lkm.vmlinux.exports import KernelExport, read_exports
from lkm.vmlinux.image import KernelImage
from tests.builders.vmlinux import (
    BASE,
    EXPORTS,
    AKernelExport,
    a_raw_image,
    an_elf_kernel,
)

EXPECTED = (
    KernelExport("module_layout", 0xAAAA0001, False, "", BASE + 0x10),
    KernelExport("printk", 0xAAAA0002, False, "", BASE + 0x20),
    KernelExport("crypto_hidden", 0xAAAA0003, True, "CRYPTO", BASE + 0x10),
)
MANY = tuple(
    AKernelExport(f"symbol_{number:03}", 0x9E3779B1 * (number + 1) & 0xFFFFFFFF)
    for number in range(60)
)


def exports_of(data: bytes) -> tuple[KernelExport, ...] | LayoutNotKnown:
    return read_exports(KernelImage.from_bytes(data))


@pytest.mark.parametrize("layout", ["relative", "absolute"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_layout_of_64_bit_tables_is_read(layout: str, order: str) -> None:
    assert exports_of(an_elf_kernel(layout=layout, order=order)) == EXPECTED


@pytest.mark.parametrize("layout", ["relative", "absolute"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_layout_of_32_bit_tables_is_read(layout: str, order: str) -> None:
    found = exports_of(an_elf_kernel(layout=layout, order=order, bits=32, machine=40))

    assert not isinstance(found, LayoutNotKnown)
    assert [each._replace(address=None) for each in found] == [
        each._replace(address=None) for each in EXPECTED
    ]
    assert found[1].address == 0xC1000020


@pytest.mark.parametrize("layout", ["relative", "absolute"])
def test_tables_before_namespaces_are_read(layout: str) -> None:
    found = exports_of(an_elf_kernel(layout=layout, namespaces=False, crcs="word"))

    assert found == (*EXPECTED[:2], EXPECTED[2]._replace(namespace=""))


@pytest.mark.parametrize("count", range(1, 13))
def test_a_table_of_any_length_is_read_in_its_own_layout(count: int) -> None:
    for layout in ("relative", "absolute"):
        for namespaces in (True, False):
            data = an_elf_kernel(exports=MANY[:count], layout=layout, namespaces=namespaces)
            found = exports_of(data)

            assert not isinstance(found, LayoutNotKnown)
            assert [each.name for each in found] == [each.name for each in MANY[:count]]
            assert [each.crc for each in found] == [each.crc for each in MANY[:count]]


def test_without_modversions_there_are_no_crcs() -> None:
    found = exports_of(an_elf_kernel(crcs=""))

    assert not isinstance(found, LayoutNotKnown)
    assert [each.crc for each in found] == [None, None, None]


def test_crcs_that_are_led_to_are_followed() -> None:
    found = exports_of(an_elf_kernel(exports=MANY, crcs="relative"))

    assert not isinstance(found, LayoutNotKnown)
    assert [each.crc for each in found] == [each.crc for each in MANY]


def test_from_linux_7_1_on_flags_tell_what_is_gpl_only() -> None:
    found = exports_of(an_elf_kernel(flagstab=True))

    assert found == EXPECTED


def test_a_kernel_may_export_nothing() -> None:
    assert exports_of(an_elf_kernel(exports=())) == ()


def test_an_image_without_sections_has_no_known_layout() -> None:
    answer = exports_of(a_raw_image())

    assert isinstance(answer, LayoutNotKnown)
    assert "no section table" in str(answer)


def test_tables_in_no_layout_are_not_guessed_at() -> None:
    image = KernelImage.from_bytes(an_elf_kernel())
    section = image.section("__ksymtab")
    assert section is not None
    data = bytearray(image.data)
    data[section.offset + 4] ^= 0x80  # the first name's offset

    answer = exports_of(bytes(data))

    assert isinstance(answer, LayoutNotKnown)
    assert "__ksymtab" in answer.why


@pytest.mark.parametrize("name", ["__ksymtab", "__kcrctab", "__ksymtab_strings"])
def test_a_table_of_an_odd_size_is_not_guessed_at(name: str) -> None:
    answer = exports_of(_resized(an_elf_kernel(exports=EXPORTS[:2]), name, 3))

    assert isinstance(answer, LayoutNotKnown)


@pytest.mark.parametrize("name", ["__ksymtab", "__kcrctab", "__ksymtab_strings"])
def test_a_table_past_the_end_of_the_file_is_a_format_error(name: str) -> None:
    with pytest.raises(FormatError):
        exports_of(_resized(an_elf_kernel(), name, 1 << 40))


def _resized(data: bytes, name: str, size: int) -> bytes:
    image = KernelImage.from_bytes(data)
    section = image.section(name)
    assert section is not None
    changed = bytearray(data)
    table = int.from_bytes(data[40:48], "little")
    at = table + 64 * section.index + 32  # sh_size
    changed[at : at + 8] = size.to_bytes(8, "little")
    return bytes(changed)
