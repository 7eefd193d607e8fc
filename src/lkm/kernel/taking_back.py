"""Take back what carrying plans out has loaded: ``modprobe --atomic``."""

from __future__ import annotations

import time

from lkm._value import Value
from lkm.errors import LkmError
from lkm.kernel.apply import remove_patiently
from lkm.names import ModuleName
from lkm.resolve.plan import Insert, Remove, RunInstall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Final

    from lkm.kernel.protocol import Kernel
    from lkm.resolve.plan import Step


class TakenBack(Value):
    """What became of what had been loaded.

    *removed* are the modules that were removed again, in that order; *left* those that stay, each
    with the reason; *commands* the modules whose install command was run, of which nobody knows
    how to take it back.
    """

    __slots__ = ("commands", "left", "removed")

    def __init__(
        self,
        *,
        removed: tuple[ModuleName, ...] = (),
        left: tuple[tuple[ModuleName, LkmError], ...] = (),
        commands: tuple[ModuleName, ...] = (),
    ) -> None:
        self.removed: Final = removed
        self.left: Final = left
        self.commands: Final = commands


def take_back(
    done: Iterable[Step],
    kernel: Kernel,
    *,
    on_step: Callable[[Step], None] | None = None,
    wait_ms: int = 0,
    pause: Callable[[float], None] = time.sleep,
    stopped: Callable[[], bool] | None = None,
) -> TakenBack:
    """Remove what the steps *done* have inserted, the newest first; what stays keeps nothing back.

    *done* are steps that were carried out, such as an ``Outcome`` has: what was loaded before them
    is not among them. A module that is gone already is passed over. *on_step* is called before
    each removal; *wait_ms* and *pause* are as in ``apply_plan``. No removal is tried again once
    *stopped* says so, but each is tried.
    """
    removed: list[ModuleName] = []
    left: list[tuple[ModuleName, LkmError]] = []
    steps = list(done)
    for step in reversed(steps):
        if not isinstance(step, Insert):
            continue
        name = step.module
        try:
            if kernel.find(name) is None:
                name = _own_name(step)
                if name == step.module or kernel.find(name) is None:
                    continue
            if on_step is not None:
                on_step(Remove(name))
            remove_patiently(kernel, name, wait_ms=wait_ms, pause=pause, stopped=stopped)
        except LkmError as error:
            left.append((name, error))
        else:
            removed.append(name)
    return TakenBack(
        removed=tuple(removed),
        left=tuple(left),
        commands=tuple([step.module for step in steps if isinstance(step, RunInstall)]),
    )


def _own_name(step: Insert) -> ModuleName:
    """Return the name that the module in the file has in the kernel: its file may have another."""
    from lkm.module.facts import Module  # few files do

    with Module.open(step.path) as module:
        return ModuleName(dict(module.modinfo).get("name", step.module))
