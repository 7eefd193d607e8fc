from __future__ import annotations

import pytest

from lkm.errors import FormatError
from lkm.kallsyms.parse import text_of
from lkm.kallsyms.table import Symbol, SymbolTable
from tests.kallsyms.tables import TEXT, a_table

STEXT = 0xFFFFFFFF81000000


def test_every_column_is_read() -> None:
    table = SymbolTable.from_text(TEXT, release="6.1")

    assert len(table) == 9
    assert list(table.addresses[:3]) == [0, STEXT, STEXT]
    assert table.types == "ATTttDtrt"
    assert table.names[-2:] == ("__ksymtab_btrfs", "fat_init")
    assert table.modules == ("",) * 6 + ("btrfs", "btrfs", "fat")
    assert table.module_names == ("btrfs", "fat")
    assert next(iter(table)) == Symbol(0, "A", "fixed_percpu_data", "")
    assert table.release == "6.1"


def test_the_text_comes_back_from_the_columns() -> None:
    assert text_of(SymbolTable.from_text(TEXT).columns) == TEXT
    assert SymbolTable.from_text(TEXT).as_text() == TEXT


def test_32_bit_addresses_have_eight_digits() -> None:
    text = b"c1000000 T _stext\nc1000010 t a\t[fat]\n"
    table = SymbolTable.from_text(text)

    assert list(table.addresses) == [0xC1000000, 0xC1000010]
    assert text_of(table.columns) == text


def test_an_empty_text_is_an_empty_table() -> None:
    table = SymbolTable.from_text(b"")

    assert len(table) == 0
    assert list(table) == []
    assert not table.hidden
    assert table.module_names == ()


def test_a_missing_last_line_end_is_no_harm() -> None:
    assert len(SymbolTable.from_text(TEXT[:-1])) == 9


def test_names_that_are_not_utf_8_come_back_as_they_were() -> None:
    text = b"ffffffff81000000 T caf\xe9\nffffffff81000000 T na\xc2\xa0me\n"
    table = SymbolTable.from_text(text)

    assert table.names == ("caf\udce9", "na\xa0me")
    assert text_of(table.columns) == text


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"ffffffff81000000 T", "too few words"),
        (b"ffffffff81000000", "too few words"),
        (b"", "too few words"),
        (b"ffffffff81000000  name", "too few words"),
        (b"T name", "too few words"),
        (b" T name", "too few words"),
        (b"xyz T name", "no address"),
        (b"0x81000000 T name", "no address"),
        (b"ffffffffffffffff1 T name", "no address"),
        (b"ffffffff81000000 TT name", "no type letter"),
    ],
)
def test_a_line_that_is_none_is_named(line: bytes, problem: str) -> None:
    with pytest.raises(FormatError, match=f"line 3: {problem}") as caught:
        _ = SymbolTable.from_text(b"".join(TEXT.splitlines(keepends=True)[:2]) + line + b"\n").names

    assert caught.value.offset == TEXT.index(b"\n", TEXT.index(b"\n") + 1) + 1


def test_a_line_without_its_name_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(FormatError, match="line 2"):
        SymbolTable.from_text(b"ffffffff81000000 T a\nffffffff81000000 T\n")


@pytest.mark.parametrize("size", range(len(TEXT)))
def test_a_text_cut_anywhere_is_shorter_or_a_format_error(size: int) -> None:
    last = TEXT[:size].rpartition(b"\n")[2].split()
    whole_lines = TEXT[:size].count(b"\n")
    if len(last) in (1, 2):
        with pytest.raises(FormatError, match=f"line {whole_lines + 1}: too few words"):
            _ = SymbolTable.from_text(TEXT[:size]).names
    else:
        names = SymbolTable.from_text(TEXT[:size]).names
        assert len(names) == whole_lines + bool(last)


def test_lines_in_another_order_are_read_too() -> None:
    text = (
        b"ffffffffc0301000 t fat_init\t[fat]\n"
        b"ffffffff81000000 T _stext\n"
        b"FFFFFFFFC0301000 t spaced [ext4]\n"
        b"1f T a name\n"
    )
    table = SymbolTable.from_text(text)

    assert table.names == ("fat_init", "_stext", "spaced", "a name")
    assert table.modules == ("fat", "", "ext4", "")
    assert list(table.addresses)[2:] == [0xFFFFFFFFC0301000, 0x1F]


