from __future__ import annotations

import pytest

from lkm.config.posix_regex import search


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
    ],
)
def test_a_posix_expression_means_what_regcomp_takes_it_for(
    pattern: str, text: str, expected: bool
) -> None:
    assert search(pattern, text) == expected
