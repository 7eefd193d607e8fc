"""Take back what carrying plans out has loaded: ``modprobe --atomic``."""

from __future__ import annotations

import time

from lkm._value import Value
from lkm.errors import LkmError
from lkm.kernel.apply import own_name, remove_patiently
from lkm.resolve.plan import Insert, Remove, RunInstall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Final

    from lkm.kernel.protocol import Kernel
    from lkm.names import ModuleName
    from lkm.resolve.plan import Step


class TakenBack(Value):
    """What became of what had been loaded.

    *removed* are the modules that were removed again, in that order; *left* those that stay, each
    with the reason; *commands* the modules whose install command was run, to its end or not, of
    which nobody knows how to take it back.
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
    failed_commands: Iterable[ModuleName] = (),
    on_step: Callable[[Step], None] | None = None,
    wait_ms: int = 0,
    pause: Callable[[float], None] = time.sleep,
    stopped: Callable[[], bool] | None = None,
) -> TakenBack:
    """Remove what the steps *done* have inserted, the newest first; what stays keeps nothing back.

    *done* are steps that were carried out, such as an ``Outcome`` has: what was loaded before them
    is not among them. *failed_commands* are the modules whose install commands were begun, and
    failed. A module that is gone already is passed over. *on_step* is called before
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
                name = own_name(step)
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
        commands=(
            *[step.module for step in steps if isinstance(step, RunInstall)],
            *failed_commands,
        ),
    )
