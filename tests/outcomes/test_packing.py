"""The packed files that cases are made of, held against the libraries that unpack them."""

from __future__ import annotations

import lzma

import pytest

from lkm.module.file import decompress
from tests.outcomes.packing import block_header, in_blocks, index_at, stored_zstd, xz

DATA = bytes(range(256)) * 1000


def test_a_stream_of_several_blocks_is_one_of_xz() -> None:
    packed = in_blocks([DATA[:4096], DATA[4096:5000], DATA[5000:]])

    assert lzma.decompress(packed) == DATA
    assert packed.count(b"\xfd7zXZ\0") == packed.count(b"YZ") == 1


def test_blocks_that_are_stored_are_a_frame_of_zstd() -> None:
    assert decompress(stored_zstd(DATA)) == ("zstd", DATA)


def test_the_index_begins_where_the_block_ends() -> None:
    packed = xz(DATA)

    assert packed[index_at(packed)] == 0
    assert index_at(packed + packed) == index_at(packed) + len(packed)


def test_a_block_header_can_be_put_in_the_place_of_one_that_says_the_same() -> None:
    packed = block_header(0, 0x21, 1, 0x16)(xz(DATA))

    assert packed != xz(DATA)
    assert lzma.decompress(packed) == DATA
    with pytest.raises(lzma.LZMAError):
        lzma.decompress(block_header(0, 0x22, 1, 0x16)(xz(DATA)))
