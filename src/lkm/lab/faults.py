"""Find in a kernel's messages that something went badly wrong: an oops or a panic.

An oops begins with one of a few lines, which differ between architectures, and ends with the line
``---[ end trace ... ]---``. While it lasts it names the modules: in ``Modules linked in:`` the one
that is being loaded has a ``+`` behind it, one that is being removed a ``-``, and in a trace a
module's own function stands before its name in brackets. Source: arch/*/kernel/dumpstack.c,
arch/*/mm/fault.c, kernel/panic.c, kernel/module/main.c (print_modules).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["oops", "panic"]

# The line by which an oops is counted, [#1], has what it is before that; what precedes it differs.
_OOPS = re.compile(
    r"(BUG: (unable to handle|kernel NULL|\w* ?stack guard page was hit)|kernel BUG at"
    r"|Unable to handle kernel|traps: PANIC|Unexpected kernel BRK"
    r"|[A-Za-z][^\[]{0,120}[:,] [0-9a-f]{4,16} \[#\d+\])"
)
_PANIC = re.compile(r"Kernel panic - not syncing")
_END = "---[ end "
_LINKED = re.compile(r"Modules linked in: ?(.*)$")
_MOVING = re.compile(r"^([\w-]+)\((?:[A-Z]*)([+-])\)$")
_MOVING_BARE = re.compile(r"^([\w-]+)([+-])$")
_FUNCTION = re.compile(r"[\w.]+\+0x[0-9a-f]+/0x[0-9a-f]+ \[([\w-]+)(?: [0-9a-f]+)?\]")
# An oops and the panic that it leads to; more says nothing new.
_MOST_LINES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What went wrong: the *lines* of it, from the first that tells, without times.

    *module* is the one that was at work, empty where nothing tells; *title* is the line that says
    what it was. *ended* tells whether all of it has been written.
    """

    kind: Kind
    title: str
    module: str
    lines: tuple[str, ...]
    ended: bool


def find_fault(console: str) -> Fault | None:
    """Return the first fault that *console*, a kernel's messages, tells of."""
    lines = [_without_time(line) for line in console.splitlines()]
    first = next((at for at, line in enumerate(lines) if _is_first(line)), None)
    if first is None:
        return None
    told = lines[first : first + _MOST_LINES]
    panic = next((at for at, line in enumerate(told) if _PANIC.search(line)), None)
    end = next((at for at, line in enumerate(told) if _END in line), None)
    if panic is None and end is not None:
        told = told[: end + 1]
    return Fault(
        kind="oops" if panic is None else "panic",
        title=told[0] if panic is None or panic == 0 else told[panic],
        module=_module(told),
        lines=tuple(told),
        ended=end is not None and (panic is None or end > panic),
    )


def _is_first(line: str) -> bool:
    return bool(_OOPS.match(line) or _PANIC.match(line))


def _without_time(line: str) -> str:
    """Return *line* without what stands before a message: its level, its time, its CPU."""
    return re.sub(r"^(<\d+>)?\[ *\d+\.\d+\](\[ *[TC]\d+\])? ?", "", line)


def _module(lines: list[str]) -> str:
    for line in lines:
        linked = _LINKED.search(line)
        for word in linked[1].split() if linked else ():
            moving = _MOVING.match(word) or _MOVING_BARE.match(word)
            if moving:
                return moving[1]
    for line in lines:
        function = _FUNCTION.search(line)
        if function:
            return function[1]
    return ""
