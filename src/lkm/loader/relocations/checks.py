"""The kernel's application of a module's relocations.

Each processor's kernel has its own way. Where all of a module can be seen to fit, nothing is
applied; else one after the other is, up to the first that is refused.
Source: kernel/module/main.c, apply_relocations; include/linux/moduleloader.h;
kernel/livepatch/core.c, klp_apply_section_relocs.
"""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from lkm.elf.constants import EM_AARCH64, EM_X86_64, SHT_NOBITS, SHT_REL, SHT_RELA, SHT_SYMTAB
from lkm.errors import FormatError
from lkm.loader.facts import KernelFacts, ModuleFacts
from lkm.loader.findings import Finding, blind
from lkm.loader.relocations.arm64 import Arm64
from lkm.loader.relocations.results import CHECK, Memory, doubt, refused
from lkm.loader.relocations.tables import Entry, Table, tables
from lkm.loader.relocations.x86_64 import X8664

_SHF_RELA_LIVEPATCH = 0x0010_0000
_LIVEPATCH_PREFIX = ".klp.rela."
_LIVEPATCH_LONGEST = 55


class Processor(Protocol):
    """How the kernel of a processor applies relocations."""

    def settled(self, table: Table) -> bool:
        """Tell whether all of *table* can be applied, seen without doing it; False says nothing."""
        ...

    def apply(self, entry: Entry, table: Table, memory: Memory) -> Sequence[Finding]:
        """Apply *entry* to *memory*, that of the table's target; return what stands against it."""
        ...


class _Maker(Protocol):
    def __call__(self, module: ModuleFacts, kernel: KernelFacts) -> Processor: ...


_PROCESSORS: Mapping[int, _Maker] = {EM_X86_64: X8664, EM_AARCH64: Arm64}


def relocations(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Apply the module's relocations."""
    if module.placed is None:
        return
    if _all_bytes(module) > len(module.elf.data):
        yield doubt("its relocations, and what they change, lie over each other in the file")
        return
    try:
        found = list(tables(module, module.placed.laid_out))
    except FormatError as error:
        yield blind(error)
        return
    make = _PROCESSORS.get(kernel.machine)
    if make is not None and module.is_64bit:
        yield from _apply(make(module, kernel), found, module, kernel)
    elif found:
        yield doubt(f"what a kernel for ELF machine {kernel.machine} makes of relocations")


def _all_bytes(module: ModuleFacts) -> int:
    """Return how many bytes the relocations, and the sections that they change, have in all."""
    count = len(module.sections)
    holding = [each for each in module.sections if each.type in {SHT_REL, SHT_RELA}]
    targets = {each.info for each in holding if each.info < count}
    changed = [module.sections[index] for index in targets]
    return sum([each.size for each in (*holding, *changed) if each.type != SHT_NOBITS])


def _apply(
    processor: Processor, found: Sequence[Table], module: ModuleFacts, kernel: KernelFacts
) -> Iterator[Finding]:
    """Apply what is in *found*, up to the first refusal."""
    tables_of = Counter([table.target.index for table in found])
    memories: dict[int, Memory] = {}
    for table in found:
        alone = tables_of[table.target.index] == 1
        if alone and _is_plain(table) and processor.settled(table):
            continue
        memory = memories.setdefault(table.target.index, Memory(table.contents))
        for finding in _apply_table(processor, table, memory, module, kernel):
            yield finding
            if finding.refuses:
                return


def _is_plain(table: Table) -> bool:
    return (
        table.section.type == SHT_RELA
        and not table.section.flags & _SHF_RELA_LIVEPATCH
        and not _changes_linking(table)
    )


def _changes_linking(table: Table) -> bool:
    """Tell whether the table changes symbols or relocations, which the loader goes by meanwhile."""
    return table.target.type in {SHT_REL, SHT_RELA, SHT_SYMTAB}


def _apply_table(
    processor: Processor, table: Table, memory: Memory, module: ModuleFacts, kernel: KernelFacts
) -> Iterator[Finding]:
    if table.section.flags & _SHF_RELA_LIVEPATCH:
        yield from _livepatch(table, kernel)
    elif table.section.type == SHT_REL:
        text = f"module {module.name}: REL relocation unsupported"
        evidence = f"{table.section.name} holds relocations without addends (SHT_REL)"
        yield refused(module.name, evidence, text)
    elif _changes_linking(table) and table.columns.infos:
        yield doubt(f"{table.section.name} changes {table.target.name} while the loader goes by it")
    else:
        for entry in table.entries():
            yield from processor.apply(entry, table, memory)


def _livepatch(table: Table, kernel: KernelFacts) -> Iterator[Finding]:
    """Leave to livepatching what is marked for it, until the object comes that it patches."""
    name = table.section.name
    patched = name.removeprefix(_LIVEPATCH_PREFIX).partition(".")[0][:_LIVEPATCH_LONGEST]
    if not kernel.options.livepatch:
        return
    if not name.startswith(_LIVEPATCH_PREFIX) or not patched:
        text = f"livepatch: section {name} has an incorrectly formatted name"
        finding = refused(name, "it is marked for livepatching, but not named for it", text)
        yield Finding(check=CHECK, errno=errno.EINVAL, log=finding.log, evidence=finding.evidence)
    elif patched == "vmlinux":
        yield doubt(f"{name} patches the kernel itself, which only livepatching can tell")
