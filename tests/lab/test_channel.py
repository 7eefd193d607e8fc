"""The frames of a guest, whole, cut and hostile."""

from __future__ import annotations

import gzip
import re

import pytest

from lkm.errors import FormatError
from lkm.lab.channel import KINDS, Frame, Reader, parse_status

STREAM = b"hello 0\nout 5\nab\nc\nerrz %d\n%b" + b"ended 1\n0state 4\na b\nstatus 3\n126"
PACKED = gzip.compress(b"long " * 300)
WHOLE = STREAM % (len(PACKED), PACKED)
FRAMES = [
    Frame("hello", b""),
    Frame("out", b"ab\nc\n"),
    Frame("err", b"long " * 300),
    Frame("ended", b"0"),
    Frame("state", b"a b\n"),
    Frame("status", b"126"),
]


def test_frames_come_out_as_they_went_in() -> None:
    assert list(Reader().feed(WHOLE)) == FRAMES


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_it_does_not_matter_in_which_pieces_they_come(size: int) -> None:
    reader = Reader()
    found: list[Frame] = []
    for at in range(0, len(WHOLE), size):
        found += reader.feed(WHOLE[at : at + size])

    assert found == FRAMES


def test_cut_anywhere_only_whole_frames_come_out() -> None:
    for end in range(len(WHOLE)):
        found = list(Reader().feed(WHOLE[:end]))

        assert found == FRAMES[: len(found)]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"x" * 33, "a line that does not end"),
        (b"\n", "no frame begins"),
        (b"out\n", "no frame begins"),
        (b"out -1\n", "no frame begins"),
        (b"out +1\nx", "no frame begins"),
        (b"out 1 1\n", "no frame begins"),
        (b"OUT 1\nx", "no frame begins"),
        (b"helloz 0\n", "no frame begins"),
        ("out \N{SUPERSCRIPT TWO}\n".encode(), "no frame begins"),
        (b"out 1048577\n", "a frame of 1048577 bytes"),
        (b"out 99999999999999999999\n", "a frame of"),
        (b"outz 0\n", "gzip that does not end"),
        (b"outz 4\nxxxx", "damaged gzip"),
        (b"outz 20\n" + PACKED[:20], "gzip that does not end"),
    ],
)
def test_what_is_no_frame_is_a_format_error(data: bytes, problem: str) -> None:
    with pytest.raises(FormatError, match=re.escape(problem)):
        list(Reader().feed(data))


def test_the_error_tells_where_in_the_stream() -> None:
    with pytest.raises(FormatError) as caught:
        list(Reader().feed(b"out 2\nabnonsense 1\n"))

    assert caught.value.offset == len(b"out 2\nab")


def test_a_frame_that_unpacks_to_too_much_is_a_format_error() -> None:
    bomb = gzip.compress(bytes((1 << 24) + 1))
    data = b"outz %d\n" % len(bomb) + bomb

    assert len(bomb) < 1 << 20
    with pytest.raises(FormatError, match="does not end"):
        list(Reader().feed(data))


def test_gzip_with_any_byte_changed_is_read_or_a_format_error() -> None:
    for at in range(len(PACKED)):
        damaged = bytearray(PACKED)
        damaged[at] ^= 0xFF
        try:
            (frame,) = Reader().feed(b"outz %d\n" % len(damaged) + damaged)
        except FormatError:
            continue
        assert frame.kind == "out"


def test_every_kind_is_told_in_the_rooms_theory() -> None:
    import lkm.lab.channel

    told = lkm.lab.channel.__doc__ or ""
    assert not [kind for kind in KINDS if f"{kind} " not in told]


@pytest.mark.parametrize("data", [b"", b"-1", b"1\n", b"1000", b" 1", b"x", "²".encode()])
def test_what_is_no_exit_status_is_a_format_error(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_status(data)


def test_an_exit_status_is_a_number() -> None:
    assert [parse_status(data) for data in (b"0", b"7", b"255")] == [0, 7, 255]
