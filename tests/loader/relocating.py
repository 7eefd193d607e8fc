"""Modules with one relocated section, and what the check of relocations makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lkm.loader.facts import KernelFacts, KernelSymbol, ModuleFacts
from lkm.loader.findings import Finding
from lkm.loader.memory.placing import place
from lkm.loader.relocations.checks import relocations
from lkm.loader.symbols.checks import symbols
from lkm.module.file import image_from_bytes
from tests.builders.elf import SHF_ALLOC, SHF_WRITE, ARelocation, ASection, ASymbol, a_module
from tests.loader.examining import a_kernel, facts_of

PLACE = ".scratch"
FAR = 0xFFFF_FFFF_8123_4560
"""The address of what the kernel exports as ``far``."""

KERNEL_SYMBOLS = (
    KernelSymbol(name="far", address=FAR),
    KernelSymbol(name="percpu", address=0x1F440),
    KernelSymbol(name="somewhere"),
)


def a_relocated(
    *entries: ARelocation,
    contents: bytes = bytes(64),
    flags: int = SHF_ALLOC | SHF_WRITE,
    extra: Sequence[ASection] = (),
    **parts: object,
) -> bytes:
    """Return a module whose ``.scratch`` has *contents*, which *entries* change."""
    given = {"name": "tm", "extra_relocations": {PLACE: entries}} | parts
    return a_module(
        extra=(ASection(PLACE, contents, flags=flags, align=16), *extra),
        extra_symbols=(
            ASymbol("here", PLACE, 8),
            ASymbol("far"),
            ASymbol("percpu"),
            ASymbol("somewhere"),
            ASymbol("nobody", bind=2),
            ASymbol("listed", ".modinfo"),
        ),
        **given,
    )


def placed_in(kernel: KernelFacts, data: bytes) -> ModuleFacts:
    module = facts_of(image_from_bytes(data, name="tm"), kernel)
    list(symbols(module, kernel))  # it finds what the relocations point at
    return replace(module, placed=place(module, kernel))


def findings_of(data: bytes, kernel: KernelFacts | None = None) -> list[Finding]:
    kernel = kernel or a_kernel(*KERNEL_SYMBOLS)
    return list(relocations(placed_in(kernel, data), kernel))


def texts_of(findings: Sequence[Finding]) -> list[str]:
    return [f"{line.level} {line.text}" for finding in findings for line in finding.log]
