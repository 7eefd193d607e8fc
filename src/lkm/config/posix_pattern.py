"""Take POSIX extended regular expressions apart, with GNU's extensions.

Source: regex(7); glibc, manual, "Regular Expressions".
"""

from __future__ import annotations

import string

from lkm._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    Test = Callable[[str, int], bool]

_MOST_REPEATS = 0x7FFF  # RE_DUP_MAX
_DEEPEST = 50  # groups in groups, and repetitions of repetitions
_PLAIN_REPEATS = ((0, None), (1, None), (0, 1))
_CLASSES = {
    "alnum": string.ascii_letters + string.digits,
    "alpha": string.ascii_letters,
    "blank": " \t",
    "cntrl": "".join(map(chr, range(32))) + "\x7f",
    "digit": string.digits,
    "graph": string.ascii_letters + string.digits + string.punctuation,
    "lower": string.ascii_lowercase,
    "print": string.ascii_letters + string.digits + string.punctuation + " ",
    "punct": string.punctuation,
    "space": string.whitespace,
    "upper": string.ascii_uppercase,
    "xdigit": string.hexdigits,
}
_WORD = frozenset(string.ascii_letters + string.digits + "_")
_SPACE = frozenset(string.whitespace)


class PatternError(Exception):
    """The pattern is faulty, or searching for it takes too many steps."""


class One(Value):
    """One character that passes *test*, or with *empty* a place that does."""

    __slots__ = ("empty", "test")

    def __init__(self, test: Test, *, empty: bool = False) -> None:
        self.test: Final = test
        self.empty: Final = empty


class Either(Value):
    """One of *branches*, each of them parts in a row; the group of that *number*, if it is one."""

    __slots__ = ("branches", "number")

    def __init__(self, branches: tuple[tuple[Part, ...], ...], number: int = 0) -> None:
        self.branches: Final = branches
        self.number: Final = number


class Repeat(Value):
    """*part*, from *least* to *most* times in a row; None is without end."""

    __slots__ = ("least", "most", "part")

    def __init__(self, part: Part, least: int, most: int | None) -> None:
        self.part: Final = part
        self.least: Final = least
        self.most: Final = most


