from __future__ import annotations

import struct

import pytest

from lkm.errors import FormatError
from lkm.vmlinux import btf as reader
from lkm.vmlinux.answers import CouldNotTell, NotThere
from lkm.vmlinux.btf import Btf, read_btf
from lkm.vmlinux.image import KernelImage
from tests.builders.vmlinux import a_btf, a_raw_image, an_elf_kernel


def test_sizes_of_structures_and_the_number_of_types() -> None:
    btf = Btf.from_bytes(a_btf())

    assert btf.struct_size("module") == 896
    assert btf.struct_size("task_struct") == 9792
    assert btf.struct_size("nothing") is None
    assert btf.type_count == 4


def test_a_big_endian_kernel_has_its_own_order() -> None:
    assert Btf.from_bytes(a_btf(order=">")).struct_size("module") == 896


def test_every_kind_of_type_has_its_length() -> None:
    lengths = {1: 1, 2: 0, 3: 3, 4: 6, 5: 6, 6: 4, 7: 0, 8: 0, 9: 0, 10: 0, 11: 0, 12: 0}
    lengths |= {13: 4, 14: 1, 15: 6, 16: 0, 17: 1, 18: 0, 19: 6}
    extra = b"".join(
        [
            struct.pack("<III", 0, kind << 24 | 2, 0) + bytes(4 * words)
            for kind, words in lengths.items()
        ]
    )

    assert Btf.from_bytes(a_btf(extra=extra)).type_count == 4 + len(lengths)


def test_structures_of_one_name_and_two_sizes_are_not_chosen_from() -> None:
    btf = Btf.from_bytes(a_btf([("module", 896), ("module", 900)]))

    assert btf.struct_sizes("module") == (896, 900)
    with pytest.raises(FormatError, match="several sizes"):
        btf.struct_size("module")


def test_an_unknown_kind_of_type_is_a_format_error() -> None:
    with pytest.raises(FormatError, match="not known"):
        Btf.from_bytes(a_btf(extra=struct.pack("<III", 0, 31 << 24, 0)))


def test_cut_anywhere_is_a_format_error() -> None:
    whole = a_btf()
    for size in range(len(whole)):
        with pytest.raises(FormatError):
            Btf.from_bytes(whole[:size])


def test_a_kernel_without_btf_has_none() -> None:
    assert isinstance(read_btf(KernelImage.from_bytes(an_elf_kernel())), NotThere)


def test_an_image_without_sections_is_searched() -> None:
    programs = a_btf([("event", 8)])
    image = KernelImage.from_bytes(a_raw_image(programs + b"??" + a_btf() + bytes(50)))

    found = read_btf(image)

    assert isinstance(found, Btf)
    assert found.struct_size("module") == 896


def test_two_that_may_be_the_kernels_are_not_chosen_from() -> None:
    image = KernelImage.from_bytes(a_raw_image(a_btf() + a_btf([("task_struct", 1)])))

    assert isinstance(read_btf(image), CouldNotTell)


def test_an_image_without_sections_and_btf_does_not_tell() -> None:
    assert isinstance(read_btf(KernelImage.from_bytes(a_raw_image())), CouldNotTell)


def test_a_search_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_MOST_SEARCHED", 300)
    image = KernelImage.from_bytes(a_raw_image(a_btf([("event", 8)]) * 5 + a_btf()))

    assert isinstance(read_btf(image), CouldNotTell)
