"""The checks around giving a module memory and its place in the list of modules.

Source: kernel/module/main.c, layout_and_allocate, add_unformed_module and percpu_modalloc;
kernel/module/strict_rwx.c; mm/vmalloc.c.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from lkm.elf.constants import SHF_EXECINSTR, SHF_WRITE
from lkm.loader.facts import KernelFacts, ModuleFacts, find_section
from lkm.loader.file.struct_checks import THIS_MODULE, size_not_known, sizes, struct_differs
from lkm.loader.findings import Finding, LogLine
from lkm.loader.memory.layout import PAGE, aligned
from lkm.loader.memory.placing import AREAS, PERCPU, PERCPU_UNIT
from lkm.loader.releases import EXECMEM, STRUCT_CHECKED

_NO_ROOM = "execmem: unable to allocate memory"
_PERCPU_UNITS = 32 << 10  # PCPU_MIN_UNIT_SIZE


def writable_code(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Refuse a section that is both writable and executable (CONFIG_STRICT_MODULE_RWX)."""
    if not kernel.options.strict_module_rwx:
        return
    both = SHF_WRITE | SHF_EXECINSTR
    for section in module.sections:
        if section.flags & both == both:
            text = (
                f"{module.name}: section {section.name} (index {section.index}) has invalid "
                "WRITE|EXEC flags"
            )
            yield Finding(
                check="writable-code",
                errno=errno.ENOEXEC,
                log=(LogLine(3, text),),
                evidence=text,
                remedy="build the module without sections that are writable and executable",
            )
            return


def struct_size(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Refuse what an older kernel would oops on: a struct module of another size than its own."""
    if kernel.has(STRUCT_CHECKED):
        return  # looked at long before, with a line of the kernel's own
    if kernel.struct_module_size is None:
        yield size_not_known()
    this_module = find_section(module.elf, THIS_MODULE)
    if this_module is not None and struct_differs(this_module, kernel):
        yield Finding(
            check="struct-size",
            errno=errno.ENOEXEC,
            evidence=(
                f"{sizes(this_module, kernel)}; Linux before 6.4 does not look, takes what lies "
                "behind the struct for its part, and oopses: lkm refuses instead"
            ),
            remedy="take the module file built for exactly this kernel; never load this one there",
        )


def name_free(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Refuse a name that a loaded module has: the name in struct module counts."""
    state = kernel.loaded.get(module.name)
    if state is None:
        return
    evidence = f"a module named {module.name} is {state}"
    remedy = f"remove {module.name} first, if this file is to replace it"
    if state == "coming":
        evidence += (
            ": the kernel waits until its init has ended, and then answers EEXIST where that went "
            "well, EBUSY where it failed"
        )
        remedy = "try again when its init has ended"
    elif state == "going":
        remedy = "try again when its exit has ended"
    yield Finding(
        check="already-loaded",
        errno=errno.EEXIST if state == "live" else errno.EBUSY,
        evidence=evidence,
        remedy=remedy,
    )


def memory(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Refuse a module that the kernel has no room for."""
    if module.placed is not None and module.placed.missing == AREAS:
        yield Finding(
            check="memory",
            errno=errno.ENOMEM,
            log=(LogLine(4, _NO_ROOM),) if kernel.has(EXECMEM) else (),
            evidence="no free piece of the modules' memory is large enough for it",
            remedy="remove modules that are not needed",
        )


def percpu_memory(module: ModuleFacts, _kernel: KernelFacts) -> Iterator[Finding]:
    """Refuse per-CPU data that the part kept for modules has no room for.

    A kernel for one processor keeps it with all other data.
    """
    percpu = None if module.placed is None else module.placed.laid_out.percpu
    if percpu is None or not percpu.size or module.placed is None:
        return
    alignment = percpu.addralign
    if alignment > PAGE:
        text = f"{module.name}: per-cpu alignment {alignment} > {PAGE}"
        yield Finding(check="percpu-memory", log=(LogLine(4, text),), evidence=text)
    if module.placed.missing == PERCPU:
        text = f"{module.name}: Could not allocate {percpu.size} bytes percpu data"
        why = _percpu_line(percpu.size, min(alignment, PAGE))
        yield Finding(
            check="percpu-memory",
            errno=errno.ENOMEM,
            log=(LogLine(4, why), LogLine(4, text)),
            evidence=text,
            remedy="boot with a larger percpu_alloc reserve, or remove modules with per-CPU data",
        )


def _percpu_line(size: int, alignment: int) -> str:
    """Return what the allocator itself says: more than its smallest unit is asked in error."""
    size, alignment = aligned(size, PERCPU_UNIT), max(alignment, PERCPU_UNIT)
    if size > _PERCPU_UNITS:
        return f"illegal size ({size}) or align ({alignment}) for percpu allocation"
    return (
        f"percpu: allocation failed, size={size} align={alignment} atomic=0, alloc from reserved "
        "chunk failed"
    )
