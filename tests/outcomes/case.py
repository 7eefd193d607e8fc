"""What a case is: files made from modules by patches, and steps done to a kernel with them.

A step is what the agent in the guest understands (``README.md``); what only the real kernel's
code does (what an init function returns, that a callback holds the module) is told beside it, for
the sandbox, which runs no module code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from lkm.vmlinux.btf import KernelBtf
from tests.outcomes.patching import Patch, patched

Series = Literal["6.1", "6.12"]
EVERY: tuple[Series, ...] = ("6.1", "6.12")
NEVER: Literal["never"] = "never"
Init = int | Literal["never"] | None


class Modules(Protocol):
    """Where the modules that cases start from come from."""

    def tiny(self, name: str) -> bytes:
        """Return one of the tiny modules, built for the kernel."""

    def debian(self, name: str) -> bytes:
        """Return a module of the kernel's own package, unpacked, its signature at its end."""

    @property
    def types(self) -> KernelBtf:
        """What the types of modules go on from."""


File = Callable[[Modules], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One operation.

    *init* is what the init function returns in it, NEVER where it is still running; *exit* is
    NEVER where the exit function still runs. *ends* are the modules whose init or exit function
    comes to its end in it, with what init returns. *holds* counts references taken (+1) or
    dropped (-1) on *held*. One that is not *compared* is done for what it does to those after it.
    One that *waits* is answered when the module that it waits for is over: by the next `wait`.
    """

    op: str
    init: Init = None
    exit: str = ""
    ends: tuple[tuple[str, int], ...] = ()
    held: str = ""
    holds: int = 0
    compared: bool = True
    waits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A case: *id* is for good. *files* lie in the guest's ``/ko``.

    One with *alone* leaves a kernel behind that no other case can follow. A case is for the
    kernels of *series* only.
    """

    id: str
    what: str
    files: Mapping[str, File] = field(default_factory=dict)
    steps: tuple[Step, ...]
    command_line: str = ""
    alone: bool = False
    series: tuple[Series, ...] = EVERY


def tiny(name: str, *patches: Patch) -> File:
    """Return the tiny module of that name, patched."""
    return lambda modules: patched(modules.tiny(name), *patches)


def debian(name: str, *patches: Patch) -> File:
    """Return Debian's own module of that name, patched."""
    return lambda modules: patched(modules.debian(name), *patches)


def made(data: bytes) -> File:
    """Return bytes that are made of nothing."""
    return lambda _modules: data


def load(name: str, params: str = "", *, flags: int = 0, init: Init = None) -> Step:
    """Insert the file by finit_module(2)."""
    return Step(op=f"load /ko/{name}.ko {flags} {params}".rstrip(" "), init=init)


def iload(name: str, params: str = "", *, init: Init = None) -> Step:
    """Insert the file by init_module(2)."""
    return Step(op=f"iload /ko/{name}.ko {params}".rstrip(" "), init=init)


def delete(name: str, flags: str = "0x800") -> Step:
    """Remove a module; O_NONBLOCK is what rmmod gives."""
    return Step(op=f"del {name} {flags}")


FORCE = "0xa00"


def do(*ops: str) -> tuple[Step, ...]:
    """Return the steps of operations that need no more said."""
    return tuple([Step(op=op) for op in ops])


MODS, TAINT = do("mods", "taint")
SETTLE = Step(op="settle")


def shown(name: str) -> tuple[Step, ...]:
    """Look at all that a kernel shows of a module."""
    return do("mods", f"sys {name}", f"syms {name}", "taint")


def single(
    id: str,  # noqa: A002  # it is one
    what: str,
    file: File,
    *,
    flags: int = 0,
    params: str = "",
    command_line: str = "",
    series: tuple[Series, ...] = EVERY,
    alone: bool = False,
) -> Case:
    """Return the case of one file that is inserted alone, and what is left of that."""
    return Case(
        id=id,
        what=what,
        files={"m": file},
        steps=(load("m", params, flags=flags), MODS, TAINT),
        command_line=command_line,
        series=series,
        alone=alone,
    )
