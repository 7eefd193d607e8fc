"""Read the words of an own verb without argparse, where they are as plain as they mostly are.

To import argparse and to declare the arguments takes longer than the work of many a command. So a
verb may tell in ``PLAIN`` what a plain command line of its holds; any other line, and whatever is
wrong with one, is left to argparse, which reads all of them in the same way.
"""

from __future__ import annotations

from types import SimpleNamespace

from lkm._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final


class Plain(Value):
    """The arguments of a verb by name, each with what it is where it is not given.

    Those of *options* take an argument, those of *choices* one of these, and *flags* take none.
    *word* is the name of the one word that may stand there besides.
    """

    __slots__ = ("choices", "flags", "options", "word")

    def __init__(
        self,
        word: str,
        options: Mapping[str, str | None],
        choices: Mapping[str, tuple[str, ...]],
        flags: Sequence[str],
    ) -> None:
        self.word: Final = word
        self.options: Final = options
        self.choices: Final = choices
        self.flags: Final = flags


def read_plain(plain: Plain, words: Sequence[str]) -> SimpleNamespace | None:
    """Return what argparse would make of *words*; None where that is to be asked."""
    found: dict[str, str | bool | None] = {**plain.options, **dict.fromkeys(plain.flags, False)}
    found[plain.word] = ""
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        key = name[2:].replace("-", "_") if _is_option(name) else plain.word
        if key == plain.word:
            value = word
            if found[key] or word.startswith("-"):
                return None
        elif key in plain.flags and not equals:
            found[key] = True
            continue
        elif key not in plain.options:
            return None
        elif not equals:
            value = next(rest, "")
        if not value or value.startswith("-") or value not in plain.choices.get(key, (value,)):
            return None
        found[key] = value
    return SimpleNamespace(**found)


def _is_option(name: str) -> bool:
    return name.startswith("--") and "_" not in name
