"""The checks of what a module imports and exports.

Source: kernel/module/main.c, simplify_symbols and verify_exported_symbols.
"""

from __future__ import annotations

from collections.abc import Iterator

from lkm.loader.facts import KernelFacts, ModuleFacts
from lkm.loader.findings import Finding, refusal
from lkm.loader.symbols.resolving import resolve


def symbols(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Look up every undefined symbol, in the order of the symbol table."""
    resolved = resolve(module, kernel)
    module.imports.update(resolved.found)
    yield from resolved.findings


def linked_owners(module: ModuleFacts) -> tuple[str, ...]:
    """Return the loaded modules whose symbols *module* uses, in the order of first use.

    Only for a module that the checks let through.
    """
    found = module.imports.values()
    return tuple(dict.fromkeys([each.owner for each in found if each.owner]))


def duplicate_exports(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Refuse an export that the kernel or a loaded module has already."""
    for export in module.exports:
        known = kernel.symbols.get(export.name, ())
        if known:
            owner = known[0].owner or "kernel"
            text = f"{module.name}: exports duplicate symbol {export.name} (owned by {owner})"
            yield refusal("duplicate-export", text, remedy=f"remove {owner} first")
            return
