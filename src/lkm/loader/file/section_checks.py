"""The check of sections that a module should not have, once it has its place in memory.

Source: kernel/module/main.c, find_module_sections.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from lkm.loader.facts import KernelFacts, ModuleFacts, find_section
from lkm.loader.findings import Finding, LogLine, refusal


def found_sections(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Refuse two ways to name constructors in one module; tell of parameters as Linux 2.4 had."""
    names = (".ctors", ".init_array")
    both = all(find_section(module.elf, name) is not None for name in names)
    if both and kernel.options.constructors:
        text = f"{module.name}: has both .ctors and .init_array."
        remedy = "build the whole module with one compiler and one linker"
        yield refusal("constructors", text, errno.EINVAL, level=4, remedy=remedy)
        return
    if find_section(module.elf, "__obsparm") is not None:
        text = f"{module.name}: Ignoring obsolete parameters"
        yield Finding(check="parameter", log=(LogLine(4, text),), evidence=text)
