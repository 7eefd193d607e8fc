"""Find the command that is meant, run it, and turn what it raises into a line and a status."""

from __future__ import annotations

import sys

from lkm.cli.console import Console, one_line
from lkm.errors import LkmError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import TextIO

    from lkm.cli.options import Parsed

# kmod's tools: options read as getopt does, exit status 0 or 1.
DROP_INS = {
    "lsmod": "list the loaded modules",
    "modinfo": "show what a module file says of itself",
    "modprobe": "load or unload a module with all that belongs to it",
    "insmod": "insert one module file",
    "rmmod": "remove loaded modules",
    "depmod": "write the indexes of a modules directory",
    "kmod": "these six by kmod's own command",
}

# lkm's own: exit status 0 yes, 1 no, 2 wrong usage, 3 cannot be told.
VERBS = {
    "kernels": "list the installed kernels and what each has",
    "find": "find modules of a kernel by name or by what they declare",
    "sandbox": "a kernel in a file: load and unload with nothing at stake",
}

EPIPE_STATUS = 141  # as a shell shows a program that SIGPIPE ended
INTERRUPTED_STATUS = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that *argv* (default: this process's) names; return its exit status."""
    words = list(sys.argv if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        # None where the descriptor is closed; another class under a test's capture.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="surrogateescape")
    console = Console("lkm", sys.stdout, sys.stderr)
    own_verb = False
    try:
        name, rest = _command(words)
        own_verb = name not in DROP_INS
        status = _dispatch(name, rest, console, called=words[0] if words else "lkm")
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon(sys.stdout)
        return EPIPE_STATUS
    except OSError as error:
        # Everything else is an LkmError by now: only writing the output is left.
        _abandon(sys.stdout)
        console.err.write(f"{console.program}: ERROR: cannot write the output: {error.strerror}\n")
        return 3 if own_verb else 1
    except KeyboardInterrupt:
        return INTERRUPTED_STATUS
    return status


def _command(words: Sequence[str]) -> tuple[str, list[str]]:
    """Return the command's name and its words; empty for the program's own options.

    A program called by a tool's name is that tool. ``--on KERNEL`` may stand before the command:
    it is handed on as the command's own.
    """
    called = words[0].rpartition("/")[2] if words else "lkm"
    if called in DROP_INS:
        return called, list(words[1:])
    rest = list(words[1:])
    before: list[str] = []
    while rest and rest[0].startswith("--on"):
        count = 1 if rest[0].startswith("--on=") else 2
        before += rest[:count]
        del rest[:count]
    if not rest or rest[0].startswith("-"):
        return "", before + rest
    return rest[0], before + rest[1:]


def _dispatch(name: str, words: list[str], console: Console, *, called: str) -> int:
    if name in DROP_INS:
        console.program = name
        # getopt names the program as it was called, kmod's own messages by the tool's name.
        by_symlink = called.rpartition("/")[2] in DROP_INS
        return _run_drop_in(name, words, console, called=called if by_symlink else name)
    if name in VERBS:
        console.program = f"lkm {name}"
        return _run_verb(name, words, console)
    return _run_itself(name, words, console)


def _run_drop_in(name: str, words: list[str], console: Console, *, called: str) -> int:
    command = _load(name)
    from lkm.cli import dropin  # noqa: PLC0415  # the own verbs don't need it

    parsed: Parsed | None = None
    try:
        parsed = dropin.read_options(command.COMMAND, words, console)
        if parsed is None:
            return 0
        status: int = command.run(parsed, console)
    except UsageError as error:
        console.err.write(f"{called}: {error}\n")
        return 1
    except LkmError as error:
        console.complain(error)
        if parsed is not None and parsed.has("json"):
            _print_error_document(error, console.out)
        return 1
    return status


def _run_verb(name: str, words: list[str], console: Console) -> int:
    import argparse  # noqa: PLC0415  # the drop-ins start without it

    command = _load(name)
    parser = argparse.ArgumentParser(
        prog=f"lkm {name}",
        description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    try:
        args = parser.parse_args(words)
    except SystemExit as stop:  # argparse has said its piece
        return stop.code if isinstance(stop.code, int) else 2
    try:
        status: int = command.run(args, console)
    except UsageError as error:
        console.err.write(f"lkm {name}: {one_line(error)}\n")
        return 2
    except LkmError as error:
        console.complain(error)
        if getattr(args, "json", False):
            _print_error_document(error, console.out)
        return 3
    return status


def _run_itself(name: str, words: list[str], console: Console) -> int:
    if name == "" and words in (["--version"], ["-V"]):
        from lkm import __version__  # noqa: PLC0415  # asked for rarely

        console.out.write(f"lkm {__version__}\n")
        return 0
    if name == "help" or (name == "" and words in ([], ["--help"], ["-h"])):
        console.out.write(_help())
        return 0
    wrong = f"no command {name!r}" if name else f"no option {words[0]!r}"
    console.err.write(f"lkm: {wrong}; lkm --help lists them\n")
    return 2


def _help() -> str:
    commands = {**DROP_INS, **VERBS}
    width = max(map(len, commands))

    def listed(names: dict[str, str]) -> str:
        return "".join(f"  {name:{width}}  {text}\n" for name, text in names.items())

    return (
        "Usage: lkm [--on KERNEL] COMMAND [WORD...]\n\n"
        "The Linux loadable kernel module system.\n\n"
        "kmod's tools, with its options, its text and its exit status:\n"
        f"{listed(DROP_INS)}\n"
        "lkm's own:\n"
        f"{listed(VERBS)}\n"
        "KERNEL is live (the running kernel, the default) or sandbox (a kernel in a file, which\n"
        "needs no root: start with `lkm sandbox boot`). `lkm COMMAND --help` tells the rest.\n"
    )


def _load(name: str) -> ModuleType:
    return __import__(f"lkm.cli.{name}", fromlist=["run"])


def _print_error_document(error: LkmError, out: TextIO) -> None:
    from lkm.report.documents.writing import error_document, write  # noqa: PLC0415  # only --json needs it

    write(error_document(error), out)


def _abandon(stream: TextIO) -> None:
    """Close *stream*, whose device takes no more, so that Python does not try again at exit."""
    try:
        stream.close()
    except OSError:
        return
