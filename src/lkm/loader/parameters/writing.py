"""Set one parameter through its file in ``/sys/module``, as the kernel does once it is loaded.

The whole text is the value, blanks and newline and all: numbers and truth values pass over a
newline at the end, strings keep it. Nothing is logged but what the type itself has to say, and of
an array the elements before a bad one stay set.

Source: kernel/params.c, param_attr_store and param_array.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lkm.loader.findings import LogLine
from lkm.loader.parameters.declared import Parameter
from lkm.loader.parameters.values import LOCKED_DOWN, BadValueError, shown_value
from lkm.loader.taint import UNTAINTED, Taint

_WRITER = "sh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What writing came to: the *parameter* as it is then, the *errno*, the kernel's lines.

    *kernel_taint* is what the kernel is tainted by, be the value good or bad.
    """

    parameter: Parameter
    errno: int = 0
    log: tuple[LogLine, ...] = ()
    kernel_taint: Taint = UNTAINTED


def write_parameter(parameter: Parameter, value: str, *, locked_down: bool = False) -> Written:
    """Write *value* to the file of *parameter*, on a kernel that is *locked_down* or not.

    It must be of a type of the kernel's own, but where ``is_locked`` refuses it.
    """
    if is_locked(parameter, locked_down=locked_down):
        line = LogLine(5, LOCKED_DOWN.format(_WRITER))
        return Written(parameter=parameter, errno=errno.EPERM, log=(line,))
    log: list[LogLine] = []
    taint = UNTAINTED
    if parameter.unsafe:
        text = f"Setting dangerous option {parameter.name} - tainting kernel"
        log.append(LogLine(5, text))
        taint = Taint.UNSAFE_PARAMETER
    now, number, lines = _set(parameter, value)
    log += [LogLine(3, line) for line in lines]
    return Written(parameter=now, errno=number, log=tuple(log), kernel_taint=taint)


def is_locked(parameter: Parameter, *, locked_down: bool) -> bool:
    """Tell whether a lock down keeps *parameter* as it is, whoever's code would take the value."""
    return parameter.hardware and locked_down


def _set(parameter: Parameter, value: str) -> tuple[Parameter, int, Sequence[str]]:
    if not parameter.most:
        try:
            return replace(parameter, values=(shown_value(parameter, value),)), 0, ()
        except BadValueError as bad:
            return parameter, bad.errno, bad.log
    values = list(parameter.values or ())
    done, number = 0, 0
    lines: tuple[str, ...] = ()
    for part in value.split(","):
        if done == parameter.most:
            number, lines = errno.EINVAL, (f"{parameter.name}: can only take {done} arguments",)
            break
        try:
            values[done : done + 1] = [shown_value(parameter, part, done)]
        except BadValueError as bad:
            number, lines = bad.errno, bad.log
            break
        done += 1
    count = done if parameter.counted else parameter.most
    return replace(parameter, values=tuple(values), count=count), number, lines
