"""Find the command that is meant, run it, and turn what it raises into a line and a status."""

from __future__ import annotations

import os
import sys

from lkm._text import quoted
from lkm.cli.console import Closed, Console
from lkm.errors import LkmError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import TextIO

# kmod's tools: options read as getopt does, exit status 0 or 1.
DROP_INS = {
    "lsmod": "list the loaded modules",
    "modinfo": "show what a module file says of itself",
    "modprobe": "load or unload a module with all that belongs to it",
    "insmod": "insert one module file",
    "rmmod": "remove loaded modules",
    "depmod": "write the indexes of a modules directory",
    "kmod": "kmod's one command, under which all six tools stand",
}

# lkm's own: exit status 0 yes, 1 no, 2 wrong usage, 3 cannot be told.
VERBS = {
    "tour": "the lesson on loadable kernel modules, with nothing installed",
    "kernels": "list the installed kernels and what each has",
    "find": "find modules of a kernel by name or by what they declare",
    "kallsyms": "look into a kernel's symbol table, keep it, compare it",
    "kconfig": "show how a kernel was configured for modules, and what that means",
    "sandbox": "a kernel in a file: load and unload with nothing at stake",
    "lab": "a real kernel in a throw-away machine, which may crash",
    "install-links": "make lkm answer to the names of kmod's six tools",
    "completion": "print what makes a shell complete lkm's commands",
    "man": "show or write the manual pages",
    "schema": "the schemas of the JSON documents",
}

# What the shells ask while a line is typed (``cli.shell``). It is for them, not for people,
# and therefore in no list.
COMPLETE = "complete"

