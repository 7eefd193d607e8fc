"""What is said of queries; all but the last test are what real kernels said (``params-dyndbg``)."""

from __future__ import annotations

import pytest

from lkm.loader.parameters.debug_query import UnreadQueryError, debug_query_lines


@pytest.mark.parametrize(
    "query",
    ["+p", "-pf", "=_", "+", "func a +p", "file a.c line 3 =pmflt", ";\n # what", ""],
)
def test_of_good_queries_nothing_is_said(query: str) -> None:
    assert debug_query_lines(query) == ()


@pytest.mark.parametrize(
    ("query", "lines"),
    [
        ("p", ["bad flag-op p, at start of p", "flags parse failed"]),
        ("+q", ["unknown flag 'q'", "flags parse failed"]),
        ("foo +p", ["expecting pairs of match-spec <value>", "query parse failed"]),
        ("foo bar +p", ['unknown keyword "foo"', "query parse failed"]),
        ("func a func b +p", ["match-spec:func val:a overridden by b", "query parse failed"]),
        ("func 'a +p", ["unclosed quote: a +p", "tokenize failed"]),
        ("a b c d e f g h i +p", ["too many words, legal max <=9", "tokenize failed"]),
        (
            "+p; what\n+x",
            [
                "bad flag-op w, at start of what",
                "flags parse failed",
                "unknown flag 'x'",
                "flags parse failed",
            ],
        ),
    ],
)
def test_of_bad_ones_it_is_said_what_is_wrong(query: str, lines: list[str]) -> None:
    assert list(debug_query_lines(query)) == [f"dyndbg: {line}" for line in lines]


@pytest.mark.parametrize(
    "query", ["+s", "line 5-3 +p", "line x +p", "file a.c:3 +p", 'format "\\x41" +p', "''"]
)
def test_what_is_not_read_is_not_judged(query: str) -> None:
    with pytest.raises(UnreadQueryError):
        debug_query_lines(query)
