from __future__ import annotations

import os
from pathlib import Path

import pytest

from lkm.errors import FileError, FormatError
from lkm.vmlinux.image import KernelImage
from tests.builders.vmlinux import (
    BANNER,
    BASE,
    RELEASE,
    a_bzimage,
    a_raw_image,
    an_elf_kernel,
    with_size_word,
)


def test_an_elf_kernel_tells_who_it_is() -> None:
    image = KernelImage.from_bytes(a_bzimage(with_size_word(an_elf_kernel(), "xz")))

    assert (image.release, image.banner) == (RELEASE, BANNER)
    assert (image.machine, image.is_64bit, image.order) == (62, True, "<")
    assert image.section("__ksymtab") is not None
    assert image.section("nothing") is None
    assert image.section_data("nothing") is None


def test_an_image_without_sections_tells_who_it_is() -> None:
    image = KernelImage.from_bytes(a_raw_image())

    assert (image.release, image.elf, image.sections, image.segments) == (RELEASE, None, (), ())
    assert (image.machine, image.is_64bit, image.order) == (183, True, "<")


def test_a_big_endian_arm64_image_says_so_in_its_flags() -> None:
    data = bytearray(a_raw_image())
    data[0x18] = 1

    assert KernelImage.from_bytes(bytes(data)).order == ">"


def test_a_32_bit_big_endian_kernel_is_read_alike() -> None:
    image = KernelImage.from_bytes(an_elf_kernel(bits=32, order=">", machine=20))

    assert (image.is_64bit, image.order, image.release) == (False, ">", RELEASE)
    assert image.read(image.sections[1].address, 13) == b"Linux version"


def test_the_banner_with_the_number_of_the_build_is_the_one_that_is_printed() -> None:
    weak = BANNER.replace("#1 SMP", "# SMP") + "\n"
    image = KernelImage.from_bytes(an_elf_kernel(banner=weak + "\0" + BANNER + "\n"))

    assert image.banner == BANNER


def test_a_banner_without_that_number_still_tells_the_release() -> None:
    weak = BANNER.replace("#1 SMP", "# SMP")

    assert KernelImage.from_bytes(an_elf_kernel(banner=weak + "\n")).release == RELEASE


def test_a_format_that_looks_like_a_banner_is_none() -> None:
    image = KernelImage.from_bytes(an_elf_kernel(banner="Linux version %s (%s)\n"))

    assert (image.release, image.banner) == (None, None)


def test_bytes_are_read_by_their_address() -> None:
    data = an_elf_kernel()
    image = KernelImage.from_bytes(data)
    text = image.sections[1]

    assert image.read(text.address, text.size) == data[text.offset : text.offset + text.size]
    assert image.offset_of(text.address + 3) == text.offset + 3
    assert image.read(BASE, 4) == b"\x7fELF"


@pytest.mark.parametrize(
    ("address", "size"), [(0, 1), (BASE - 1, 4), (BASE, 1 << 20), (1 << 63, 1), (BASE, -1)]
)
def test_bytes_that_the_file_does_not_hold_are_a_format_error(address: int, size: int) -> None:
    with pytest.raises(FormatError, match="at address"):
        KernelImage.from_bytes(an_elf_kernel()).read(address, size)


def test_zeros_after_a_part_have_no_place_in_the_file() -> None:
    image = KernelImage.from_bytes(an_elf_kernel())
    segment = image.segments[0]

    assert image.offset_of(segment.address + segment.size - 1) is not None
    assert image.offset_of(segment.address + segment.size) is None
    assert image.offset_of(segment.address - 1) is None


def test_sections_stand_in_for_missing_program_headers() -> None:
    data = bytearray(an_elf_kernel())
    data[56:58] = b"\0\0"  # e_phnum
    image = KernelImage.from_bytes(bytes(data))

    assert image.segments == ()
    assert image.read(image.sections[1].address, 5) == b"Linux"


def test_program_headers_outside_the_file_are_a_format_error() -> None:
    data = bytearray(an_elf_kernel())
    data[32:40] = (1 << 40).to_bytes(8, "little")  # e_phoff

    with pytest.raises(FormatError, match="program headers"):
        KernelImage.from_bytes(bytes(data))


def test_errors_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "vmlinuz"
    path.write_bytes(b"no kernel")

    with pytest.raises(FormatError) as caught:
        KernelImage.open(str(path))
    assert caught.value.path == str(path)


def test_a_file_that_is_not_there_is_a_file_error(tmp_path: Path) -> None:
    with pytest.raises(FileError):
        KernelImage.open(str(tmp_path / "none"))
    with pytest.raises(FileError):
        KernelImage.open(str(tmp_path))


def test_a_device_is_not_read() -> None:
    with pytest.raises(FormatError, match="not a regular file"):
        KernelImage.open(os.devnull)


def test_a_kernel_cut_anywhere_is_a_format_error_or_reads_on() -> None:
    whole = an_elf_kernel()
    for size in range(len(whole)):
        with pytest.raises(FormatError):
            KernelImage.from_bytes(whole[:size])