def test_names_are_found_by_pattern() -> None:
    table = SymbolTable.from_text(TEXT)

    assert [symbol.address for symbol in table.find("helper")] == [STEXT + 0x40, STEXT + 0x80]
    assert table.find("*_init").names == ("btrfs_init", "fat_init")
    assert table.find("[bf]*_init").of_module("fat").names == ("fat_init",)
    assert len(table.find("help")) == 0
    assert len(table.find("HELPER")) == 0


def test_the_kernels_own_symbols_have_no_module() -> None:
    table = SymbolTable.from_text(TEXT, release="6.1")

    assert len(table.of_module("")) == 6
    assert table.of_module("btrfs").as_text() == b"".join(TEXT.splitlines(keepends=True)[6:8])
    assert table.of_module("btrfs").release == "6.1"
    assert len(table.of_module("ext4")) == 0


@pytest.mark.parametrize(
    ("address", "name", "offset"),
    [
        (STEXT, "_stext", 0),
        (STEXT + 0x3F, "_stext", 0x3F),
        (STEXT + 0x81, "helper", 1),
        (0xFFFFFFFFC0201041, "__ksymtab_btrfs", 1),
        (0xFFFFFFFFC0301000 + (1 << 20) - 1, "fat_init", (1 << 20) - 1),
    ],
)
def test_an_address_lies_in_the_symbol_before_it(address: int, name: str, offset: int) -> None:
    found = SymbolTable.from_text(TEXT).at_address(address)

    assert found is not None
    assert (found[0].name, found[1]) == (name, offset)


def test_an_address_far_from_all_symbols_lies_in_none() -> None:
    table = SymbolTable.from_text(TEXT)

    assert table.at_address(0x7FFF00000000) is None
    assert table.at_address(0xFFFFFFFFC0301000 + (1 << 20)) is None
    assert table.at_address(0xFFFFFFFFFFFFFFFF) is None
    assert SymbolTable.from_text(b"").at_address(STEXT) is None


def test_zero_addresses_are_hidden_ones() -> None:
    lines = [b"0" * 16 + line[16:] for line in TEXT.splitlines(keepends=True)]
    hidden = SymbolTable.from_text(b"".join(lines))

    assert hidden.hidden
    assert hidden.at_address(0) is None
    assert hidden.of_module("btrfs").hidden
    assert not SymbolTable.from_text(TEXT).hidden
    assert not SymbolTable.from_text(b"".join(lines[:-1]) + TEXT.splitlines()[-1]).hidden


def test_tables_are_equal_by_release_and_symbols() -> None:
    table = SymbolTable.from_text(TEXT, release="6.1")

    assert table == SymbolTable.from_symbols(table, release="6.1")
    assert hash(table) == hash(SymbolTable.from_symbols(table, release="6.1"))
    assert table != SymbolTable.from_text(TEXT, release="6.2")
    assert table != table.of_module("")


def test_nothing_of_the_kernel_lies_beyond_the_page_of_its_end() -> None:
    table = a_table(
        "0 A fixed_percpu_data",
        "81000000 T _text",
        "81000000 T _stext",
        "82000008 B _end",
        "82010000 ? __init_scratch_end",
        "82020000 t late [fat]",
    )

    def name_at(address: int) -> str | None:
        found = table.at_address(address | 0xFFFFFFFF00000000)
        return found[0].name if found else None

    assert name_at(0x82000FFF) == "_end"
    assert name_at(0x82001000) is None
    assert name_at(0x82010000) == "__init_scratch_end"
    assert name_at(0x82010001) is None
    assert name_at(0x82021000) == "late"
    assert table.at_address(0) == (Symbol(0, "A", "fixed_percpu_data", ""), 0)
    assert table.at_address(8) is None


def test_a_part_with_zeros_only_is_hidden_if_the_whole_table_is() -> None:
    table = SymbolTable.from_text(TEXT)
    part = table.find("fixed_percpu_data")

    assert list(part.addresses) == [0]
    assert not part.hidden
    assert not table.rows([0]).of_module("").hidden
    assert SymbolTable.from_text(b"0000000000000000 T a\n").find("b").hidden
