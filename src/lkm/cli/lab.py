"""A real kernel in a throw-away machine (QEMU): it may crash, and nothing here is changed.

Without a COMMAND it is a shell on this terminal (Ctrl-] ends it if it hangs); with one, its stdout,
stderr and exit status are those of the command in the guest, byte for byte. The guest is a clean
machine each time. In it are this Python with lkm, which also answers to the names of kmod's tools,
and a small system (busybox); the modules asked for, those that COMMAND names, and all that they
need; the folders copied in, and the files that COMMAND names. These lie at the paths that they
have here, and COMMAND starts in the folder of the same path as this one.
It needs QEMU (qemu-system-x86_64) and no root. Which kernel: the running one, or where that has no
image here the newest that was fetched; or that of --release, --vmlinux, --root. `lkm lab get
debian:6.1` fetches one. A kernel for another machine (arm64) gets
busybox and neither Python nor lkm.
A panic, an oops, or a command that does not end within the timeout ends the guest, with a report.
Exit status: the command's own; 124 after the timeout, 125 where the lab failed, 126 after an oops
or a panic. With --each: 0 if all were 0, 1 if one was not, else 3 where one could not be told.
"""

from __future__ import annotations

import argparse
import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lkm.cli import which_kernel
from lkm.cli.console import HINTS, Console
from lkm.cli.ending import ended_by_signals
from lkm.cli.lab_kernel import lab_kernel, lab_kernels
from lkm.cli.lab_report import Rows, report, summary_status
from lkm.errors import GuestFailedError, LkmError, UsageError
from lkm.lab.runs import Run, run_in_lab, run_shown
from lkm.lab.session import Sink
from lkm.lab.setup import LabKernel, LabRequest

TAKES_COMMAND = True  # behind --
ACTIONS = ("get",)