EPIPE_STATUS = 141  # as a shell shows a program that SIGPIPE ended
INTERRUPTED_STATUS = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that *argv* (default: this process's) names; return its exit status."""
    words = list(sys.argv if argv is None else argv)
    out, err = _stream(sys.stdout, strict=True), _stream(sys.stderr, strict=False)
    console = Console("lkm", out, err)
    own_verb = False
    try:
        name, rest = _command(words)
        own_verb = name not in DROP_INS
        status = _dispatch(name, rest, console, called=words[0] if words else "lkm")
        if console.json:
            from lkm.report.documents.writing import write_whole

            write_whole(console.document, console.cause, console.messages, out)
        out.flush()
    except BrokenPipeError:
        _abandon(out)
        return EPIPE_STATUS
    except OSError as error:
        # Everything else is an LkmError by now: only writing the output is left.
        _abandon(out)
        err.write(f"{console.program}: ERROR: cannot write the output: {error.strerror}\n")
        return 3 if own_verb else 1
    except KeyboardInterrupt:
        return INTERRUPTED_STATUS
    finally:
        console.at_end()
    return status


def _stream(stream: TextIO | None, *, strict: bool) -> TextIO:
    """Return *stream* made to take any byte; a stand-in where its descriptor is closed."""
    if stream is None:
        closed: TextIO = Closed(strict=strict)  # type: ignore[assignment]  # all that is used
        return closed
    # Another class, without it, under a test's capture.
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(encoding="utf-8", errors="surrogateescape")
    return stream


def _command(words: Sequence[str]) -> tuple[str, list[str]]:
    """Return the command's name and its words; an empty name for the program's own options.

    A program called by a tool's name is that tool. ``--on KERNEL`` and ``--no-cache`` may stand
    before the command: they are handed on as the command's own.
    """
    called = words[0].rpartition("/")[2] if words else "lkm"
    if called in DROP_INS:
        return called, list(words[1:])
    rest = list(words[1:])
    before: list[str] = []
    while rest and (rest[0] in ("--on", "--no-cache") or rest[0].startswith("--on=")):
        count = 2 if rest[0] == "--on" else 1
        before += rest[:count]
        del rest[:count]
    if not rest or rest[0].startswith("-"):
        return "", rest or before
    name = rest.pop(0)
    if name == "help" and rest and not rest[0].startswith("-"):
        name, rest = rest[0], ["--help"]
    if name == "kmod" and before:
        # kmod hands it on to the tool that its first word names.
        return name, rest[:1] + before + rest[1:]
    return name, before + rest


def _dispatch(name: str, words: list[str], console: Console, *, called: str) -> int:
    if name in DROP_INS:
        console.program = name
        # getopt names the program as it was called, kmod's own messages by the tool's name.
        return _run_drop_in(name, words, console, called=_as_typed(called, name))
    if name in VERBS:
        console.program = f"lkm {name}"
        return _run_verb(name, words, console)
    if name == COMPLETE:
        from lkm.cli.shell import answer  # only a shell asks

        console.out.write(answer.answer(words))
        return 0
    return _run_itself(name, words, console)


def _as_typed(called: str, name: str) -> str:
    """Return how the user called the tool *name*.

    Of a script the kernel tells the path, also where only the name was typed and the shell has
    found it: in a folder of PATH that is what was typed.
    """
    folder, _, tool = called.rpartition("/")
    if tool not in DROP_INS:
        return name
    return tool if folder in os.environ.get("PATH", "").split(":") else called


def _run_drop_in(name: str, words: list[str], console: Console, *, called: str) -> int:
    command = load(name)
    from lkm.cli import dropin  # the own verbs don't need it

    try:
        parsed = dropin.read_options(command.COMMAND, words, console)
        if parsed is None:
            return 0
        if parsed.last("on") == "lab":
            from lkm.cli.on_lab import tool_on_lab  # it takes a guest to be worth its imports

            return tool_on_lab(name, words, parsed, console)
        status: int = command.run(parsed, console)
    except UsageError as error:
        console.usage(called, error)
        return 1
    except LkmError as error:
        console.complain(error)
        return 1
    return status


def _run_verb(name: str, words: list[str], console: Console) -> int:
    from lkm.cli.verbs import parse_arguments  # the drop-ins start without argparse

    command = load(name)
    if words[:1] and words[0] in getattr(command, "ACTIONS", ()):
        # An action that has nothing in common with the verb's own arguments.
        name, words = f"{name} {words[0]}", words[1:]
        console.program = f"lkm {name}"
        command = load(name)
    try:
        args = parse_arguments(name, command, words, console)
        if args is None:
            return 0
        if getattr(args, "on", "") == "lab":
            from lkm.cli.on_lab import verb_on_lab  # as above

            return verb_on_lab(name, words, args, console)
        status: int = command.run(args, console)
    except UsageError as error:
        console.usage(f"lkm {name}", error)
        return 2
    except LkmError as error:
        console.complain(error)
        return 3
    return status


def _run_itself(name: str, words: list[str], console: Console) -> int:
    if name == "" and words in (["--version"], ["-V"]):
        from lkm import __version__  # asked for rarely

        console.out.write(f"lkm {__version__}\n")
        return 0
    if name == "help" or (name == "" and words in ([], ["--help"], ["-h"])):
        console.out.write(_help())
        return 0
    if name:
        wrong = f"no command {quoted(name)}"
    elif words[0].startswith("--on"):
        wrong = "--on names a kernel for a command, and no command follows"
    elif words[0] == "--no-cache":
        wrong = "--no-cache is for a command, and no command follows"
    else:
        wrong = f"no option {quoted(words[0])}"
    console.raw(f"lkm: {wrong}; lkm --help lists them")
    return 2


def _help() -> str:
    commands = {**DROP_INS, **VERBS}
    width = max(map(len, commands))

    def listed(names: dict[str, str]) -> str:
        return "".join(f"  {name:{width}}  {text}\n" for name, text in names.items())

    return (
        "Usage: lkm [--on KERNEL] [--no-cache] COMMAND [WORD...]\n\n"
        "The Linux loadable kernel module system.\n\n"
        "kmod's tools, with its options, its text and its exit status:\n"
        f"{listed(DROP_INS)}\n"
        "lkm's own:\n"
        f"{listed(VERBS)}\n"
        "KERNEL is live (the running kernel, the default), sandbox (a kernel in a file, which\n"
        "needs no root: start with `lkm sandbox boot`), or lab (COMMAND runs in a throw-away\n"
        "machine with a real kernel: `lkm lab --help`). What has been read of files is remembered\n"
        "in ~/.cache/lkm, or in the folder that LKM_CACHE names; every command that may use what\n"
        "is remembered takes --no-cache. `lkm COMMAND --help` tells the rest.\n"
    )


def load(name: str) -> ModuleType:
    """Return the module of the command *name*."""
    module = name.replace("-", "_").replace(" ", "_")
    return __import__(f"lkm.cli.{module}", fromlist=["run"])


def _abandon(stream: TextIO) -> None:
    """Close *stream*, whose device takes no more, so that Python does not try again at exit."""
    try:
        stream.close()
    except OSError:
        return