class Back(Value):
    """What the group of that *number* has matched."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number: Final = number


if TYPE_CHECKING:
    Part = One | Either | Repeat | Back


def parse_pattern(pattern: str) -> tuple[Either, tuple[int, ...]]:
    """Return *pattern* taken apart, and the numbers of the groups that are referred back to.

    Raises ``PatternError``.
    """
    parser = _Parser(pattern)
    return parser.whole(), tuple(parser.referred)


class _Parser:
    """Takes a pattern apart; *referred* are then the groups that are referred back to."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._depth = 0
        self._groups = self._nested = 0
        self._closed: set[int] = set()
        self._exact: dict[str, One] = {}
        self.referred: list[int] = []

    def whole(self) -> Either:
        """Return the pattern. Raises ``PatternError``."""
        return Either(self._branches())

    def _branches(self) -> tuple[tuple[Part, ...], ...]:
        branches: list[tuple[Part, ...]] = []
        parts: list[Part] = []
        while self._at < len(self._pattern):
            character = self._pattern[self._at]
            if character == ")" and self._depth:
                break
            self._at += 1
            if character == "|":
                branches.append(tuple(parts))
                parts = []
            elif character in "*+?{":
                parts.append(self._repeated(_repeatable(parts), *self._times(character)))
            else:
                parts.append(self._part(character))
        return (*branches, tuple(parts))

    def _part(self, character: str) -> Part:
        if character == "(":
            return self._group()
        if character == "[":
            return _one_of(*self._bracket())
        if character == "\\":
            return self._escaped()
        if character == ".":
            return One(lambda _text, _at: True)
        if character in "^$":
            return One(_AT[character], empty=True)
        return self._exactly(character)  # a closing parenthesis without its opening one, too

    def _group(self) -> Either:
        self._groups += 1
        number = self._groups
        self._depth += 1
        if self._depth > _DEEPEST:
            raise PatternError
        branches = self._branches()
        if self._pattern[self._at : self._at + 1] != ")":
            raise PatternError
        self._at += 1
        self._depth -= 1
        self._closed.add(number)
        return Either(branches, number)

    def _repeated(self, part: Part, least: int, most: int | None) -> Repeat:
        if isinstance(part, Repeat):
            kinds = {(part.least, part.most), (least, most)}
            if kinds.issubset(_PLAIN_REPEATS):  # of two sorts they are as good as a star
                return part if len(kinds) == 1 else Repeat(part.part, 0, None)
            self._nested += 1
            if self._nested > _DEEPEST:
                raise PatternError
        return Repeat(part, least, most)

    def _times(self, character: str) -> tuple[int, int | None]:
        if character != "{":
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[character]
        inside, closing, _ = self._pattern[self._at :].partition("}")
        first, comma, last = inside.partition(",")
        if not closing or not all(each.isascii() for each in inside) or len(inside) > len("1,") * 6:
            raise PatternError
        self._at += len(inside) + 1
        if not (first.isdecimal() or (comma and not first)) or not (last.isdecimal() or not last):
            raise PatternError
        least = int(first or 0)
        most = int(last) if last else (None if comma else least)
        if max(least, most or 0) > _MOST_REPEATS or (most is not None and most < least):
            raise PatternError
        return least, most

    def _escaped(self) -> Part:
        character = self._pattern[self._at : self._at + 1]
        if not character:
            raise PatternError
        self._at += 1
        if character in "123456789":
            number = int(character)
            if number not in self._closed:
                raise PatternError
            if number not in self.referred:
                self.referred.append(number)
            return Back(number)
        if character in _AT:
            return (
                One(_AT[character], empty=True)
                if character not in "^$"
                else self._exactly(character)
            )
        if character in "wWsS":
            return _one_of(_WORD if character in "wW" else _SPACE, character in "WS")
        return self._exactly(character)

    def _exactly(self, character: str) -> One:
        """Return the part for *character*; it is one and the same each time."""
        if character not in self._exact:
            self._exact[character] = One(lambda text, at: text[at] == character)
        return self._exact[character]

    def _bracket(self) -> tuple[frozenset[str] | Callable[[str], bool], bool]:
        """Return the characters of the bracket expression that begins here, and if it negates."""
        negated = self._pattern.startswith("^", self._at)
        self._at += negated
        first, tests = self._at, list[tuple[str, str]]()
        characters: set[str] = set()
        while self._at == first or not self._pattern.startswith("]", self._at):
            if self._at > first and self._is_stray_dash():
                raise PatternError
            low = self._element(characters)
            if low is None:
                continue
            rest = self._pattern[self._at : self._at + 2]
            if rest.startswith("-") and rest != "-]":
                self._at += 1
                high = self._element(set())
                if high is None or high < low:
                    raise PatternError
                tests.append((low, high))
            else:
                characters.add(low)
        self._at += 1
        return lambda each: each in characters or any(a <= each <= b for a, b in tests), negated

    def _is_stray_dash(self) -> bool:
        """Tell whether a dash stands here that neither spans a range nor ends the expression."""
        return self._pattern.startswith("-", self._at) and self._pattern[self._at + 1 :][:1] != "]"

    def _element(self, characters: set[str]) -> str | None:
        """Return the character that stands here; None for a class, which is added, of any kind."""
        pattern = self._pattern
        kind = pattern[self._at : self._at + 2]
        if kind not in ("[:", "[.", "[="):
            self._at += 1
            if not kind:
                raise PatternError
            return kind[0]
        name, closing, _ = pattern[self._at + 2 :].partition(f"{kind[1]}]")
        self._at += len(name) + 4
        if kind == "[." and closing and len(name) == 1:
            return name
        if kind == "[=" and closing and len(name) == 1:
            characters.add(name)
            return None
        if kind != "[:" or not closing or name not in _CLASSES:
            raise PatternError
        characters.update(_CLASSES[name])
        return None


def _repeatable(parts: list[Part]) -> Part:
    """Take the part that a repetition is of from the end of *parts*."""
    if not parts or (isinstance(parts[-1], One) and parts[-1].empty):
        raise PatternError
    return parts.pop()


def _one_of(characters: frozenset[str] | Callable[[str], bool], negated: bool) -> One:  # as named
    holds = characters.__contains__ if isinstance(characters, frozenset) else characters
    return One(lambda text, at: holds(text[at]) != negated)


def _is_word(text: str, at: int) -> bool:
    return 0 <= at < len(text) and text[at] in _WORD


_AT: dict[str, Test] = {
    "^": lambda _text, at: at == 0,
    "$": lambda text, at: at == len(text),
    "`": lambda _text, at: at == 0,
    "'": lambda text, at: at == len(text),
    "<": lambda text, at: _is_word(text, at) and not _is_word(text, at - 1),
    ">": lambda text, at: _is_word(text, at - 1) and not _is_word(text, at),
    "b": lambda text, at: _is_word(text, at) != _is_word(text, at - 1),
    "B": lambda text, at: _is_word(text, at) == _is_word(text, at - 1),
}
