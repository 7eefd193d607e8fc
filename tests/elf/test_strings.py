from __future__ import annotations

import pytest

from lkm.elf.strings import StringTable
from lkm.errors import FormatError


def test_a_text_starts_at_its_offset_and_ends_at_nul() -> None:
    table = StringTable(b"\0snd_pcm\0caf\xc3\xa9\0\xff\0", "thing")

    assert [table.text(offset) for offset in (0, 1, 5, 9, 15)] == [
        "",
        "snd_pcm",
        "pcm",
        "café",
        "\udcff",
    ]


@pytest.mark.parametrize("offset", [-1, 4, 5, 1 << 40])
def test_an_offset_outside_the_table_is_a_format_error(offset: int) -> None:
    with pytest.raises(FormatError, match="thing: a name at"):
        StringTable(b"abc\0", "thing").text(offset)


def test_a_text_without_its_nul_is_a_format_error() -> None:
    with pytest.raises(FormatError):
        StringTable(b"abc", "thing").text(0)


def test_one_long_text_named_from_every_offset_is_refused_before_it_fills_the_memory() -> None:
    table = StringTable(b"A" * 1_000_000 + b"\0", "thing")

    with pytest.raises(FormatError, match="overlap"):
        _ = [table.text(offset) for offset in range(1_000_000)]


def test_a_text_asked_for_again_and_again_is_no_overlap() -> None:
    table = StringTable(b"A" * 1000 + b"\0", "thing")

    assert {len(table.text(0)) for _ in range(10_000)} == {1000}
