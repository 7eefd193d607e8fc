"""Lay out the teaching kernel's symbol table: its own functions and data, and its exports.

Nothing is behind these addresses. They are made as a linker would: code from where x86-64 kernels
begin, each symbol as large as the hash of its name says, constants and data after it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

from teaching.recipe import FOLDER, Prototype, Recipe

Row = tuple[int, str, str]  # address, type letter, name

_TEXT_START = 0xFFFF_FFFF_8100_0000
_HUGE_PAGE = 1 << 21
_KSYMTAB_ENTRY = 12  # bytes: three distances


def symbol_table(recipe: Recipe) -> tuple[Row, ...]:
    """Return the rows of ``/proc/kallsyms``, sorted by address as there."""
    listed = _listed()
    rows: list[Row] = list(_placed(0, [("A", name) for kind, name in listed if kind == "p"]))
    text = [(kind, name) for kind, name in listed if kind in "tT"]
    text += [("T", export.name) for export in recipe.exports if _kind(export) == "T"]
    rows += _part(rows, _TEXT_START, ("_text", "_stext"), text, "T", "_etext")
    constants = [(kind, name) for kind, name in listed if kind in "rR"]
    constants += [("R", export.name) for export in recipe.exports if _kind(export) == "R"]
    rows += _part(rows, None, ("__start_rodata",), constants, "R", "")
    rows += _tables(recipe, rows[-1][0])
    data = [(kind, name) for kind, name in listed if kind in "dD"]
    data += [("D", export.name) for export in recipe.exports if _kind(export) == "D"]
    rows += _part(rows, None, ("_sdata",), data, "D", "_edata")
    zeroed = [(kind, name) for kind, name in listed if kind in "bB"]
    rows += _part(rows, None, ("__bss_start",), zeroed, "B", "_end")
    return tuple(rows)


def _listed() -> list[tuple[str, str]]:
    lines = (FOLDER / "symbols.txt").read_text().splitlines()
    return [(line[0], line[2:]) for line in lines if line and not line.startswith("#")]


def _kind(export: Prototype) -> str:
    if not export.is_data:
        return "T"
    return "R" if export.name.startswith("param_") else "D"


def _part(
    before: Sequence[Row],
    start: int | None,
    first: tuple[str, ...],
    names: Sequence[tuple[str, str]],
    kind: str,
    last: str,
) -> Iterator[Row]:
    """Yield a part of the kernel, which begins a huge page unless *start* says where."""
    if start is None:
        start = (before[-1][0] // _HUGE_PAGE + 1) * _HUGE_PAGE
    for name in first:
        yield start, kind, name
    at = start
    for at, letter, name in _placed(start, names):
        yield at, letter, name
    if last:
        yield at + 4096, kind, last


def _placed(start: int, names: Sequence[tuple[str, str]]) -> Iterator[Row]:
    for letter, name in names:
        yield start, letter, name
        start += 16 * (1 + zlib.crc32(name.encode()) % 64)


def _tables(recipe: Recipe, before: int) -> Iterator[Row]:
    """Yield the entries of ``__ksymtab`` and ``__ksymtab_gpl``."""
    at = (before // 4096 + 1) * 4096
    for gpl_only, suffix in ((False, ""), (True, "_gpl")):
        yield at, "R", f"__start___ksymtab{suffix}"
        for export in recipe.exports:
            if export.gpl_only == gpl_only:
                yield at, "r", f"__ksymtab_{export.name}"
                at += _KSYMTAB_ENTRY
        yield at, "R", f"__stop___ksymtab{suffix}"
