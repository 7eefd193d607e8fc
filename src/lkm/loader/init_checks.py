"""What a module's init function answers."""

from __future__ import annotations

from collections.abc import Iterator

from lkm.loader.facts import KernelFacts, ModuleFacts
from lkm.loader.findings import Finding


def init(_module: ModuleFacts, _kernel: KernelFacts) -> Iterator[Finding]:
    """Take what the init function is said to return."""
    yield from ()
