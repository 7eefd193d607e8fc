"""Match a text against a shell pattern, as fnmatch(3) does without flags.

Python's own ``fnmatch`` is another language: it knows neither the backslash nor ``[^x]`` nor
``[[:alpha:]]``, and it imports ``re``. Here ``*``, ``?`` and brackets match every character, also
``/`` and a leading dot. As in the C locale one character is one byte.

A pattern is cut at its stars. Each piece stands for a fixed number of characters, so the leftmost
place where a middle piece fits is always good enough, and no choice is ever taken back.

Source: fnmatch(3), glob(7); glibc, posix/fnmatch_loop.c, for what they leave open.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Piece = Sequence["str | frozenset[str]"]


def fnmatch(text: str, pattern: str) -> bool:
    """Tell whether *pattern* matches the whole of *text*; an unusable pattern matches nothing."""
    if not (text.isascii() and pattern.isascii()):
        text, pattern = _bytewise(text), _bytewise(pattern)
    if "?" not in pattern and "[" not in pattern and "\\" not in pattern:
        return _matches_stars(text, pattern)
    # Most patterns that a word is held against part from it here; to read one costs more.
    if pattern[0] not in "*?[\\" and not text.startswith(pattern[0]):
        return False
    pieces = _pieces(pattern)
    return pieces is not None and _matches_pieces(text, pieces)


def fnmatch_each(texts: Iterable[bytes], pattern: bytes) -> list[bool]:
    """Tell of each of *texts* what ``fnmatch`` tells; the pattern is read but once."""
    pieces = _pieces(pattern.decode("latin-1"))
    if pieces is None:
        return [False for _ in texts]
    return [_matches_pieces(text.decode("latin-1"), pieces) for text in texts]


def _bytewise(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _matches_stars(text: str, pattern: str) -> bool:
    first, *others = pattern.split("*")
    if not others:
        return text == pattern
    last = others.pop()
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    place, end = len(first), len(text) - len(last)
    for piece in others:
        place = text.find(piece, place, end)
        if place < 0:
            return False
        place += len(piece)
    return True


def _matches_pieces(text: str, pieces: list[list[str | frozenset[str]]]) -> bool:
    first, *others = pieces
    if not others:
        return len(text) == len(first) and _fits(text, 0, first)
    last = others.pop()
    end = len(text) - len(last)
    place = len(first)
    if end < place or not _fits(text, 0, first) or not _fits(text, end, last):
        return False
    for piece in others:
        while place + len(piece) <= end and not _fits(text, place, piece):
            place += 1
        place += len(piece)
        if place > end:
            return False
    return True


def _fits(text: str, place: int, piece: Piece) -> bool:
    for offset, wanted in enumerate(piece):
        # An empty text stands for "any character".
        if wanted and text[place + offset] not in wanted:
            return False
    return True


def _pieces(pattern: str) -> list[list[str | frozenset[str]]] | None:
    pieces: list[list[str | frozenset[str]]] = [[]]
    place = 0
    while place < len(pattern):
        character = pattern[place]
        place += 1
        if character == "*":
            pieces.append([])
        elif character == "?":
            pieces[-1].append("")
        elif character == "\\":
            if place == len(pattern):
                return None
            pieces[-1].append(pattern[place])
            place += 1
        elif character == "[":
            characters, place = _bracket(pattern, place)
            pieces[-1].append(characters)
        else:
            pieces[-1].append(character)
    return pieces


_ALL = frozenset(map(chr, range(256)))
_NONE = frozenset({"no character"})  # an empty set would stand for any


def _bracket(pattern: str, place: int) -> tuple[str | frozenset[str], int]:
    """Return the characters of the bracket that opens before *place*, and the place behind it.

    A bracket that is never closed is an ordinary ``[``. A class that nobody knows makes its
    bracket match only by what stands before it, as in glibc.
    """
    opening = place
    negated = pattern[place : place + 1] in ("!", "^")
    place += negated
    start = place
    characters: set[str] = set()
    known: frozenset[str] | None = None  # what stood before an unknown class
    while place < len(pattern):
        if pattern[place] == "]" and place > start:
            chosen = _ALL - characters if negated else frozenset(characters)
            if known is not None:
                chosen = _NONE if negated else known
            return chosen or _NONE, place + 1
        name = _class_name(pattern, place)
        if name:
            place += len("[::]") + len(name)
            if name in _CLASSES:
                characters.update(filter(_CLASSES[name], _ALL))
            elif known is None:
                known = frozenset(characters)
            continue
        low, place = _one(pattern, place)
        high = low
        if pattern.startswith("-", place) and pattern[place + 1 : place + 2] not in ("", "]"):
            high, place = _one(pattern, place + 1)
        characters.update(map(chr, range(ord(low), ord(high) + 1)))
    return "[", opening


def _class_name(pattern: str, place: int) -> str:
    """Return ``alpha`` where *pattern* has ``[:alpha:]`` at *place*; else nothing."""
    if not pattern.startswith("[:", place):
        return ""
    closing = pattern.find(":]", place + 2)
    name = pattern[place + 2 : max(closing, 0)]
    return name if name.isalpha() else ""


def _one(pattern: str, place: int) -> tuple[str, int]:
    if pattern[place] == "\\" and place + 1 < len(pattern):
        place += 1
    return pattern[place], place + 1


def _ascii(test: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda character: character.isascii() and test(character)


_CLASSES: dict[str, Callable[[str], bool]] = {
    "alnum": _ascii(str.isalnum),
    "alpha": _ascii(str.isalpha),
    "blank": " \t".__contains__,
    "cntrl": lambda character: character < " " or character == "\x7f",
    "digit": _ascii(str.isdigit),
    "graph": lambda character: "!" <= character <= "~",
    "lower": _ascii(str.islower),
    "print": lambda character: " " <= character <= "~",
    "punct": lambda character: "!" <= character <= "~" and not character.isalnum(),
    "space": " \t\n\v\f\r".__contains__,
    "upper": _ascii(str.isupper),
    "xdigit": "0123456789abcdefABCDEF".__contains__,
}
