from __future__ import annotations

import contextlib

import pytest

from lkm.errors import FormatError
from lkm.vmlinux.answers import CouldNotTell
from lkm.vmlinux.certificates import Certificate, parse_certificate, read_certificates
from lkm.vmlinux.image import KernelImage
from tests.builders.vmlinux import (
    BANNER,
    BASE,
    RELEASE,
    a_certificate,
    a_certificate_list,
    a_raw_image,
    an_elf_kernel,
)

SIGNING = a_certificate("Build time key", 0x66F54E)
OTHER = a_certificate("Another authority", 0x80000001, key_id=b"\x99")


def at_256(data: bytes) -> KernelImage:
    """Return an image of arm64 with *data* at a multiple of 256."""
    head = a_raw_image()
    return KernelImage.from_bytes(a_raw_image(bytes(-len(head) % 256) + data + b"what follows"))


def read(data: bytes) -> tuple[Certificate, ...] | CouldNotTell:
    return read_certificates(at_256(data))


def test_a_certificate_tells_whose_it_is() -> None:
    found = parse_certificate(SIGNING + b"the next one")

    assert found == Certificate(
        subject="Build time key",
        issuer="Build time key",
        serial=b"\x66\xf5\x4e",
        key_id=b"\1\2\3\4",
        data=SIGNING,
    )


def test_version_1_has_no_key_id() -> None:
    assert parse_certificate(a_certificate(version=1)).key_id == b""


@pytest.mark.parametrize("align", [8, 256])
def test_the_list_is_known_by_the_words_after_it(align: int) -> None:
    found = read(a_certificate_list([SIGNING, OTHER], align=align))

    assert not isinstance(found, CouldNotTell)
    assert [each.data for each in found] == [SIGNING, OTHER]


def test_room_kept_for_one_more_may_stand_before_the_words() -> None:
    whole = a_certificate_list([SIGNING])
    end = len(SIGNING) + -len(SIGNING) % 8
    found = read(whole[:end] + bytes(4096) + whole[end:])

    assert not isinstance(found, CouldNotTell)


def test_a_32_bit_big_endian_kernel_has_short_words() -> None:
    words = a_certificate_list([SIGNING], order=">", word=4)
    data = an_elf_kernel(bits=32, order=">", machine=20, text=words)
    image = KernelImage.from_bytes(data)
    shift = -data.find(words) % 8
    data = an_elf_kernel(bits=32, order=">", machine=20, text=bytes(shift) + words)
    image = KernelImage.from_bytes(data)

    assert not isinstance(read_certificates(image), CouldNotTell)


def test_a_certificate_outside_the_list_is_not_trusted() -> None:
    found = read(a_certificate_list([SIGNING]) + bytes(64) + OTHER)

    assert not isinstance(found, CouldNotTell)
    assert [each.subject for each in found] == ["Build time key"]


def test_certificates_that_are_in_no_list_are_not_believed() -> None:
    assert isinstance(read(SIGNING + OTHER), CouldNotTell)


def test_a_list_of_revoked_ones_is_not_taken_for_the_trusted_one() -> None:
    revoked = a_certificate_list([OTHER])[:-8] + bytes(8)
    both = revoked + bytes(-len(revoked) % 256) + a_certificate_list([SIGNING])

    assert isinstance(read(revoked), CouldNotTell)
    found = read(both)
    assert not isinstance(found, CouldNotTell)
    assert [each.subject for each in found] == ["Build time key"]


def test_before_linux_5_13_one_word_is_enough() -> None:
    old = a_certificate_list([SIGNING])[:-8] + b"anything"
    banner = BANNER.replace(RELEASE, "5.10.0-test") + "\n"
    data = an_elf_kernel(text=old, banner=banner)
    shift = -data.find(old) % 8
    image = KernelImage.from_bytes(an_elf_kernel(text=bytes(shift) + old, banner=banner))

    assert image.read(BASE, 4) == b"\x7fELF"
    assert not isinstance(read_certificates(image), CouldNotTell)


def test_two_lists_are_not_chosen_from() -> None:
    one = a_certificate_list([SIGNING])
    two = one + bytes(-len(one) % 256) + a_certificate_list([OTHER])

    assert isinstance(read(two), CouldNotTell)


def test_a_certificate_cut_anywhere_is_a_format_error() -> None:
    for size in range(len(SIGNING)):
        with pytest.raises(FormatError):
            parse_certificate(SIGNING[:size])


def test_a_certificate_with_any_byte_changed_is_read_or_a_format_error() -> None:
    for place in range(len(SIGNING)):
        for value in (0, 0x30, 0x7F, 0x80, 0xFF):
            changed = SIGNING[:place] + bytes([value]) + SIGNING[place + 1 :]
            with contextlib.suppress(FormatError):
                parse_certificate(changed)


def test_a_list_cut_anywhere_cannot_be_told() -> None:
    whole = a_certificate_list([SIGNING])
    for size in range(len(whole) - 8):
        answer = read_certificates(KernelImage.from_bytes(at_256(b"").data[:-12] + whole[:size]))

        assert isinstance(answer, CouldNotTell)
