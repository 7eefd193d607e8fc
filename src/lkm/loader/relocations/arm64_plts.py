"""The tables of jumps that an arm64 kernel makes room for in a module: branches reach 128 MB.

A module has ``.plt`` and ``.init.plt``, and for ftrace ``.text.ftrace_trampoline``, of one byte
each; the loader gives them the sizes that it reckons from the relocations of its code. For a
processor with erratum 843419 (Cortex-A53) it would add entries; none is taken for one here.
Source: arch/arm64/kernel/module-plts.c; arch/arm64/include/asm/module.h and ftrace.h.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress

from lkm.elf.constants import (
    EM_AARCH64,
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHT_NOBITS,
    SHT_RELA,
)
from lkm.elf.file import ElfFile, Section
from lkm.elf.symbols import Symbol
from lkm.errors import FormatError
from lkm.loader.facts import KernelFacts, ModuleFacts
from lkm.loader.findings import Finding, refusal
from lkm.loader.options import KernelOptions
from lkm.loader.releases import FTRACE_WITH_ARGS, PLTS_ALWAYS, Version
from lkm.loader.relocations.columns import LOW, Columns, read_columns

JUMP26, CALL26 = 282, 283
"""The types of the relocations of branches."""

_BRANCHES = frozenset({JUMP26, CALL26})
_ENTRY_BYTES = 12
_CACHE_LINE = 64
_CORE, _INIT = ".plt", ".init.plt"
_TRAMPOLINES = frozenset({".text.ftrace_trampoline", ".init.text.ftrace_trampoline"})


@dataclass(frozen=True, slots=True)
class _Size:
    bytes: int
    alignment: int


def jump_tables(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Refuse a module without the sections that an arm64 kernel makes its tables of jumps in."""
    if kernel.machine != EM_AARCH64:
        return
    if not (kernel.options.arm64_module_plts or kernel.has(PLTS_ALWAYS)):
        return
    names = {section.name for section in module.sections[1:]}
    if not {_CORE, _INIT} <= names:
        yield refusal(
            "jump-tables",
            f"{module.name}: module PLT section(s) missing",
            remedy="take the module file built for exactly this kernel",
        )


def sized_sections(
    elf: ElfFile, symbols: Sequence[Symbol], version: Version, options: KernelOptions
) -> tuple[Section, ...]:
    """Return the sections of the module *elf* as its kernel lays them out, by index.

    Those of other processors are as they are in the file. Raises ``FormatError`` for relocations
    outside the file, or over each other.
    """
    sections = elf.sections
    last = {section.name: section for section in sections[1:]}
    if elf.machine != EM_AARCH64 or not elf.is_64bit or not {_CORE, _INIT} <= last.keys():
        return sections
    counts = {_CORE: 0, _INIT: 0}
    for section in _relocations_of_code(elf):
        target = sections[section.info]
        count = branch_entries(read_columns(elf, section), symbols, target)
        counts[_INIT if in_init(target.name, options) else _CORE] += count
    trampolines = 1 if FTRACE_WITH_ARGS.in_release(version) else 2
    sizes = {name: _Size(_ENTRY_BYTES * trampolines, 4) for name in _TRAMPOLINES & last.keys()}
    for name, count in counts.items():
        sizes[name] = _Size(_ENTRY_BYTES * (count + 1), _CACHE_LINE)
    changed = {last[name].index: _resized(last[name], size) for name, size in sizes.items()}
    return tuple([changed.get(section.index, section) for section in sections])


def _relocations_of_code(elf: ElfFile) -> list[Section]:
    found = [
        section
        for section in elf.sections[1:]
        if section.type == SHT_RELA
        and section.info < len(elf.sections)
        and elf.sections[section.info].flags & SHF_EXECINSTR
    ]
    if sum([section.size for section in found]) > len(elf.data):
        raise FormatError(elf.what, "relocations that are larger than the file")
    return found


def in_init(name: str, options: KernelOptions) -> bool:
    """Tell whether a section of that *name* is given back when init has run."""
    return name.startswith(".init") or (not options.module_unload and name.startswith(".exit"))


def branch_entries(columns: Columns, symbols: Sequence[Symbol], target: Section) -> int:
    """Return how many entries the branches in *target* may need: those that lead out of it.

    Branches to the same symbol share one, but for those behind it (with an addend).
    """
    leading_out = {
        info
        for info in set(columns.infos)
        if info & LOW in _BRANCHES
        and info >> 32 < len(symbols)
        and symbols[info >> 32].section_index != target.index
    }
    if not leading_out:
        return 0
    leads_out = list(map(leading_out.__contains__, columns.infos))
    plain = {info for info, addend, leads in _rows(columns, leads_out) if leads and not addend}
    behind = sum(map(bool, compress(columns.addends, leads_out)))
    return len(plain) + behind + _last_unsorted(columns, leads_out)


def _rows(columns: Columns, leads_out: Sequence[bool]) -> Iterator[tuple[int, int, bool]]:
    return zip(columns.infos, columns.addends, leads_out, strict=True)


def _last_unsorted(columns: Columns, leads_out: Sequence[bool]) -> int:
    """Return 1 if the last branch gets a second entry of its own.

    Where everything in the table leads out, the last is not sorted in with the others, and so is
    taken for the same only as one that happens to be the greatest of them.
    """
    if columns.addends[-1] or not all(leads_out) or len(leads_out) == 1:
        return 0
    keys = [
        (info & LOW, info >> 32, addend)
        for info, addend in zip(columns.infos, columns.addends, strict=True)
    ]
    last = keys.pop()
    return int(last in keys and last != max(keys))


def _resized(section: Section, size: _Size) -> Section:
    raw = (
        0,
        SHT_NOBITS,
        SHF_ALLOC | SHF_EXECINSTR,
        section.address,
        section.offset,
        size.bytes,
        section.link,
        section.info,
        size.alignment,
        section.entsize,
    )
    return Section(section.index, section.name, raw)
