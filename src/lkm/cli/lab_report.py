"""Say how a guest ended, where that was not by its command alone."""

from __future__ import annotations

from collections.abc import Sequence

from lkm._text import decode, printable
from lkm.cli.console import Console, one_line
from lkm.errors import LkmError
from lkm.lab.runs import Run, last_lines
from lkm.lab.session import Ended

TIMEOUT, FAILED, FAULT = 124, 125, 126
_LONGEST_SAID = 160
_RESULT_WIDTH = 16
# How the kernel begins the line about each process that it ends for want of memory.
_OUT_OF_MEMORY = "Out of memory: "
# What stands in a line that hands on one of the kernel's log.
_KERNELS = "NOTICE: kernel: "


def report(
    run: Run | None,
    error: LkmError | None,
    console: Console,
    *,
    was_shown: bool = False,
    about: str = "",
) -> int:
    """Tell on stderr what ended the guest of *run*, or kept it from starting; return the status.

    *was_shown* tells that an oops stands on the terminal already; *about* stands before what is
    said.
    """
    if run is None or run.ended is None:
        if run is not None and error is not None:
            console.cause = error
            console.error(f"{about}{one_line(error)}")
        _lines(last_lines(error), console)
        return FAILED
    ended = run.ended
    for line in _out_of_memory(ended):
        console.warning(f"{about}the guest ran out of memory (--memory): {line}")
    if ended.hung:
        console.error(about + _hang(ended))
        _lines(ended.fault.lines if ended.fault else () if ended.came else ended.last, console)
        return TIMEOUT
    if ended.fault is None:
        return FAILED if ended.status is None else ended.status
    title = printable(ended.fault.title)
    if not ended.came:
        console.error(f"{about}before the kernel came to the lab's init: {title}")
        _lines(ended.last, console)
        return FAILED
    what = "panicked" if ended.fault.kind == "panic" else "oopsed"
    where = f" in {ended.fault.module}" if ended.fault.module else ""
    console.error(f"{about}the kernel {what}{where}: {title}")
    if ended.fault.kind == "panic" or not was_shown:
        _lines(ended.fault.lines, console)
    return FAULT


class Rows:
    """A table that gets a line for each run, as soon as it has ended; *releases* are to come."""

    def __init__(self, releases: Sequence[str], console: Console) -> None:
        self._console = console
        self._width = max(len(printable(text)) for text in ("RELEASE", *releases))
        self._show("RELEASE", "RESULT", "SECONDS", "SAID")

    def show(self, run: Run) -> None:
        """Print the line of *run*, and tell on stderr what its guest ended by."""
        seconds = "-" if run.ended is None else f"{run.ended.duration_s:.1f}"
        self._show(printable(run.release), _result(run), seconds, _said(run))
        about = f"{run.release}: "
        for text in run.notices:
            self._console.say("NOTICE", f"{about}{text}")
        report(run, run.error, self._console, about=about)

    def _show(self, release: str, result: str, seconds: str, said: str) -> None:
        if not self._console.json:
            row = f"{release:{self._width}}  {result:{_RESULT_WIDTH}}  {seconds:>7}  {said}"
            self._console.out.write(f"{row.rstrip()}\n")
            self._console.out.flush()


def summary_status(runs: Sequence[Run]) -> int:
    """Return 0 where every command ended with that, 1 where one did not, else 3."""
    if any(run.verdict not in {"ended", "failed"} or _status(run) not in {0, None} for run in runs):
        return 1
    return 3 if any(_status(run) is None for run in runs) else 0


def _status(run: Run) -> int | None:
    return None if run.ended is None else run.ended.status


def _result(run: Run) -> str:
    if run.verdict != "ended":
        module = run.ended.fault.module if run.ended and run.ended.fault else ""
        return f"{run.verdict} in {module}" if module else run.verdict
    status = _status(run)
    return "ok" if status == 0 else f"status {status}"


def _said(run: Run) -> str:
    if run.error is not None:
        return printable(str(run.error))
    if run.ended is not None and run.ended.fault is not None:
        return printable(run.ended.fault.title)
    lines = decode(run.err).splitlines() or decode(run.out).splitlines()
    told = [line for line in lines if _KERNELS in line] or lines
    return printable(told[-1])[:_LONGEST_SAID] if told else ""


def _out_of_memory(ended: Ended) -> list[str]:
    lines = [line.partition(_OUT_OF_MEMORY) for line in ended.console.splitlines()]
    return [printable(found + rest) for _time, found, rest in lines if found]


def _hang(ended: Ended) -> str:
    seconds = f"{ended.duration_s:.0f} s"
    if not ended.came:
        return f"after {seconds} the kernel had not come to the lab's init"
    moving = [line.split(" ") for line in ended.stuck]
    names = [printable(f"{words[0]} is {words[4]}") for words in moving if len(words) > 4]
    if names:
        return f"the command still ran after {seconds}: {', '.join(names)}"
    if ended.fault is not None and ended.fault.module:
        return f"the command still ran after {seconds}, the processor in {ended.fault.module}"
    return f"the command still ran after {seconds}"


def _lines(lines: Sequence[str], console: Console) -> None:
    for line in lines:
        console.raw(printable(line.expandtabs()))
