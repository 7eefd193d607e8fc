from __future__ import annotations

import lzma
import zlib
from pathlib import Path

import pytest

from lkm.errors import FileError, FormatError
from lkm.vmlinux.answers import CouldNotTell
from lkm.vmlinux.config import parse_config, read_config, read_config_file
from lkm.vmlinux.image import KernelImage
from tests.builders.vmlinux import a_raw_image, an_elf_kernel

TEXT = """#
# Automatically generated file; DO NOT EDIT.
#
CONFIG_MODULES=y
CONFIG_BTRFS_FS=m
# CONFIG_MODULE_FORCE_LOAD is not set
CONFIG_HZ=250
CONFIG_PHYSICAL_START=0x1000000
CONFIG_LOCALVERSION="-a \\"b\\" \\\\c"
CONFIG_EMPTY=""
not an option
"""
EXPECTED = {
    "CONFIG_MODULES": "y",
    "CONFIG_BTRFS_FS": "m",
    "CONFIG_MODULE_FORCE_LOAD": "n",
    "CONFIG_HZ": "250",
    "CONFIG_PHYSICAL_START": "0x1000000",
    "CONFIG_LOCALVERSION": '-a "b" \\c',
    "CONFIG_EMPTY": "",
}


def embedded(text: str = TEXT) -> bytes:
    return b"IKCFG_ST" + zlib.compress(text.encode(), 9, 31) + b"IKCFG_ED"


def test_every_form_of_value_is_read() -> None:
    assert parse_config(TEXT) == EXPECTED


def test_lines_may_end_as_on_windows() -> None:
    assert parse_config(TEXT.replace("\n", "\r\n")) == EXPECTED


@pytest.mark.parametrize("make", [an_elf_kernel, a_raw_image], ids=["elf", "raw"])
def test_a_configuration_that_is_built_in_is_found(make: object) -> None:
    data = an_elf_kernel(text=embedded()) if make is an_elf_kernel else a_raw_image(embedded())

    assert read_config(KernelImage.from_bytes(data)) == EXPECTED


def test_an_image_without_one_does_not_tell() -> None:
    answer = read_config(KernelImage.from_bytes(an_elf_kernel()))

    assert isinstance(answer, CouldNotTell)
    assert str(answer).startswith("could not tell: ")


def test_one_that_is_cut_anywhere_cannot_be_told() -> None:
    whole = embedded()
    for size in range(len(whole)):
        answer = read_config(KernelImage.from_bytes(a_raw_image(whole[:size])))

        assert isinstance(answer, CouldNotTell)


def test_one_that_grows_out_of_proportion_cannot_be_told() -> None:
    answer = read_config(KernelImage.from_bytes(a_raw_image(embedded("#" * (17 << 20)))))

    assert isinstance(answer, CouldNotTell)
    assert "grows past" in answer.why


@pytest.mark.parametrize("packing", ["plain", "gzip", "xz"])
def test_a_file_is_read_packed_or_not(packing: str, tmp_path: Path) -> None:
    data = TEXT.encode()
    packed = {"plain": data, "gzip": zlib.compress(data, 9, 31), "xz": lzma.compress(data)}
    path = tmp_path / "config"
    path.write_bytes(packed[packing])

    assert read_config_file(str(path)) == EXPECTED


def test_a_file_without_an_option_is_a_format_error(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("something else\n")

    with pytest.raises(FormatError, match="no option"):
        read_config_file(str(path))
    with pytest.raises(FileError):
        read_config_file(str(tmp_path / "none"))
