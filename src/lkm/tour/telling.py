"""Tell the lesson: print it, run its commands, and keep account of what was verified."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TextIO

from lkm._text import printable
from lkm.tour.events import Event, Ran, Run, Scene, Step, Tell

_WIDTH = 80

Runner = Callable[[Run], Ran]


@dataclass(frozen=True, slots=True)
class Checked:
    """One claim of the lesson: the step that made it, and whether it held."""

    step: str
    claim: str
    holds: bool


class Style:
    """How the lesson looks: with colour, or as plain text."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def title(self, text: str) -> str:
        """Return a step's title."""
        return self._painted("1;36", text)

    def command(self, text: str) -> str:
        """Return a command as it would be typed."""
        return self._painted("1", text)

    def good(self, text: str) -> str:
        """Return the mark of a claim that holds."""
        return self._painted("32", text)

    def bad(self, text: str) -> str:
        """Return the mark of a claim that does not."""
        return self._painted("1;31", text)

    def quiet(self, text: str) -> str:
        """Return what is of less weight."""
        return self._painted("2", text)

    def _painted(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def tell(
    steps: Sequence[Step],
    scene: Scene,
    runner: Runner,
    out: TextIO,
    style: Style,
    *,
    pause: Callable[[], None],
) -> tuple[Checked, ...]:
    """Tell *steps* to *out*; return what was verified, in order.

    *runner* runs a command and returns what came of it; *pause* is called after each step.
    """
    checked: list[Checked] = []
    for number, step in enumerate(steps, 1):
        out.write(f"\n{style.title(f'{number}. {step.title}')}\n")
        telling = step.tell(scene)
        event: Event | None = next(telling, None)
        while event is not None:
            answer = Ran(0, "", "")
            if isinstance(event, Tell):
                out.write("\n" + textwrap.fill(event.text, _WIDTH) + "\n")
            elif isinstance(event, Run):
                answer = _shown(event, runner, out, style)
            else:
                checked.append(Checked(step.title, event.claim, event.holds))
                mark = style.good("  ok  ") if event.holds else style.bad("  NOT ")
                out.write(f"{mark}{event.claim}\n")
            out.flush()
            try:
                event = telling.send(answer)
            except StopIteration:
                event = None
        if number < len(steps):
            pause()
    return tuple(checked)


def summary(checked: Sequence[Checked], style: Style) -> str:
    """Return the end of the lesson: how much was verified, and what did not hold."""
    failed = [one for one in checked if not one.holds]
    lines = [f"\n{style.title('What was verified')}", ""]
    for title in dict.fromkeys(one.step for one in checked):
        held = [one.holds for one in checked if one.step == title]
        mark = style.good("  ok  ") if all(held) else style.bad("  NOT ")
        lines.append(f"{mark}{title}: {sum(held)} of {len(held)}")
    lines += [f"{style.bad('failed:')} {one.step}: {one.claim}" for one in failed]
    lines.append(f"\n{len(checked) - len(failed)} of {len(checked)} claims hold.")
    return "\n".join(lines) + "\n"


def _shown(event: Run, runner: Runner, out: TextIO, style: Style) -> Ran:
    out.write("\n" + style.command(" ".join(("$", event.program, *event.words))) + "\n")
    out.flush()
    ran = runner(event)
    lines = ran.out.splitlines()
    for line in lines[: event.lines]:
        out.write(printable(line.expandtabs()) + "\n")
    if len(lines) > event.lines:
        more = f"... and {len(lines) - event.lines:,} more lines"
        out.write(style.quiet(more) + "\n")
    for line in ran.err.splitlines():
        out.write(style.bad(printable(line)) + "\n")
    return ran
