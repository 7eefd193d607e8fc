"""The options of the drop-in commands, as data, and GNU getopt_long's way of reading them.

argparse would cost more than all that ``lsmod`` does, and reads options differently: it knows no
permutation across options that take arguments, and its messages are not getopt's. The tables are
data because more than the parser reads them: the help does as well.
"""

from __future__ import annotations

from lkm._value import Value
from lkm.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Final


class Option(Value):
    """One option of a drop-in command.

    *key* is what the command asks for it by; *short* one letter or empty; *names* its long names
    without dashes, *old* those that still work but are going away; *argument* the word that
    stands for its argument in the help, empty where it takes none; *own* marks what kmod lacks:
    such a name must be spelled out, so that no abbreviation of kmod's changes its meaning.
    """

    __slots__ = ("argument", "help", "key", "names", "old", "own", "short")

    def __init__(
        self,
        key: str,
        short: str,
        names: tuple[str, ...],
        help: str,  # noqa: A002  # the field's natural name; the builtin is not needed here
        *,
        argument: str = "",
        old: tuple[str, ...] = (),
        own: bool = False,
    ) -> None:
        self.key: Final = key
        self.short: Final = short
        self.names: Final = names
        self.help: Final = help
        self.argument: Final = argument
        self.old: Final = old
        self.own: Final = own


class Parsed:
    """What the command line said: options in the order given, and the other words."""

    __slots__ = ("arguments", "deprecated", "given")

    def __init__(
        self,
        given: tuple[tuple[str, str], ...],
        arguments: tuple[str, ...],
        deprecated: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.given = given
        self.arguments = arguments
        self.deprecated = deprecated

    def has(self, key: str) -> bool:
        """Tell whether the option was given."""
        return any(name == key for name, _ in self.given)

    def last(self, key: str, default: str = "") -> str:
        """Return the option's argument, the last one where it was given more than once."""
        found = default
        for name, value in self.given:
            if name == key:
                found = value
        return found

    def every(self, key: str) -> tuple[str, ...]:
        """Return the option's arguments in the order given."""
        return tuple(value for name, value in self.given if name == key)


class OptionError(UsageError):
    """A command line that getopt would refuse, in getopt's words."""


def parse(options: Sequence[Option], words: Sequence[str], *, permute: bool = True) -> Parsed:
    """Read *words* as getopt_long does.

    Options may follow arguments unless *permute* is false; long names may be shortened while
    only one option begins so; ``--`` ends the options. Raises ``OptionError``.

    Source: getopt(3).
    """
    shorts = {option.short: option for option in options if option.short}
    given: list[tuple[str, str]] = []
    deprecated: list[tuple[str, str]] = []
    arguments: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            arguments.extend(rest)
        elif word.startswith("--"):
            option, name, value = _long(options, word, rest)
            given.append((option.key, value))
            if name in option.old:
                deprecated.append((name, option.names[0]))
        elif len(word) > 1 and word.startswith("-"):
            given.extend(_letters(shorts, word[1:], rest))
        else:
            arguments.append(word)
            if not permute:
                arguments.extend(rest)
    return Parsed(tuple(given), tuple(arguments), tuple(deprecated))


def _long(options: Sequence[Option], word: str, rest: Iterator[str]) -> tuple[Option, str, str]:
    typed, equals, value = word[2:].partition("=")
    option, name = _by_long_name(options, typed)
    if option.argument and not equals:
        following = next(rest, None)
        if following is None:
            raise OptionError(f"option '--{name}' requires an argument")
        value = following
    elif equals and not option.argument:
        raise OptionError(f"option '--{name}' doesn't allow an argument")
    return option, name, value


def _by_long_name(options: Sequence[Option], typed: str) -> tuple[Option, str]:
    candidates = []
    for option in options:
        for name in (*option.names, *option.old):
            if name == typed:
                return option, name
            if name.startswith(typed) and not option.own:
                candidates.append((option, name))
    if not candidates:
        raise OptionError(f"unrecognized option '--{typed}'")
    if any(option is not candidates[0][0] for option, _ in candidates):
        names = " ".join(f"'--{name}'" for _, name in candidates)
        raise OptionError(f"option '--{typed}' is ambiguous; possibilities: {names}")
    return candidates[0]


def _letters(
    shorts: dict[str, Option], letters: str, rest: Iterator[str]
) -> Iterator[tuple[str, str]]:
    while letters:
        letter, letters = letters[0], letters[1:]
        option = shorts.get(letter)
        if option is None:
            raise OptionError(f"invalid option -- '{letter}'")
        value = ""
        if option.argument:
            following = letters or next(rest, None)
            if following is None:
                raise OptionError(f"option requires an argument -- '{letter}'")
            value, letters = following, ""
        yield option.key, value


def describe(options: Sequence[Option]) -> str:
    """Return the options' part of a help text, one option a line."""
    labels = []
    for option in options:
        forms = [f"-{option.short}"] if option.short else []
        forms += [f"--{name}" for name in option.names]
        labels.append(", ".join(forms) + (f" {option.argument}" if option.argument else ""))
    width = min(max(len(label) for label in labels), 32)
    lines = []
    for label, option in zip(labels, options, strict=True):
        gap = "\n" + " " * (width + 4) if len(label) > width else " " * (width - len(label) + 2)
        lines.append(f"  {label}{gap}{option.help}")
    return "\n".join(lines) + "\n"
