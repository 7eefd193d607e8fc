"""Why a symbol is unknown to a module, in words: nobody exports it, or not to this module.

The kernel's own line is the same for every reason.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence

from lkm.loader.facts import KernelFacts, ModuleFacts
from lkm.loader.findings import Finding, LogLine

_SHOWN = 3  # as many symbols as one line can hold


def unknown_symbols(names: Sequence[str], module: ModuleFacts, kernel: KernelFacts) -> Finding:
    """Return the refusal for *names*, which nobody exports; its line is that of the last one.

    Where the tree's indexes tell who would export them, those are named.
    """
    return _refused(
        "unknown-symbol",
        names[-1],
        module,
        f"nobody exports {_listed(names)}",
        _who_would(names, kernel),
    )


def hidden_symbols(names: Sequence[str], module: ModuleFacts, _kernel: KernelFacts) -> Finding:
    """Return the refusal for *names*, which are not exported to a proprietary module."""
    why = f"its licence is '{module.license}'"
    if module.free_license:
        why = (
            f"the kernel takes every module named {module.name} for proprietary"
            if module.caught
            else "it became proprietary by what it uses of a proprietary module"
        )
    evidence = f"{why}, and the kernel shows {_listed(names)} to GPL-compatible modules only"
    return _refused("gpl-only", names[-1], module, evidence, "")


def _refused(check: str, last: str, module: ModuleFacts, evidence: str, remedy: str) -> Finding:
    line = LogLine(4, f"{module.name}: Unknown symbol {last} (err -{errno.ENOENT})")
    return Finding(check=check, errno=errno.ENOENT, log=(line,), evidence=evidence, remedy=remedy)


def _who_would(names: Sequence[str], kernel: KernelFacts) -> str:
    if kernel.exporters is None:
        return "load its dependencies first, as modprobe does"
    owners: dict[str, None] = {}
    nowhere: list[str] = []
    for name in names:
        found = [owner for owner in kernel.exporters(name) if owner not in kernel.loaded]
        owners.update(dict.fromkeys(found[:1]))
        if not found:
            nowhere.append(name)
    parts = [f"load {', '.join(owners)} first, as modprobe does"] if owners else []
    if nowhere:
        parts.append(f"no module of this kernel's tree exports {_listed(nowhere)}")
    return "; ".join(parts)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown
