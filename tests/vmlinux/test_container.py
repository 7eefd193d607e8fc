from __future__ import annotations

import lzma
import struct
import zlib

import pytest

from lkm.errors import FormatError
from lkm.vmlinux import container
from lkm.vmlinux.container import unpack
from tests.builders.elf import a_module
from tests.builders.vmlinux import (
    COMPRESSIONS,
    a_bzimage,
    a_pe,
    a_raw_image,
    a_zboot,
    an_elf_kernel,
    packed,
    with_size_word,
)

X86, ARM64, RISCV = 62, 183, 243
KERNEL = an_elf_kernel()


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_bzimage_with_any_compression_gives_its_elf_file(compression: str) -> None:
    payload = unpack(a_bzimage(with_size_word(KERNEL, compression)))

    assert payload.data == KERNEL
    assert (payload.kind, payload.machine) == ("elf", X86)
    assert payload.wrappers == ("bzImage", compression)


def test_a_plain_elf_kernel_is_in_no_wrapper() -> None:
    assert unpack(KERNEL).wrappers == ()


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_compressed_kernel_needs_no_size_word(compression: str) -> None:
    payload = unpack(packed(KERNEL, compression))

    assert payload.data == KERNEL
    assert payload.wrappers == (compression,)


def test_bytes_after_the_elf_file_stay() -> None:
    with_relocations = KERNEL + b"relocations"

    assert unpack(a_bzimage(with_size_word(with_relocations, "xz"))).data == with_relocations


@pytest.mark.parametrize("machine", ["arm64", "riscv"])
def test_an_image_is_the_memory_itself(machine: str) -> None:
    image = a_raw_image(machine=machine)
    payload = unpack(packed(image, "gzip"))

    assert payload.data == image
    assert payload.kind == "raw"
    assert payload.machine == (ARM64 if machine == "arm64" else RISCV)
    assert payload.wrappers == ("gzip",)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_zboot_image_gives_its_image(compression: str) -> None:
    image = a_raw_image(b"more")
    payload = unpack(a_zboot(with_size_word(image, compression), compression))

    assert payload.data == image
    assert payload.wrappers == ("zboot", compression)


def test_a_uki_gives_the_kernel_in_its_section_linux() -> None:
    inner = a_bzimage(with_size_word(KERNEL, "zstd"))
    uki = a_pe([(b".osrel", b"ID=test\n"), (b".linux", inner), (b".initrd", b"070701")])

    payload = unpack(uki)

    assert payload.data == KERNEL
    assert payload.wrappers == ("UKI", "bzImage", "zstd")


def test_a_wrong_size_word_is_a_format_error() -> None:
    payload = packed(KERNEL, "xz") + struct.pack("<I", len(KERNEL) + 1)

    with pytest.raises(FormatError, match="the size word after it says"):
        unpack(a_bzimage(payload))


def test_a_bzimage_too_old_to_tell_its_payload_is_a_format_error() -> None:
    with pytest.raises(FormatError, match=r"boot protocol 2\.07"):
        unpack(a_bzimage(with_size_word(KERNEL, "gzip"), version=0x207))


def test_lzo_is_named_as_what_lkm_cannot_unpack() -> None:
    with pytest.raises(FormatError, match="LZO"):
        unpack(a_bzimage(b"\x89LZO\0\r\n\x1a\n" + bytes(100)))


@pytest.mark.parametrize(
    "data",
    [b"", b"MZ", b"#!/bin/sh\n", bytes(5000), a_pe([(b".text", b"code")]), packed(b"text", "xz")],
    ids=["empty", "MZ", "script", "zeros", "program", "compressed text"],
)
def test_other_files_are_no_kernel_images(data: bytes) -> None:
    with pytest.raises(FormatError):
        unpack(data)


def test_a_module_is_told_from_a_kernel() -> None:
    with pytest.raises(FormatError, match="perhaps a module"):
        unpack(a_module())


def test_an_elf_program_is_no_kernel() -> None:
    with pytest.raises(FormatError, match="no kernel"):
        unpack(an_elf_kernel(banner="Hello world\n"))


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_bzimage_cut_anywhere_is_a_format_error(compression: str) -> None:
    # Without the setup's zeros, whose cuts are all alike.
    whole = a_bzimage(with_size_word(KERNEL, compression))
    payload_end = len(whole) - len(b"what a signer appends")
    for size in range(1000, payload_end):
        with pytest.raises(FormatError):
            unpack(whole[:size])
    for size in range(0, 1000, 13):
        with pytest.raises(FormatError):
            unpack(whole[:size])
    assert unpack(whole[:payload_end]).data == KERNEL


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_compressed_kernel_cut_anywhere_is_a_format_error(compression: str) -> None:
    whole = packed(KERNEL, compression)
    for size in range(len(whole)):
        with pytest.raises(FormatError):
            unpack(whole[:size])


def test_a_uki_cut_anywhere_before_its_kernel_ends_is_a_format_error() -> None:
    inner = packed(a_raw_image(), "gzip")
    whole = a_pe([(b".osrel", b"ID=test\n"), (b".linux", inner)])
    end = whole.rindex(inner) + len(inner)
    for size in range(end):
        with pytest.raises(FormatError):
            unpack(whole[:size])
    assert unpack(whole[:end]).kind == "raw"


def test_a_zboot_cut_anywhere_is_a_format_error() -> None:
    whole = a_zboot(with_size_word(a_raw_image(), "xz"), "xz")
    for size in range(len(whole) - 4):
        with pytest.raises(FormatError):
            unpack(whole[:size])


def test_a_zboot_payload_of_an_unknown_kind_is_named() -> None:
    with pytest.raises(FormatError, match="'quux'"):
        unpack(a_zboot(b"something else", "quux"))


@pytest.mark.parametrize("compression", ["gzip", "xz", "lzma", "bzip2", "zstd", "lz4"])
def test_a_payload_that_grows_out_of_proportion_is_refused(
    compression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "SIZE_BASE", 100_000)
    bomb = packed(bytes(4_000_000), compression)

    with pytest.raises(FormatError, match="grows past"):
        unpack(bomb)


def test_bombs_in_each_other_grow_no_further_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "SIZE_BASE", 10_000)
    bomb = bytes(8_000_000)
    for _layer in range(3):
        bomb = zlib.compress(bomb, 9, 31)

    with pytest.raises(FormatError, match="grows past"):
        unpack(bomb)


def test_wrappers_without_end_are_refused() -> None:
    data = b"Linux version 6.1 "
    for _layer in range(10):
        data = zlib.compress(data, 1, 31)

    with pytest.raises(FormatError, match="wrappers in each other"):
        unpack(data)


def test_an_lzma_dictionary_that_wants_all_memory_is_refused() -> None:
    whole = bytearray(lzma.compress(KERNEL, lzma.FORMAT_ALONE))
    whole[0:3] = b"\x5d\0\0"
    whole[1:5] = b"\0\0\xff\xff"

    with pytest.raises(FormatError, match="damaged"):
        unpack(bytes(whole))
