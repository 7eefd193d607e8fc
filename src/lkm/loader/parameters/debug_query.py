"""What dynamic debugging says of the query that a module is given as ``dyndbg=``.

A query that is no good is told of and ignored: the module loads. What it would switch on is not
looked at. Line numbers, and the flags of some releases only, are not read: of a query with them
nobody here can tell what the kernel logs.

Source: lib/dynamic_debug.c, ddebug_exec_queries and what it calls.
"""

from __future__ import annotations

import re

_MOST_WORDS = 9
_FLAGS = frozenset("pmflt_")
# Since Linux 6.7; before it is no flag.
_LATER_FLAGS = frozenset("s")
_KEYWORDS = frozenset({"func", "file", "module", "format", "class", "line"})
_LINES = re.compile(r"[0-9]{1,9}")


class UnreadQueryError(Exception):
    """The query has something that is not read here."""


class _BadQueryError(Exception):
    """The query is no good: what the kernel logs of that."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines
        super().__init__(*lines)


def debug_query_lines(value: str) -> tuple[str, ...]:
    """Return what the kernel logs, at level 3, of the queries in *value*: nothing if all are good.

    Raises ``UnreadQueryError``.
    """
    logged: list[str] = []
    for part in re.split("[;\n]", value):
        query = part.lstrip(" \t\n\v\f\r\xa0")
        if query and not query.startswith("#"):
            try:
                _read(query)
            except _BadQueryError as bad:
                logged += [f"dyndbg: {line}" for line in bad.lines]
    return tuple(logged)


def _read(query: str) -> None:
    *pairs, flags = _words(query)
    _read_flags(flags)
    _read_pairs(pairs)


def _words(query: str) -> list[str]:
    found: list[str] = []
    rest = query
    while rest := rest.lstrip(" \t\n\v\f\r\xa0"):
        if rest.startswith("#"):
            break
        if rest[0] in "\"'":
            word, quote, rest = rest[1:].partition(rest[0])
            if not quote:
                raise _BadQueryError(f"unclosed quote: {word}", "tokenize failed")
        else:
            word = re.split("[ \t\n\v\f\r\xa0]", rest, maxsplit=1)[0]
            rest = rest[len(word) + 1 :]
        if len(found) == _MOST_WORDS:
            text = f"too many words, legal max <={_MOST_WORDS}"
            raise _BadQueryError(text, "tokenize failed")
        found.append(word)
    return found


def _read_flags(flags: str) -> None:
    if not flags:
        raise UnreadQueryError
    if flags[0] not in "+-=":
        text = f"bad flag-op {flags[0]}, at start of {flags}"
        raise _BadQueryError(text, "flags parse failed")
    for flag in flags[1:]:
        if flag in _LATER_FLAGS:
            raise UnreadQueryError
        if flag not in _FLAGS:
            raise _BadQueryError(f"unknown flag '{flag}'", "flags parse failed")


def _read_pairs(words: list[str]) -> None:
    if len(words) % 2:
        text = "expecting pairs of match-spec <value>"
        raise _BadQueryError(text, "query parse failed")
    given: dict[str, str] = {}
    for name, value in zip(words[::2], words[1::2], strict=True):
        if name not in _KEYWORDS:
            raise _BadQueryError(f'unknown keyword "{name}"', "query parse failed")
        if _is_unread(name, value, given):
            raise UnreadQueryError
        if name in given:
            text = f"match-spec:{name} val:{given[name]} overridden by {value}"
            raise _BadQueryError(text, "query parse failed")
        given[name] = value


def _is_unread(name: str, value: str, given: dict[str, str]) -> bool:
    if name == "line":
        return name in given or not _LINES.fullmatch(value)
    # A file's name may go on with a function or with lines; a format is unescaped first.
    return (name == "file" and ":" in value) or (name == "format" and "\\" in value)
