"""A kernel that is asked to verify: what it logs on the way, and what lkm cannot say for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from lkm.errors import LkmError
from lkm.loader.facts import KernelFacts
from lkm.loader.findings import LogLine


class RefusedError(LkmError):
    """The kernel ends the verifying there, with *errno*; its log lines are with the kernel."""

    def __init__(self, errno: int, why: str) -> None:
        self.errno = errno
        super().__init__(why)


class UnverifiedError(LkmError):
    """What the kernel would answer there is not known; the text says why."""


@dataclass(slots=True)
class AskedKernel:
    """The kernel of *facts* while it verifies one signature.

    *log* are its lines so far. *doubts* say what it answered on the assumption that nobody loads
    a module for it meanwhile.
    """

    facts: KernelFacts
    log: list[LogLine] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def says(self, text: str, level: int = 4) -> None:
        """Log *text*."""
        self.log.append(LogLine(level, text))

    def refuses(self, errno: int, text: str, level: int = 4) -> RefusedError:
        """Log *text*, and return the error to raise for it."""
        self.says(text, level)
        return RefusedError(errno, text)

    def has_algorithm(self, name: str, providers: tuple[str, ...], *, built_in: bool) -> bool:
        """Tell whether it has the algorithm *name*, which modules named *providers* offer too."""
        if built_in or not self.facts.loaded.keys().isdisjoint(providers):
            return True
        doubt = f"it has no {name} built in, and asks modprobe for a module that does {name}"
        if doubt not in self.doubts:
            self.doubts.append(doubt)
        return False
