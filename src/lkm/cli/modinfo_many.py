"""What modinfo tells of many module files: read ahead of their turn, of thousands by all cores.

Only what is ordinary is told here: a word that is a file, which can be read, and in which nothing
is to be complained of. Of all else nothing is known here, and it is told one by one in its turn,
so that messages and exit status are made in one place.
"""

from __future__ import annotations

import os

from lkm._fork import cores, in_turn
from lkm.cli.modinfo_facts import described, field_values, must_be_a_module
from lkm.errors import LkmError
from lkm.module.modinfo import nameless_parameters
from lkm.module.quick_modinfo import QuickReader
from lkm.names import is_module_file
from lkm.report import text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lkm.module.quick_modinfo import ShownFacts

# How many files are ahead of their turn. What is told of half of them has room in a pipe, so that
# the other process goes on; compressed ones take long, and each its own time.
_WINDOW, _FIELD_WINDOW, _COMPRESSED_WINDOW = 48, 192, 256

# To unpack one file takes as long as to read so many that are not compressed.
_COMPRESSED = 50
_WORTH_A_PROCESS = 200


def told_ahead(
    words: Sequence[str], field: str | None, end: str, *, json: bool
) -> Iterator[str | dict[str, object] | None]:
    """Yield of each word what is printed of it, with *json* its entry; None if not ordinary."""
    ordinary = _Ordinary(words, field, end, json=json)
    sizes = [1 if word.endswith(".ko") else _COMPRESSED for word in words]
    count = cores() - 1 if sum(sizes) >= _WORTH_A_PROCESS else 0
    window = _WINDOW if field is None else _FIELD_WINDOW
    if _COMPRESSED in sizes:
        window = _COMPRESSED_WINDOW
        sizes = [_size(word) for word in words]
    return in_turn(ordinary.told, sizes, window=window, count=count)


class _Ordinary:
    """Tells of the *words* that are ordinary module files."""

    def __init__(self, words: Sequence[str], field: str | None, end: str, *, json: bool) -> None:
        self._words = words
        self._field = field
        self._end = end
        self._json = json
        self._reader = QuickReader(whole=field is None or field in text.SIGNATURE_KEYS)

    def told(self, numbers: list[int]) -> list[str | dict[str, object] | None]:
        return [self._told(self._words[number]) for number in numbers]

    def _told(self, word: str) -> str | dict[str, object] | None:
        if not is_module_file(word):
            return None
        try:
            path = word if word.startswith("/") else f"{os.getcwd()}/{word}"
            if self._json:
                return described(path, self._field)
            shown = self._reader.facts(path)
            if shown is not None:
                return self._text(shown, path)
            from lkm.module.facts import Module  # most files are read without it

            with Module.open(path) as module:
                must_be_a_module(module)
                return self._text(self._reader.facts_of(module), path)
        except (LkmError, OSError):
            return None

    def _text(self, shown: ShownFacts, path: str) -> str | None:
        field, end = self._field, self._end
        if field in (None, "parm") and nameless_parameters(shown.modinfo):
            return None  # which is complained of
        if field is None:
            return text.modinfo_text(shown, path, end=end)
        return "".join([value + end for value in field_values(shown, field)])


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
