"""The kernel's look at a module's type information (BTF), when the module is about to be live.

Only tracing needs it: where CONFIG_MODULE_ALLOW_BTF_MISMATCH is on, a module whose BTF does not fit
loads all the same.

Source: kernel/bpf/btf.c, btf_module_notify; kernel/module/main.c, find_module_sections.
"""

from __future__ import annotations

from collections.abc import Iterator

from lkm.elf.constants import SHT_NOBITS
from lkm.elf.file import Section
from lkm.errors import FormatError
from lkm.loader.btf.split_types import BtfRefusedError, UnknownBtfError, lines
from lkm.loader.btf.verifier import Rules, verify
from lkm.loader.facts import SHF_ALLOC, KernelFacts, ModuleFacts
from lkm.loader.findings import Finding, LogLine
from lkm.loader.releases import DISTILLED_BTF, FREE_SECTION_NAMES, QUIET_BTF, was_read

MISMATCH = "Kernel module BTF mismatch detected, BTF debug info may be unavailable for some modules"
"""What QUIET_BTF logs, once, instead of a line for each module."""

_REMEDY = "only tracing lacks its types; take the module built with exactly this kernel"


def btf(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Look at the module's BTF, where there is some, against the kernel's."""
    if not kernel.options.debug_info_btf_modules:
        return
    section = _find(module, ".BTF")
    if section is None or not section.size:
        return
    if not was_read(kernel.version):
        return  # the finding about the release says that it is not known
    try:
        if kernel.btf is None:
            raise UnknownBtfError("the kernel's own types (BTF) are not known")
        if kernel.has(DISTILLED_BTF) and _find(module, ".BTF.base") is not None:
            raise UnknownBtfError("it brings types to find in the kernel's own (.BTF.base)")
        rules = Rules(
            order=kernel.order,
            quiet=kernel.has(QUIET_BTF) and kernel.options.module_allow_btf_mismatch,
            free_sections=kernel.has(FREE_SECTION_NAMES),
        )
        verify(_contents(module, section), kernel.btf, rules)
    except UnknownBtfError as error:
        evidence = f"whether the kernel takes its type information: {error}"
        yield Finding(check="btf", evidence=evidence, could_not_tell=True)
    except BtfRefusedError as refusal:
        yield _finding(module, kernel, refusal)


def _finding(module: ModuleFacts, kernel: KernelFacts, refusal: BtfRefusedError) -> Finding:
    said = lines(refusal)
    log = [LogLine(3, text) for text in said]
    allowed = kernel.options.module_allow_btf_mismatch
    if not (allowed and kernel.has(QUIET_BTF)):
        text = f"failed to validate module [{module.name}] BTF: -{refusal.errno}"
        log.append(LogLine(4, text))
    elif not kernel.btf_mismatch_told:
        log.append(LogLine(4, MISMATCH))
    details = "".join([text.removeprefix("BPF: ") for text in said]).strip()
    return Finding(
        check="btf",
        errno=0 if allowed else refusal.errno,
        log=tuple(log),
        evidence="its type information (BTF) does not fit the kernel's"
        + (f": {details}" if details else ""),
        remedy=_REMEDY,
    )


def _find(module: ModuleFacts, name: str) -> Section | None:
    return next((each for each in module.elf.sections[1:] if each.name == name), None)


def _contents(module: ModuleFacts, section: Section) -> bytes:
    if section.type == SHT_NOBITS or section.flags & SHF_ALLOC:
        raise UnknownBtfError("its section .BTF is no data of the file")
    try:
        return module.elf.contents(section)
    except FormatError:
        raise UnknownBtfError("its section .BTF reaches past the end of the file") from None
