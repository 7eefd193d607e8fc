"""Read a command line that is not finished yet, as getopt would, and without complaining."""

from __future__ import annotations

from lkm._value import Value
from lkm.cli.options import OptionError, by_long_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from lkm.cli.dropin import Command
    from lkm.cli.options import Option


class Line(Value):
    """What the words say so far.

    *given* are the options with their arguments, *arguments* the other words. *ended* tells that
    what follows can be no option. *open* is the option that still waits for its argument.
    """

    __slots__ = ("arguments", "ended", "given", "open")

    def __init__(
        self,
        given: tuple[tuple[Option, str], ...],
        arguments: tuple[str, ...],
        *,
        ended: bool,
        open_option: Option | None,
    ) -> None:
        self.given: Final = given
        self.arguments: Final = arguments
        self.ended: Final = ended
        self.open: Final = open_option

    def last(self, *keys: str) -> str:
        """Return the argument of the last option of one of *keys*, empty where none was given."""
        found = ""
        for option, value in self.given:
            if option.key in keys:
                found = value
        return found

    def with_later(self, later: Line) -> Line:
        """Return this line with what stands behind the cursor."""
        return Line(
            self.given + later.given,
            self.arguments + later.arguments,
            ended=self.ended,
            open_option=self.open,
        )


def read(command: Command, words: Sequence[str]) -> Line:
    """Read whole *words*; what *command* does not know is passed over."""
    shorts = {option.short: option for option in command.options if option.short}
    given: list[tuple[Option, str]] = []
    arguments: list[str] = []
    waiting: Option | None = None
    ended = False
    for word in words:
        if waiting is not None:
            given.append((waiting, word))
            waiting = None
        elif ended or len(word) < 2 or not word.startswith("-"):
            arguments.append(word)
            ended = ended or not command.permute
        elif word == "--":
            ended = True
        elif word.startswith("--"):
            waiting = _long(command, word, given)
        else:
            waiting = _letters(shorts, word[1:], given)
    return Line(tuple(given), tuple(arguments), ended=ended, open_option=waiting)


def _long(command: Command, word: str, given: list[tuple[Option, str]]) -> Option | None:
    typed, equals, value = word[2:].partition("=")
    try:
        option, _ = by_long_name(command.options, typed)
    except OptionError:
        return None
    if option.argument and not equals:
        return option
    given.append((option, value))
    return None


def _letters(
    shorts: dict[str, Option], letters: str, given: list[tuple[Option, str]]
) -> Option | None:
    while letters:
        letter, letters = letters[0], letters[1:]
        option = shorts.get(letter)
        if option is None:
            return None
        if option.argument and not letters:
            return option
        if option.argument:
            given.append((option, letters))
            return None
        given.append((option, ""))
    return None
