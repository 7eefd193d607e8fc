from __future__ import annotations

import ctypes
import random

import pytest

from lkm.config.posix_regex import search
from tests.conftest import missing


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("6", "5.6.1", True),
        (r"^6\.1", "6.1.0-56-amd64", True),
        (r"^6\.1$", "6.1.0", False),
        ("^(5|6)[.]", "6.1.0", True),
        ("[[:digit:]]{2}-amd64$", "6.1.0-56-amd64", True),
        ("^[^0-9]", "6.1", False),
        ("[]x]", "a]b", True),
        ("[^]x]", "]x", False),
        (r"[\.]", "a\\b", True),
        ("[a-]", "x-y", True),
        ("[+--]", ",", True),
        ("a*+b", "aab", True),
        ("a?+c", "aaac", True),
        (r"\<amd", "56-amd64", True),
        (r"\.\.", "6..1", True),
        ("(", "6", False),
        (")|6", "6", True),
        (r"(6).*\1", "6.1.6", True),
        (r"\1", "6", False),
        ("(*6)", "6", False),
        ("(?:6)", "6", False),
        ("[6", "6", False),
        ("[[:nope:]]", "6", False),
        ("[[:digit:", "6", False),
        ("[", "6", False),
        ("\\", "6", False),
        ("6{1,2}$", "6.1.66", True),
        ("6{3}", "66", False),
        ("6{99999999999}", "6", False),
        ("(a|(b|))*c", "abbac", True),
        ("[[.a.]-c]", "b", True),
        (f"{'(' * 5000}6{')' * 5000}", "6", False),
        (f"6{'*' * 5000}$", "66", True),
        (f"6{'{1}' * 5000}$", "66", False),
        (f"6{'{1}' * 20}$", "66", True),
        (f"{'(' * 50}6{')' * 50}", "6", True),
    ],
)
def test_a_posix_expression_means_what_regcomp_takes_it_for(
    pattern: str, text: str, expected: bool
) -> None:
    assert search(pattern, text) == expected


@pytest.mark.parametrize(
    "pattern",
    ["(((.*)*)*)*x", "(.*)*(.*)*x", "((.+)+)+x", "((.{9999}){9999}){9999}", r"(.*)(.*)(.*)\3\2\1x"],
)
def test_an_expression_that_keeps_others_busy_for_hours_is_answered(pattern: str) -> None:
    assert not search(pattern, "6.1.0-56-amd64" * 4)


_PIECES = (
    *(
        "a",
        "b",
        "6",
        ".",
        "-",
        "(",
        ")",
        "(",
        ")",
        "|",
        "*",
        "+",
        "?",
        "{2}",
        "{1,2}",
        "{,1}",
        "{0,}",
    ),
    *("{", "}", "^", "$", "[ab]", "[^a-6]", "[]a]", "[a-", "[[:digit:]]", "[[.a.]]", "[[=b=]]"),
    *(r"\1", r"\2", r"\<", r"\>", r"\b", r"\B", r"\w", r"\W", r"\s", r"\.", "\\", r"\`", r"\'"),
)


@pytest.mark.oracle
def test_the_c_library_finds_the_same_by_thousands_of_expressions() -> None:
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        missing("oracle", "the C library is not glibc, whose extensions these are")
    rng = random.Random(1)
    patterns = ["".join(rng.choices(_PIECES, k=rng.randrange(1, 8))) for _ in range(4000)]
    asked = [(each, text) for each in patterns for text in ("6.1.0-56-amd64", "aab", "", "abab6")]

    differing = [each for each in asked if search(*each) != _found_by(library, *each)]

    assert differing == []


def _found_by(library: ctypes.CDLL, pattern: str, text: str) -> bool:
    extended, no_places = 1, 8  # REG_EXTENDED, REG_NOSUB
    compiled = ctypes.create_string_buffer(256)  # a regex_t has 64 bytes
    if library.regcomp(compiled, pattern.encode(), extended | no_places):
        return False
    found: int = library.regexec(compiled, text.encode(), 0, None, 0)
    library.regfree(compiled)
    return found == 0
