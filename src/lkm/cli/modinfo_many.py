"""What modinfo tells of many module files: read ahead of their turn, of thousands by all cores.

Only what is ordinary is told here: a word that is a file, or the plain name of one in the index,
which can be read, and in which nothing is to be complained of. Of all else nothing is known here,
and it is told one by one in its turn, so that messages and exit status are made in one place.
"""

from __future__ import annotations

import os

from lkm._fork import cores, in_turn
from lkm.cli.modinfo_facts import described, described_shown, field_values, must_be_a_module
from lkm.errors import FormatError, LkmError
from lkm.module.modinfo import nameless_parameters
from lkm.module.quick_modinfo import QuickReader
from lkm.names import ALIAS_BYTES, is_module_file, module_name
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


def files_ahead(words: Sequence[str], directory: str, *, by_name_only: bool) -> list[str]:
    """Return the file that each word means; "" for one whose meaning is more of a question.

    That is a module file itself, or the name of a module in the index of the tree at *directory*,
    about which nothing is said: where there is no such index, no name means a file.
    """
    files = ["" if by_name_only or not is_module_file(word) else word for word in words]
    asked = [at for at, file in enumerate(files) if not file]
    if not asked or not directory:
        return files
    from lkm.tree.catalog import DEP, Catalog  # where all are files there is no tree
    from lkm.tree.trie.index import TrieIndex

    tree = Catalog(directory, {})  # which is asked for places only
    try:
        index = TrieIndex.open(f"{directory}/{DEP}.bin")
    except LkmError:
        return files
    try:
        for at in asked:
            name = _plain_name(words[at], by_name_only=by_name_only)
            lines = index.find(name) if name else ()
            if lines:
                files[at] = tree.file(lines[0].partition(":")[0])
    except FormatError:
        pass  # it is told of in the turn of the first word that it is needed for
    finally:
        index.close()
    return files


def _plain_name(word: str, *, by_name_only: bool) -> str:
    """Return the module name that *word* is looked up by; "" if it may be anything else."""
    if not by_name_only and ("." in word or "[" in word or "]" in word or len(word) > ALIAS_BYTES):
        return ""
    return "" if ":" in word else module_name(word)


def told_ahead(
    files: Sequence[str], field: str | None, end: str, *, json: bool
) -> Iterator[str | dict[str, object] | None]:
    """Yield of each file what is printed of it, with *json* its entry; None if not ordinary."""
    ordinary = _Ordinary(files, field, end, json=json)
    sizes = [_work(file) for file in files]
    count = cores() - 1 if sum(sizes) >= _WORTH_A_PROCESS else 0
    window = _WINDOW if field is None else _FIELD_WINDOW
    if _COMPRESSED in sizes:
        window = _COMPRESSED_WINDOW
        sizes = [_size(file) for file in files]
    return in_turn(ordinary.told, sizes, window=window, count=count)


def _work(file: str) -> int:
    if not file:
        return 0  # it is told of in its turn, by this process
    return 1 if file.endswith(".ko") else _COMPRESSED


class _Ordinary:
    """Tells of those *files* that are ordinary."""

    def __init__(self, files: Sequence[str], field: str | None, end: str, *, json: bool) -> None:
        self._files = files
        self._field = field
        self._end = end
        self._json = json
        self._reader = QuickReader(whole=field is None or field in text.SIGNATURE_KEYS)

    def told(self, numbers: list[int]) -> list[str | dict[str, object] | None]:
        return [self._told(self._files[number]) for number in numbers]

    def _told(self, file: str) -> str | dict[str, object] | None:
        if not file:
            return None
        try:
            path = file if file.startswith("/") else f"{os.getcwd()}/{file}"
            shown = self._reader.facts(path)
            if self._json:
                if shown is None:
                    return described(path, self._field)
                return described_shown(shown, path, self._field)
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


def _size(file: str) -> int:
    try:
        return os.stat(file).st_size if file else 0
    except OSError:
        return 0