_TIMEOUT_S = 300
_HANDED_ON = ("TERM", "NO_COLOR", "COLORTERM")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    which_kernel.add_arguments(parser, on=False)
    parser.add_argument(
        "--arch", metavar="ARCHITECTURE", help="the kernel's machine: x86_64, or arm64"
    )
    parser.add_argument(
        "--each",
        metavar="RELEASE,RELEASE",
        help="run COMMAND on each of these kernels, and print a table",
    )
    parser.add_argument(
        "--modules",
        metavar="MODULE",
        nargs="+",
        action="extend",
        default=[],
        help="modules to have in the guest, with what they need: names, aliases, or all",
    )
    parser.add_argument(
        "--copy",
        metavar="DIR",
        action="append",
        default=[],
        help="a folder (or file) to have in the guest, at its own path; may be given several times",
    )
    parser.add_argument(
        "--memory", metavar="MIB", type=_positive, help="the guest's memory (default: enough)"
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        help=f"end the guest after so long (default: {_TIMEOUT_S}; none for a shell)",
    )
    parser.add_argument(
        "--append", metavar="ARGS", default="", help="words for the kernel's command line"
    )
    parser.add_argument(
        "--terminal", action="store_true", help="run COMMAND on this terminal, as a shell is"
    )
    parser.add_argument(
        "--stdin", action="store_true", help="hand stdin to COMMAND, read to its end beforehand"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document instead")


def run(args: argparse.Namespace, console: Console) -> int:
    """Run the command, or a shell, in a guest; return the status described above."""
    _check(args)
    try:
        with in_good_order():
            if args.each is not None:
                return _run_each(args, console)
            if not (args.command or args.modules):
                console.say("NOTICE", "no modules come along; --modules brings some, or all")
            kernel = lab_kernel(args, console)
            return run_once(kernel, request_of(args, console), console, timeout_s=args.timeout)
    except UsageError:
        raise
    except LkmError as error:
        console.complain(error)
        return report(None, error, console)


@contextmanager
def in_good_order() -> Iterator[None]:
    """Have a signal leave neither a machine nor a terminal behind, and no standard stream closed.

    What is opened would take the place of a closed one, and QEMU has another use for that.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest number that is free; to write to it is still the error that it was.
            os.open(os.devnull, os.O_RDONLY)
    with ended_by_signals():
        yield


def has_terminal() -> bool:
    """Tell whether stdin and stdout are a terminal."""
    return all(os.isatty(descriptor) for descriptor in (0, 1))


def handed_on() -> tuple[tuple[str, str], ...]:
    """Return what of this environment a guest gets."""
    return tuple((name, os.environ[name]) for name in _HANDED_ON if name in os.environ)


def current_folder(console: Console) -> str:
    """Return the folder that a command starts in: this one, or / where it is gone."""
    try:
        return os.getcwd()
    except OSError as error:
        console.say("NOTICE", f"the current folder cannot be found ({error.strerror}); taking /")
        return "/"


def request_of(
    args: argparse.Namespace, console: Console, *variables: tuple[str, str]
) -> LabRequest:
    """Return what *args* ask of a guest, with *variables* in its environment."""
    return LabRequest(
        command=tuple(args.command),
        on_terminal=args.terminal or not args.command,
        modules=tuple(args.modules),
        copies=tuple(args.copy),
        append=args.append,
        memory_mb=args.memory,
        folder=current_folder(console),
        stdin=_all_of_stdin() if args.stdin else b"",
        environment=(*handed_on(), *variables),
    )


def run_once(
    kernel: LabKernel,
    request: LabRequest,
    console: Console,
    *,
    timeout_s: float | None = None,
    as_it_is: bool = False,
) -> int:
    """Run *request* on one kernel, its output shown or in the document; return the status.

    With *as_it_is* what it writes is the document, where one is wanted.
    """
    if timeout_s is None and not request.on_terminal:
        timeout_s = _TIMEOUT_S
    if console.json:
        return _run_for_json(kernel, request, console, timeout_s or _TIMEOUT_S, as_it_is=as_it_is)
    console.out.flush()
    done = run_shown(
        kernel,
        request,
        out=_writer(1, timeout_s),
        err=_writer(2, timeout_s),
        notice=lambda text: console.say("NOTICE", text),
        timeout_s=timeout_s,
    )
    return report(done, None, console, was_shown=request.on_terminal)


def _run_for_json(
    kernel: LabKernel, request: LabRequest, console: Console, timeout_s: float, *, as_it_is: bool
) -> int:
    done = run_in_lab(kernel, request, timeout_s=timeout_s)
    for text in done.notices:
        console.say("NOTICE", text)
    if as_it_is and done.verdict == "ended":
        console.json = False
        _writer(1)(done.out)
        _writer(2)(done.err)
    elif not as_it_is and (done.error is None or isinstance(done.error, GuestFailedError)):
        from lkm.report.documents.lab import lab_document

        console.document = lab_document(done)
    return report(done, done.error, console)


def _run_each(args: argparse.Namespace, console: Console) -> int:
    request = request_of(args, console, (HINTS, "1"))
    kernels = list(lab_kernels(args.each, args, console))
    rows = Rows([release for release, _kernel in kernels], console)
    runs: list[Run] = []
    for release, kernel in kernels:
        if isinstance(kernel, LkmError):
            run = Run(release=release, ended=None, error=kernel)
        else:
            run = run_in_lab(kernel, request, timeout_s=args.timeout or _TIMEOUT_S)
        runs.append(run)
        rows.show(run)
    if args.json:
        from lkm.report.documents.lab import lab_matrix_document

        console.document = lab_matrix_document(runs)
    return summary_status(runs)


def _check(args: argparse.Namespace) -> None:
    if args.each is not None and not args.command:
        raise UsageError("--each runs a command; put one behind --")
    if args.each is not None and (args.release or args.kernel or args.vmlinux or args.terminal):
        raise UsageError("--each names the kernels, and none of them has the terminal")
    if args.json and (args.terminal or not args.command):
        raise UsageError("--json is for a command; a shell on the terminal has no document")
    wants_terminal = args.terminal or not args.command
    if wants_terminal and not has_terminal():
        raise UsageError("a shell needs a terminal; put a command behind --")
    if args.stdin and wants_terminal:
        raise UsageError("--stdin is for a command that has no terminal")


def _all_of_stdin() -> bytes:
    if sys.stdin is None:
        raise UsageError("--stdin: there is no stdin")
    return sys.stdin.buffer.read()


def _writer(descriptor: int, timeout_s: float | None = None) -> Sink:
    """Return what writes to *descriptor*, and no longer waits for its reader than *timeout_s*."""
    end = None if timeout_s is None else time.monotonic() + timeout_s

    def write(data: bytes) -> None:
        view = memoryview(data)
        while view:
            left = None if end is None else max(0.0, end - time.monotonic())
            if not select.select([], [descriptor], [], left)[1]:
                raise TimeoutError
            # A pipe that takes anything takes so much without waiting.
            view = view[os.write(descriptor, view[: select.PIPE_BUF]) :]

    return write


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 0 < int(text) < 1 << 24:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of MiB")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 < value < 1 << 24:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return value
