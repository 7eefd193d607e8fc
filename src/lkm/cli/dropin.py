"""What the drop-in commands share: their definition, their common options, their help."""

from __future__ import annotations

import os

from lkm._text import quoted
from lkm._value import Value
from lkm.cli.options import Option, OptionError, Parsed, describe, parse
from lkm.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from lkm.cli.console import Console

# The release of kmod whose options and text these commands have, and what it was built with.
KMOD_VERSION = "kmod version 34\n+ZSTD +XZ +ZLIB +OPENSSL -MBEDTLS\n"

HELP = Option("help", "h", ("help",), "show this help")
VERSION = Option("version", "V", ("version",), "show the version of kmod that this stands in for")
SYSLOG = Option("syslog", "s", ("syslog",), "send messages to syslog, not to stderr")
VERBOSE = Option("verbose", "v", ("verbose",), "say more; given twice, still more")
ON = Option(
    "on",
    "",
    ("on",),
    "which kernel: live, the running one (default), sandbox, one in a file, or lab, a real one in "
    "QEMU",
    argument="KERNEL",
    own=True,
)
INIT_RETURNS = Option(
    "init_returns",
    "",
    ("init-returns",),
    "in the sandbox, where no init runs: what that of the module asked for returns, not those of "
    "its dependencies. N: a number, and -19 fails by ENODEV; the word never: it does not return, "
    "and the module stays Loading",
    argument="N|never",
    own=True,
)
NO_CACHE = Option(
    "no_cache", "", ("no-cache",), "neither use nor remember facts of earlier runs", own=True
)
# Of commands that know nothing of files but what a sandbox's kernel is.
NO_CACHE_OF_IMAGE = Option(
    "no_cache",
    "",
    ("no-cache",),
    "read the image of the sandbox's kernel anew, and remember nothing of it",
    own=True,
)
JSON = Option("json", "", ("json",), "print one JSON document instead of text", own=True)


# Behind these nothing counts any more.
_ENDS = ("help", "version")


class Command(Value):
    """The definition of one command: its usage lines, purpose and options.

    *words* are the words that it takes besides, by what stands for them in the usage; the last
    one repeats if it ends in dots; *word_texts* tell what each is, or nothing. *actions* are
    commands of its own, one of which is its first word. *environment* names the variable whose
    words stand before those of the command line.

    All that is told of a command is made from this: what parses it, --help, the completion in
    shells and the man page. That of an own verb is made from its parser (``cli.definitions``).
    """

    __slots__ = (
        "actions",
        "environment",
        "name",
        "options",
        "permute",
        "purpose",
        "usage",
        "word_texts",
        "words",
    )

    def __init__(  # noqa: PLR0913  # one for each field
        self,
        name: str,
        usage: str,
        purpose: str,
        options: tuple[Option, ...],
        *,
        words: tuple[str, ...] = (),
        actions: tuple[Command, ...] = (),
        permute: bool = True,
        environment: str = "",
        word_texts: tuple[str, ...] = (),
    ) -> None:
        self.name: Final = name
        self.usage: Final = usage
        self.purpose: Final = purpose
        self.options: Final = options
        self.words: Final = words
        self.word_texts: Final = word_texts
        self.actions: Final = actions
        self.permute: Final = permute
        self.environment: Final = environment

    def help_text(self) -> str:
        """Return what --help prints."""
        from textwrap import fill  # a help is seldom asked for

        # A list stays as it is.
        purpose = self.purpose if "\n  " in self.purpose else fill(self.purpose, 80)
        return f"Usage: {self.usage}\n\n{purpose}\n\nOptions:\n{describe(self.options)}"


def read_options(command: Command, words: Sequence[str], console: Console) -> Parsed | None:
    """Read the command line; None where --help or --version has been all there was to do.

    --json counts where it is an option itself, not another's argument; of a line that is wrong it
    is taken all the same. Raises ``OptionError`` in getopt's words.
    """
    before = _from_environment(command, words, console)
    try:
        parsed = _parsed(command, [*before, *words])
    except OptionError as error:
        console.json = JSON.key in error.keys
        raise
    console.json = parsed.has(JSON.key)
    for key, _ in parsed.given:
        if key in _ENDS:
            console.json = False
            console.out.write(command.help_text() if key == "help" else KMOD_VERSION)
            return None
        if key == "syslog":
            console.log_to_syslog()
    for old, new in parsed.deprecated:
        console.warning(f"--{old} is deprecated and scheduled for removal; use --{new}")
    # modprobe says warnings without being asked to; the others begin at errors.
    console.level = 4 if command.name == "modprobe" else 3
    console.level += sum([key == "verbose" for key, _ in parsed.given])
    if parsed.has("no_cache"):
        from lkm.cache import switch_off  # few commands need the cache

        switch_off()
    console.kernel = parsed.last("on", "live")
    if console.kernel not in ("live", "sandbox", "lab"):
        console.kernel = "live"
        raise UsageError(f"--on takes live, sandbox or lab, not {quoted(parsed.last('on'))}")
    return _in_guest(parsed) if console.kernel == "lab" else parsed


def _in_guest(parsed: Parsed) -> Parsed:
    """Return *parsed* for the guest's own kernel, where this is the guest that --on lab means."""
    from lkm.cli.on_lab import in_lab  # few commands are for it

    if not in_lab():
        return parsed
    given = tuple([(key, value) for key, value in parsed.given if key != "on"])
    return Parsed(given, parsed.arguments, parsed.deprecated)


def _parsed(command: Command, words: Sequence[str]) -> Parsed:
    # As getopt, for whose sake the variable is there: set is enough.
    permute = command.permute and "POSIXLY_CORRECT" not in os.environ
    return parse(command.options, words, permute=permute, last=_ENDS)


def _from_environment(command: Command, words: Sequence[str], console: Console) -> list[str]:
    """Return the words of the command's variable, which stand before *words*.

    A modprobe that another program starts must not print JSON to those who read its text, an
    install command say: there that option is refused, as by kmod, which has none such.
    """
    if not command.environment:
        return []
    before = split_options(os.environ.get(command.environment, ""))
    if before and _asks_for_json(command, before):
        console.json = _asks_for_json(command, words)
        error = OptionError(f"unrecognized option '--{JSON.names[0]}'")
        error.remedy = f"give it on the command line, not in {command.environment}"
        raise error
    return before


def _asks_for_json(command: Command, words: Sequence[str]) -> bool:
    try:
        return _parsed(command, words).has(JSON.key)
    except OptionError as error:
        return JSON.key in error.keys


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
