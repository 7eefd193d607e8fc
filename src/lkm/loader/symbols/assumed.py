"""What cannot be told of a module's imports where the kernel's own exports are only assumed.

Without the kernel's image and without a Module.symvers they are what the modules of its tree need
and none of them exports. The kernel exports more than that, some of it to GPL-compatible modules
only. None of this may become a yes or a no; it is said once for each check.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from lkm.loader.facts import KernelFacts
from lkm.loader.findings import Finding

REMEDY = "boot with the kernel's image (--vmlinux), or its Module.symvers (--symvers)"
"""What helps against exports that are assumed."""

_NAMED = 3  # of the symbols, this many are named


def is_told(name: str, kernel: KernelFacts) -> bool:
    """Tell whether it is known that *kernel* itself does not export *name*, which was not found.

    It does not where its exports are known, where it exports *name* under a condition, and where a
    module of its tree exports it: there is one exporter of each symbol.
    """
    if kernel.tree_exports is None or kernel.tree_exports(name):
        return True
    return any(each.owner for each in kernel.symbols.get(name, ()))


@dataclass(slots=True)
class Assumed:
    """The names that are in doubt, in the order of the symbol table.

    *used* tells whether a symbol of the kernel's own was found by then; *heirs* are the proprietary
    modules that are used behind one, which refuses a module that has used a GPL-only symbol.
    """

    used: bool = False
    missing: dict[str, None] = field(default_factory=dict)
    maybe_gpl_only: dict[str, None] = field(default_factory=dict)
    heirs: dict[str, None] = field(default_factory=dict)

    def findings(self) -> Iterator[Finding]:
        """Yield one finding for each check that cannot tell, all of which may refuse."""
        if self.missing:
            yield _doubt(
                "unknown-symbol", f"whether the kernel exports {listed(self.missing)} is not known"
            )
        if self.maybe_gpl_only:
            yield _doubt(
                "gpl-only",
                f"whether the kernel exports {listed(self.maybe_gpl_only)} to proprietary modules, "
                "as this one is, is not known",
            )
        if self.heirs:
            yield _doubt(
                "inherit-taint",
                "whether it uses GPL-only symbols before those of the proprietary "
                f"{listed(self.heirs)} is not known",
            )


def listed(names: Iterable[str]) -> str:
    """Return the first of *names*, and how many more there are."""
    every = list(names)
    more = "" if len(every) <= _NAMED else f" and {len(every) - _NAMED} more"
    return ", ".join(every[:_NAMED]) + more


def _doubt(check: str, what: str) -> Finding:
    return Finding(
        check=check,
        errno=errno.ENOENT,
        evidence=f"{what}: its exports are assumed",
        remedy=REMEDY,
        could_not_tell=True,
    )
