from __future__ import annotations

import struct

import pytest

from lkm.errors import FormatError
from lkm.vmlinux.lz4 import BLOCK_SIZE, MAGIC, unpack_legacy
from tests.builders.vmlinux import lz4_legacy

TEXTS = {
    "nothing to match": bytes(range(256)),
    "one byte again and again": b"a" * 5000,
    "a pattern that overlaps": b"abcde" * 300 + b"end of it all",
    "long literals": bytes(index * index % 251 for index in range(700)) + b"tail",
    "short": b"abc",
}


def a_frame(*blocks: bytes) -> bytes:
    return MAGIC + b"".join([struct.pack("<I", len(block)) + block for block in blocks])


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_was_packed_comes_back(text: bytes) -> None:
    frame = lz4_legacy(text)

    assert unpack_legacy(frame, 1 << 20) == (text, len(frame))


def test_blocks_follow_each_other() -> None:
    text = b"some words, some other words, some words again, " * 50
    frame = lz4_legacy(text, block_size=500)

    assert unpack_legacy(frame + struct.pack("<I", len(text)), 1 << 20) == (text, len(frame))


def test_frames_follow_each_other() -> None:
    frame = lz4_legacy(b"first") + lz4_legacy(b" second")

    assert unpack_legacy(frame, 100)[0] == b"first second"


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        (b"\x10a\x05\0", "before the block"),
        (b"\x10a\0\0", "before the block"),
        (b"\x50abc", "inside its literals"),
        (b"\x11a\x01", "cut off"),
        (b"\xf0\xff\xff", "cut off"),
        (b"\x1fa\x01\0" + b"\xff" * 40_000 + b"\0", "grows past"),
    ],
)
def test_a_damaged_block_is_a_format_error(block: bytes, problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        unpack_legacy(a_frame(block), 1 << 30)


def test_a_block_that_claims_gigabytes_is_a_format_error() -> None:
    with pytest.raises(FormatError, match="a block of"):
        unpack_legacy(MAGIC + struct.pack("<I", 1 << 31) + b"\x10a", 1 << 30)


def test_more_than_the_limit_is_a_format_error() -> None:
    with pytest.raises(FormatError, match="grows past 1000 bytes"):
        unpack_legacy(lz4_legacy(bytes(2000)), 1000)


def test_a_block_holds_up_to_eight_mebibytes() -> None:
    text = bytes(BLOCK_SIZE)

    assert unpack_legacy(lz4_legacy(text), BLOCK_SIZE)[0] == text


def test_a_frame_cut_anywhere_is_a_format_error() -> None:
    frame = lz4_legacy(TEXTS["a pattern that overlaps"])
    for size in range(len(frame)):
        with pytest.raises(FormatError):
            unpack_legacy(frame[:size], 1 << 20)
