"""The parsers of lkm's own verbs, which argparse makes of what each declares."""

from __future__ import annotations

import argparse
import contextlib
import io

from lkm.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import NoReturn

    from lkm.cli.console import Console


class _Parser(argparse.ArgumentParser):
    """A parser that raises where argparse would exit: one place says what is wrong."""

    def error(self, message: str) -> NoReturn:
        error = UsageError(message)
        error.remedy = f"{self.prog} --help tells more"
        raise error


def verb_parser(name: str, command: ModuleType) -> argparse.ArgumentParser:
    """Return the parser of the verb *name*, which *command* implements."""
    parser = _Parser(
        prog=f"lkm {name}",
        description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_arguments(parser)
    if hasattr(command, "TAKES_COMMAND"):
        own = parser.format_usage().removeprefix("usage: ").rstrip()
        parser.usage = f"{own} [-- COMMAND...]".replace("%", "%%")
    return parser


def parse(
    name: str, command: ModuleType, words: list[str], console: Console
) -> argparse.Namespace | None:
    """Read the command line; None where --help has been all there was to do.

    Raises ``UsageError``.
    """
    parser = verb_parser(name, command)
    behind: list[str] = []
    if hasattr(command, "TAKES_COMMAND") and "--" in words:
        at = words.index("--")
        words, behind = words[:at], words[at + 1 :]
    if words[:1] == ["--on"] and "--on" not in parser.format_usage():
        console.json = "--json" in words
        raise UsageError(f"lkm {name} takes no --on")
    shown = io.StringIO()
    try:
        with contextlib.redirect_stdout(shown):
            args = parser.parse_args(words)
            if hasattr(command, "TAKES_COMMAND"):
                args.command = behind
            return args
    except UsageError:
        ended = words.index("--") if "--" in words else len(words)
        console.json = "--json" in words[:ended]
        raise
    except SystemExit:
        console.out.write(shown.getvalue())
        return None
