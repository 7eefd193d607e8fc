"""What a check of the module loader comes to."""

from __future__ import annotations

import errno as errno_module
from dataclasses import dataclass

from lkm.errors import LkmError
from lkm.loader.check_ids import CHECK_IDS, RESTS_ON
from lkm.loader.facts import KernelFacts
from lkm.loader.taint import UNTAINTED, Taint

DAMAGED = "the file is damaged or no module: take it anew from its package"
"""What helps against bytes that no build has made."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that the kernel logs. *level* is printk's: 3 error, 4 warning, 5 notice."""

    level: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a check found about a module on a kernel.

    *check* is the check's stable id, one of ``CHECK_IDS``; another raises ``ValueError``. *errno*
    is what the kernel answers because of it; 0 means that the module loads all the same. *log* are
    the kernel's lines. *evidence* says in words what differs from what, *remedy* what helps.
    *taint* is what the module gets of it; *kernel_taint* what the kernel gets. *could_not_tell*
    marks a check that lacks what it would have to know, which *evidence* names: its answer may be
    another.
    """

    check: str
    errno: int = 0
    log: tuple[LogLine, ...] = ()
    evidence: str = ""
    remedy: str = ""
    taint: Taint = UNTAINTED
    kernel_taint: Taint = UNTAINTED
    could_not_tell: bool = False

    def __post_init__(self) -> None:
        """Hold that the id is one of ``CHECK_IDS``."""
        if self.check not in CHECK_IDS:
            raise ValueError(f"no check has the id {self.check!r}")

    @property
    def rests_on(self) -> tuple[str, ...]:
        """Return the facts of the kernel that the check goes by: names of ``KernelFacts`` fields.

        Which file each comes from is what ``lkm sandbox status`` tells.
        """
        return RESTS_ON[self.check]

    @property
    def refuses(self) -> bool:
        """Tell whether the kernel refuses the module for this."""
        return self.errno != 0


def unforceable(check: str, why: str, errno: int = errno_module.ENOEXEC) -> Finding:
    """Return the refusal of what only a kernel with CONFIG_MODULE_FORCE_LOAD takes; it is silent.

    *why* is a clause that says what the module lacks.
    """
    return Finding(
        check=check,
        errno=errno,
        evidence=f"{why}; the kernel loads nothing by force (CONFIG_MODULE_FORCE_LOAD is off)",
        remedy="take the module file built for exactly this kernel, and load it without force",
    )


def blind(error: LkmError) -> Finding:
    """Return the refusal of damage that a kernel does not look for: it would go by it blindly."""
    return Finding(
        check="elf",
        errno=errno_module.ENOEXEC,
        evidence=f"{error}; the kernel does not look there and goes by what it finds: lkm refuses",
        remedy=DAMAGED,
        could_not_tell=True,
    )


def refusal(
    check: str,
    text: str,
    number: int = errno_module.ENOEXEC,
    *,
    level: int = 3,
    evidence: str = "",
    remedy: str = DAMAGED,
) -> Finding:
    """Return the refusal that the kernel tells by *text* in its log, which is also the evidence."""
    return Finding(
        check=check,
        errno=number,
        log=(LogLine(level, text),),
        evidence=evidence or text,
        remedy=remedy,
    )


def taint_finding(
    check: str,
    taint: Taint,
    text: str,
    kernel: KernelFacts,
    *,
    level: int = 4,
    always: bool = False,
) -> Finding:
    """Return the finding that taints module and kernel.

    The kernel logs *text* the first time that it gets this taint, or *always*.
    """
    said = always or not kernel.tainted & taint
    return Finding(
        check=check,
        log=(LogLine(level, text),) if said else (),
        evidence=text,
        taint=taint,
        kernel_taint=taint,
    )
