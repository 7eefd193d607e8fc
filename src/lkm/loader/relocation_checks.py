"""The kernel's application of a module's relocations."""

from __future__ import annotations

from collections.abc import Iterator

from lkm.loader.facts import KernelFacts, ModuleFacts
from lkm.loader.findings import Finding


def relocations(_module: ModuleFacts, _kernel: KernelFacts) -> Iterator[Finding]:
    """Apply the module's relocations."""
    yield from ()
