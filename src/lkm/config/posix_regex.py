r"""POSIX extended regular expressions, searched by way of Python's ``re``.

Both write most things alike. Different are bracket expressions (no backslash, classes such as
``[:digit:]``), repetitions of repetitions (``a*+`` is possessive in Python) and ``(?``.

Only whether there is a match is asked, so that POSIX's choice of the longest does not matter.

Source: regex(7).
"""

from __future__ import annotations

import re

_REPEATS = "*+?"
_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": r"\ \t",
    "digit": "0-9",
    "lower": "a-z",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\s",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}


def search(pattern: str, text: str) -> bool:
    """Tell whether *pattern* matches somewhere in *text*; a faulty pattern matches nothing."""
    try:
        return re.search(_translated(pattern), text, re.ASCII) is not None
    except re.error:
        return False


def _translated(pattern: str) -> str:
    parts: list[str] = []
    at = open_groups = 0
    while at < len(pattern):
        character = pattern[at]
        if character == "[":
            text, at = _bracket(pattern, at)
        elif character == "\\" and at + 1 < len(pattern):
            text = _escaped(pattern[at + 1])
            at += 2
        elif character in _REPEATS:
            text, at = _repeats(pattern, at)
        else:
            open_groups += (character == "(") - (character == ")")
            if open_groups < 0:  # a closing parenthesis without its opening one is itself
                character, open_groups = r"\)", 0
            text = character
            at += 1
        parts.append(text)
    return "".join(parts)


def _repeats(pattern: str, at: int) -> tuple[str, int]:
    """Return the repetitions that begin at *at* as one, and where they end."""
    if pattern[at - 1 : at] == "(":
        raise re.error("a repetition of nothing")
    start = at
    while at < len(pattern) and pattern[at] in _REPEATS:
        at += 1
    kinds = set(pattern[start:at])
    return (kinds.pop() if len(kinds) == 1 else "*"), at


def _escaped(character: str) -> str:
    if character in "wWsSbB123456789":
        return "\\" + character
    return r"\b" if character in "<>" else re.escape(character)


def _bracket(pattern: str, at: int) -> tuple[str, int]:
    """Return the bracket expression that begins at *at*, as Python has it, and where it ends."""
    at += 1
    negated = pattern[at : at + 1] == "^"
    at += negated
    parts: list[str] = []
    first = True
    while first or pattern[at : at + 1] != "]":
        first = False
        if at >= len(pattern):
            raise re.error("a bracket is not closed")
        if pattern.startswith("[:", at):
            name, closing, _ = pattern[at + 2 :].partition(":]")
            if not closing or name not in _CLASSES:
                raise re.error("unknown character class")
            parts.append(_CLASSES[name])
            at += len(name) + 4
            continue
        end = pattern[at + 2 : at + 3]
        if pattern[at + 1 : at + 2] == "-" and end not in ("", "]"):
            parts.append(f"{re.escape(pattern[at])}-{re.escape(end)}")
            at += 3
        else:
            parts.append(re.escape(pattern[at]))
            at += 1
    return f"[{'^' if negated else ''}{''.join(parts)}]", at + 1
