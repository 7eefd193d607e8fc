"""Plain command lines are read as argparse reads them, and all others are left to it."""

from __future__ import annotations

import random

import pytest

from lkm.cli import find
from lkm.cli.main import VERBS, load
from lkm.cli.plain import read_plain
from lkm.cli.verb_parser import verb_parser
from lkm.errors import UsageError

WORDS = ("vfat", "*.ko", "", "-", "--", "-x", "--on", "--on=live", "live", "sandbox", "moon", "a=b")
PLAIN_VERBS = [name for name in VERBS if hasattr(load(name), "PLAIN")]


def options_of(name: str) -> list[str]:
    parser = verb_parser(name, load(name))
    return [text for action in parser._actions for text in action.option_strings]


@pytest.mark.parametrize("name", PLAIN_VERBS)
def test_a_plain_line_means_what_argparse_says(name: str) -> None:
    command = load(name)
    parser = verb_parser(name, command)
    options = [text for text in options_of(name) if text not in ("-h", "--help")]
    options += [f"{text}=x" for text in options] + [f"{text}=" for text in options]
    chance = random.Random(name)
    read = 0
    for _ in range(3000):
        words = [chance.choice([*options, *WORDS]) for _ in range(chance.randrange(5))]
        plain = read_plain(command.PLAIN, words)
        if plain is not None:
            read += 1
            try:
                assert vars(plain) == vars(parser.parse_args(words)), words
            except UsageError as error:
                pytest.fail(f"{words}: {error}")
    assert read > 100


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["vfat"],
        ["--needs", "fat_attach", "--json"],
        ["--root=/x", "--on", "sandbox", "vfat", "--no-cache"],
        ["--description", "two words", "--release", "6.1.0"],
    ],
)
def test_what_people_type_is_plain(words: list[str]) -> None:
    assert read_plain(find.PLAIN, words) is not None


@pytest.mark.parametrize("name", PLAIN_VERBS)
def test_every_option_can_be_plain(name: str) -> None:
    command = load(name)
    for option in options_of(name):
        plain = [read_plain(command.PLAIN, [option, *more]) for more in ([], ["live"])]
        assert any(plain) or option in ("-h", "--help"), option
