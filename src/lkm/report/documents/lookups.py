"""From a word to modules, and by what each was found: ``modprobe -R``, and words in plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lkm.errors import BadNameError
from lkm.names import alias_name
from lkm.report.documents.writing import error_facts
from lkm.tree.trie.fnmatch import fnmatch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lkm.config.directives import Source
    from lkm.errors import LkmError
    from lkm.report.documents.writing import Document
    from lkm.resolve.lookup import Found
    from lkm.tree.catalog import Catalog, Item


def lookup_document(
    found: Mapping[str, Sequence[Found]], failed: Mapping[str, LkmError], catalog: Catalog
) -> Document:
    """Return ``modprobe -R``: for each word the modules that it stands for, in look-up order.

    Of a module that an index led to, ``patterns`` are the index's keys that match the word. A word
    that stands for none has the error in *failed*.
    """
    indexes = _Indexes(catalog)
    return {
        "schema": "lkm.lookup/1",
        "directory": catalog.directory,
        "words": [
            {
                "word": word,
                "modules": [
                    {
                        "name": each.name,
                        "found_by": each.via,
                        "patterns": indexes.patterns(word, each),
                        "source": source_facts(each.source),
                    }
                    for each in modules
                ],
                "error": error_facts(failed[word]) if word in failed else None,
            }
            for word, modules in found.items()
        ],
    }


def source_facts(source: Source | None) -> dict[str, object] | None:
    """Return the place in the configuration that something was read at."""
    return None if source is None else {"path": source.path, "line": source.line}


class _Indexes:
    """The indexes that lead from a word to modules, each read whole when first asked for."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._rows: dict[str, tuple[tuple[str, str, str], ...]] = {}

    def patterns(self, word: str, found: Found) -> list[str]:
        """Return the patterns by which *word* led to the module."""
        if found.via == "alias directive":
            return [found.alias]
        try:
            word = alias_name(word)
        except BadNameError:
            return []
        return [
            key
            for start, key, module in self._index(found.via)
            if module == found.name and word.startswith(start) and fnmatch(word, key)
        ]

    def _index(self, via: str) -> tuple[tuple[str, str, str], ...]:
        """Return (what a word must begin with, pattern, module) of each entry."""
        if via not in self._rows:
            items = self._named(via)
            self._rows[via] = tuple([(_literal(key), key, value) for key, value, _ in items])
        return self._rows[via]

    def _named(self, via: str) -> tuple[Item, ...]:
        if via == "modules.alias":
            return self._catalog.all_aliases()
        if via == "symbol":
            return self._catalog.all_symbols()
        return self._catalog.all_builtin_aliases() if via == "builtin alias" else ()


def _literal(pattern: str) -> str:
    """Return *pattern* as far as its first special character."""
    for place, character in enumerate(pattern):
        if character in "*?[\\":
            return pattern[:place]
    return pattern
