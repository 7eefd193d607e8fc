"""The options of the drop-in commands, as data, and GNU getopt_long's way of reading them.

argparse would cost more than all that ``lsmod`` does, and reads options differently: it knows no
permutation across options that take arguments, and its messages are not getopt's. The tables are
data because more than the parser reads them: the help, the man pages and the completion as well.
"""

from __future__ import annotations

from lkm._value import Value
from lkm.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from typing import Final

_COLUMNS = 80
_LABEL_COLUMNS = 26


class Option(Value):
    """One option of a drop-in command.

    *key* is what the command asks for it by; *short* one letter or empty; *names* its long names
    without dashes, *old* those that still work but are going away; *argument* the word that
    stands for its argument in the help, empty where it takes none, and that tells what kind of
    word it is (``cli.shell.kinds``); *own* marks what kmod lacks: such a name must be spelled
    out, so that no abbreviation of kmod's changes its meaning. *words*, where it is not None,
    replaces the ``Command``'s where this option is given.
    """

    __slots__ = ("argument", "help", "key", "names", "old", "own", "short", "words")

    def __init__(  # noqa: PLR0913  # one for each field
        self,
        key: str,
        short: str,
        names: tuple[str, ...],
        help: str,  # noqa: A002  # the field's natural name; the builtin is not needed here
        *,
        argument: str = "",
        old: tuple[str, ...] = (),
        own: bool = False,
        words: tuple[str, ...] | None = None,
    ) -> None:
        self.key: Final = key
        self.short: Final = short
        self.names: Final = names
        self.help: Final = help
        self.argument: Final = argument
        self.old: Final = old
        self.own: Final = own
        self.words: Final = words


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
    """A command line that getopt would refuse, in getopt's words.

    *keys* are those of the options that could be read all the same.
    """

    keys: tuple[str, ...] = ()


def parse(
    options: Sequence[Option],
    words: Sequence[str],
    *,
    permute: bool = True,
    last: Collection[str] = (),
) -> Parsed:
    """Read *words* as getopt_long does.

    Options may follow arguments unless *permute* is false; long names may be shortened while
    only one option begins so; ``--`` ends the options. Behind an option whose key is one of
    *last* nothing is read any more. Raises ``OptionError``, for the first word that is wrong.

    Source: getopt(3).
    """
    wrong: OptionError | None = None
    shorts = {option.short: option for option in options if option.short}
    found: list[tuple[Option, str, str]] = []
    arguments: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            arguments.extend(rest)
        elif len(word) > 1 and word.startswith("-"):
            try:
                for each in _read(options, shorts, word, rest):
                    found.append(each)
                    if each[0].key in last:
                        break
            except OptionError as error:
                wrong = wrong or error
        else:
            arguments.append(word)
            if not permute:
                arguments.extend(rest)
        if found and found[-1][0].key in last:
            break
    if wrong is not None:
        wrong.keys = tuple([option.key for option, _, _ in found])
        raise wrong
    return Parsed(
        tuple([(option.key, value) for option, _, value in found]),
        tuple(arguments),
        tuple([(name, option.names[0]) for option, name, _ in found if name in option.old]),
    )


def _read(
    options: Sequence[Option], shorts: dict[str, Option], word: str, rest: Iterator[str]
) -> Iterator[tuple[Option, str, str]]:
    """Yield the options in *word*, each with its long name, if by that, and its argument."""
    if word.startswith("--"):
        yield _long(options, word, rest)
    else:
        yield from _letters(shorts, word[1:], rest)


def _long(options: Sequence[Option], word: str, rest: Iterator[str]) -> tuple[Option, str, str]:
    typed, equals, value = word[2:].partition("=")
    option, name = by_long_name(options, typed)
    if option.argument and not equals:
        following = next(rest, None)
        if following is None:
            raise OptionError(f"option '--{name}' requires an argument")
        value = following
    elif equals and not option.argument:
        raise OptionError(f"option '--{name}' doesn't allow an argument")
    return option, name, value


def by_long_name(options: Sequence[Option], typed: str) -> tuple[Option, str]:
    """Return the option that *typed*, a long name or its beginning, means, and its whole name.

    Raises ``OptionError`` where that is none, or several.
    """
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
        # Old names before new ones, as in kmod's tables.
        candidates.sort(key=lambda each: (options.index(each[0]), each[1] not in each[0].old))
        names = " ".join([f"'--{name}'" for _, name in candidates])
        raise OptionError(f"option '--{typed}' is ambiguous; possibilities: {names}")
    return candidates[0]


def _letters(
    shorts: dict[str, Option], letters: str, rest: Iterator[str]
) -> Iterator[tuple[Option, str, str]]:
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
        yield option, "", value


def describe(options: Sequence[Option]) -> str:
    """Return the options' part of a help text, for a terminal of 80 columns."""
    from textwrap import wrap  # a help is seldom asked for

    labels = []
    for option in options:
        # Without a short name, the long ones stand below each other all the same.
        forms = [f"-{option.short}"] if option.short else ["  "]
        forms += [f"--{name}" for name in option.names]
        label = ", ".join(forms) + (f" {option.argument}" if option.argument else "")
        labels.append(label.replace("  , ", "    ", 1))
    width = min(max(len(label) for label in labels), _LABEL_COLUMNS)
    lines = []
    for label, option in zip(labels, options, strict=True):
        first, *more = wrap(option.help, _COLUMNS - width - 4)
        if len(label) > width:
            lines.append(f"  {label}")
            more.insert(0, first)
        else:
            lines.append(f"  {label:{width}}  {first}")
        lines += [" " * (width + 4) + line for line in more]
    return "\n".join(lines) + "\n"
