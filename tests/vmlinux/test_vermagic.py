from __future__ import annotations

import pytest

from lkm.vmlinux.answers import CouldNotTell
from lkm.vmlinux.image import KernelImage
from lkm.vmlinux.vermagic import read_vermagic
from tests.builders.vmlinux import RELEASE, VERMAGIC, a_raw_image, an_elf_kernel


def test_it_is_read_as_it_stands_there() -> None:
    assert read_vermagic(KernelImage.from_bytes(an_elf_kernel())) == VERMAGIC


def test_an_image_without_sections_has_it_too() -> None:
    arm = f"{RELEASE} SMP mod_unload aarch64"
    image = KernelImage.from_bytes(a_raw_image(b"\1\2" + arm.encode() + b"\0"))

    assert read_vermagic(image) == arm


@pytest.mark.parametrize(
    "text", [b"", f"{RELEASE} of (something) SMP\0".encode(), f"{RELEASE} words only\0".encode()]
)
def test_other_texts_with_the_release_are_no_vermagic(text: bytes) -> None:
    assert isinstance(read_vermagic(KernelImage.from_bytes(a_raw_image(text))), CouldNotTell)


def test_two_different_ones_are_not_chosen_from() -> None:
    text = f"{RELEASE} SMP \0{RELEASE} SMP preempt \0".encode()

    assert isinstance(read_vermagic(KernelImage.from_bytes(a_raw_image(text))), CouldNotTell)


def test_without_a_release_it_cannot_be_told() -> None:
    data = bytes(0x38) + b"ARM\x64" + bytes(10)

    assert isinstance(read_vermagic(KernelImage.from_bytes(data)), CouldNotTell)
