"""The kernel's look at a module's type information (BTF)."""

from __future__ import annotations

from collections.abc import Iterator

from lkm.loader.facts import KernelFacts, ModuleFacts
from lkm.loader.findings import Finding


def btf(_module: ModuleFacts, _kernel: KernelFacts) -> Iterator[Finding]:
    """Look at the module's BTF."""
    yield from ()
