"""The lines that a module has in ``/proc/kallsyms``: address, type letter, name of each symbol.

Once the module is live only the symbols that were kept are listed, in the order of the symbol
table. A letter is upper case for a symbol that ``__ksymtab`` exports under that very name; GPL-only
exports stay lower case.
Source: kernel/module/kallsyms.c, add_kallsyms, elf_type and module_get_kallsym; kernel/kallsyms.c.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from lkm.elf.constants import (
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_WRITE,
    SHN_ABS,
    SHN_LORESERVE,
    SHN_UNDEF,
    SHT_NOBITS,
    STB_WEAK,
    STT_OBJECT,
)
from lkm.elf.file import Section
from lkm.elf.symbols import Symbol
from lkm.loader.facts import KernelSymbol, ModuleFacts
from lkm.loader.memory.layout import Layout
from lkm.loader.symbols.exported import plain_exports


class ModuleSymbol(NamedTuple):
    """One symbol of a loaded module, as ``/proc/kallsyms`` shows it."""

    address: int
    type: str
    name: str


def module_symbols(
    module: ModuleFacts,
    laid_out: Layout,
    addresses: Mapping[int, int],
    kernel: Mapping[str, Sequence[KernelSymbol]] = MappingProxyType({}),
) -> tuple[ModuleSymbol, ...]:
    """Return the symbols of *module*, once it is live, in the kernel's order.

    *addresses* maps the index of each section to where it lies, for per-CPU data its offset in
    the per-CPU area. What a live patch imports stands there by the address that it got, from
    *kernel*, as far as that is known.
    """
    return _resolved(_shown(module, laid_out, addresses, laid_out.kept), module, kernel)


def coming_symbols(
    module: ModuleFacts,
    laid_out: Layout,
    addresses: Mapping[int, int],
    kernel: Mapping[str, Sequence[KernelSymbol]],
) -> tuple[ModuleSymbol, ...]:
    """Return the symbols of *module* while it is coming: its whole table.

    What lies in sections that are not loaded is shown by its offset: the kernel shows where in
    its copy of the file it was, which nobody else knows.
    """
    return _resolved(_shown(module, laid_out, addresses, module.symbols), module, kernel)


def _resolved(
    shown: tuple[ModuleSymbol, ...],
    module: ModuleFacts,
    kernel: Mapping[str, Sequence[KernelSymbol]],
) -> tuple[ModuleSymbol, ...]:
    """Return *shown* with the addresses of what is imported."""
    undefined = {symbol.name for symbol in module.symbols if symbol.section_index == SHN_UNDEF}
    if undefined.isdisjoint([each.name for each in shown]):
        return shown
    found = {name: kernel[name][0].address or 0 for name in undefined if name in kernel}
    return tuple(
        [
            each._replace(address=found.get(each.name, 0)) if each.name in undefined else each
            for each in shown
        ]
    )


def _shown(
    module: ModuleFacts,
    laid_out: Layout,
    addresses: Mapping[int, int],
    symbols: Sequence[Symbol],
) -> tuple[ModuleSymbol, ...]:
    letters = _section_letters(module, laid_out)
    exported = plain_exports(module.elf, module.symbols)
    mask = (1 << (64 if module.is_64bit else 32)) - 1
    found: list[ModuleSymbol] = []
    for symbol in symbols:
        if not symbol.name:
            continue
        index = symbol.section_index
        letter = _letter(symbol, letters)
        if (symbol.name, index, symbol.value) in exported:
            letter = letter.upper()
        address = (symbol.value + addresses.get(index, 0)) & mask
        found.append(ModuleSymbol(address, letter, symbol.name))
    return tuple(found)


def _letter(symbol: Symbol, letters: Sequence[str]) -> str:
    index = symbol.section_index
    if symbol.bind == STB_WEAK:
        return "v" if symbol.type == STT_OBJECT else "w"
    if index == SHN_UNDEF:
        return "u"
    if index == SHN_ABS:
        return "a"
    return letters[index] if index < min(SHN_LORESERVE, len(letters)) else "?"


def _section_letters(module: ModuleFacts, laid_out: Layout) -> list[str]:
    found = [_section_letter(section) for section in module.sections]
    if laid_out.percpu is not None:
        found[laid_out.percpu.index] = "a"
    # The loader has cleared the flag of what it does not load (modinfo, CRCs).
    for section in module.sections:
        loaded = section.index in laid_out.offsets
        if section.flags & SHF_ALLOC and not loaded and found[section.index] in "rd":
            found[section.index] = "?"
    return found


def _section_letter(section: Section) -> str:
    if section.flags & SHF_EXECINSTR:
        return "t"
    if section.flags & SHF_ALLOC and section.type != SHT_NOBITS:
        return "d" if section.flags & SHF_WRITE else "r"
    if section.type == SHT_NOBITS:
        return "b"
    return "n" if section.name.startswith(".debug") else "?"
