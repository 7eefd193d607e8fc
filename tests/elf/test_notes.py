from __future__ import annotations

import struct
from typing import Literal

import pytest

from lkm.elf.notes import Note, build_id_in, parse_notes
from lkm.errors import FormatError

ID = bytes(range(20))


def a_note(order: str = "<", name: bytes = b"GNU\0", kind: int = 3, body: bytes = ID) -> bytes:
    head = struct.pack(order + "III", len(name), len(body), kind)
    return head + name + bytes(-len(name) % 4) + body + bytes(-len(body) % 4)


@pytest.mark.parametrize("order", ["<", ">"])
def test_notes_are_read_in_either_byte_order(order: Literal["<", ">"]) -> None:
    data = a_note(order) + a_note(order, b"Linux\0", 0x101, b"abcde")

    assert parse_notes(data, order) == (Note("GNU", 3, ID), Note("Linux", 0x101, b"abcde"))


def test_the_zeros_after_the_last_note_may_be_missing() -> None:
    assert parse_notes(a_note(body=b"abcde")[:-3], "<") == (Note("GNU", 3, b"abcde"),)


def test_no_bytes_are_no_notes() -> None:
    assert parse_notes(b"", "<") == ()


@pytest.mark.parametrize("size", range(1, len(a_note())))
def test_a_note_cut_anywhere_is_a_format_error(size: int) -> None:
    with pytest.raises(FormatError):
        parse_notes(a_note()[:size], "<")


def test_absurd_sizes_are_a_format_error() -> None:
    for head in (struct.pack("<III", 0xFFFF_FFFF, 4, 3), struct.pack("<III", 4, 0xFFFF_FFFF, 3)):
        with pytest.raises(FormatError):
            parse_notes(head + b"GNU\0abcd", "<")


def test_a_build_id_is_not_looked_for_among_thousands_of_notes() -> None:
    note = a_note()

    assert build_id_in(a_note(name=b"Linux\0") + note, "<") == ID
    assert build_id_in(note * 2000, "<") is None
