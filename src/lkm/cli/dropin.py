"""What the drop-in commands share: their definition, their common options, their help."""

from __future__ import annotations

import os

from lkm._value import Value
from lkm.cli.options import Option, describe, parse
from lkm.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from lkm.cli.console import Console
    from lkm.cli.options import Parsed

# The release of kmod whose options and text these commands have, and what it was built with.
KMOD_VERSION = "kmod version 34\n+ZSTD +XZ +ZLIB +OPENSSL -MBEDTLS\n"

HELP = Option("help", "h", ("help",), "show this text")
VERSION = Option("version", "V", ("version",), "show the version of kmod that this stands in for")
SYSLOG = Option("syslog", "s", ("syslog",), "send messages to syslog, not to stderr")
VERBOSE = Option("verbose", "v", ("verbose",), "say more; twice, still more")
ON = Option("on", "", ("on",), "the kernel: live (default) or sandbox", argument="KERNEL", own=True)
JSON = Option("json", "", ("json",), "print one JSON document instead", own=True)


class Command(Value):
    """The definition of one drop-in command: its usage line, purpose and options.

    *environment* names the variable whose words stand before those of the command line.
    """

    __slots__ = ("environment", "name", "options", "permute", "purpose", "usage")

    def __init__(
        self,
        name: str,
        usage: str,
        purpose: str,
        options: tuple[Option, ...],
        *,
        permute: bool = True,
        environment: str = "",
    ) -> None:
        self.name: Final = name
        self.usage: Final = usage
        self.purpose: Final = purpose
        self.options: Final = options
        self.permute: Final = permute
        self.environment: Final = environment

    def help_text(self) -> str:
        """Return what --help prints."""
        return f"Usage: {self.usage}\n\n{self.purpose}\n\nOptions:\n{describe(self.options)}"


def read_options(command: Command, words: Sequence[str], console: Console) -> Parsed | None:
    """Read the command line; None where --help or --version has been all there was to do.

    Raises ``OptionError`` in getopt's words.
    """
    if command.environment:
        words = [*split_options(os.environ.get(command.environment, "")), *words]
    parsed = parse(command.options, words, permute=command.permute)
    for key, _ in parsed.given:
        if key in ("help", "version"):
            console.json = False
            console.out.write(command.help_text() if key == "help" else KMOD_VERSION)
            return None
        if key == "syslog":
            console.log_to_syslog()
    for old, new in parsed.deprecated:
        console.warning(f"--{old} is deprecated and scheduled for removal; use --{new}")
    if parsed.last("on", "live") not in ("live", "sandbox"):
        raise UsageError(f"--on takes live or sandbox, not {parsed.last('on')!r}")
    return parsed


def split_options(text: str) -> list[str]:
    """Return the words of an options variable: split at blanks, save those between quotes."""
    words: list[str] = []
    word, quote, open_word = "", "", False
    for character in text:
        if quote:
            if character == quote:
                quote = ""
            else:
                word += character
        elif character in "\"'":
            quote, open_word = character, True
        elif character in " \t\n":
            if word or open_word:
                words.append(word)
            word, open_word = "", False
        else:
            word += character
    if word or open_word:
        words.append(word)
    return words
