"""Texts of /proc/kallsyms for tests."""

from __future__ import annotations

from collections.abc import Sequence

from lkm.kallsyms.table import SymbolTable

TEXT = (
    b"0000000000000000 A fixed_percpu_data\n"
    b"ffffffff81000000 T _stext\n"
    b"ffffffff81000000 T _text\n"
    b"ffffffff81000040 t helper\n"
    b"ffffffff81000080 t helper\n"
    b"ffffffff82000000 D jiffies\n"
    b"ffffffffc0201000 t btrfs_init\t[btrfs]\n"
    b"ffffffffc0201040 r __ksymtab_btrfs\t[btrfs]\n"
    b"ffffffffc0301000 t fat_init\t[fat]\n"
)


def a_table(*lines: str, release: str = "6.1.0-test") -> SymbolTable:
    """Return the table of lines "81000000 T name [module]"; short addresses are the kernel's."""
    return SymbolTable.from_symbols([_symbol(line.split()) for line in lines], release=release)


def as_text_table(table: SymbolTable) -> SymbolTable:
    """Return the same table, as it would have been read from a file."""
    return SymbolTable.from_text(table.as_text(), release=table.release)


def _symbol(words: Sequence[str]) -> tuple[int, str, str, str]:
    address = int(words[0], 16)
    module = words[3].strip("[]") if len(words) > 3 else ""
    return (address | 0xFFFFFFFF00000000 if address else 0, words[1], words[2], module)
