"""The schemas of the JSON documents, as files: ``lkm.THING/N`` is ``THING.N.json`` here.

They are JSON Schema (2020-12), each whole in itself.
"""

from __future__ import annotations

import os

from lkm._text import quoted
from lkm.errors import UsageError

_PREFIX = "lkm."
_SUFFIX = ".json"
_FOLDER = os.path.dirname(__file__)


def names() -> tuple[str, ...]:
    """Return the name of every schema, as documents have it in ``schema``, sorted."""
    stems = [name.removesuffix(_SUFFIX) for name in os.listdir(_FOLDER) if name.endswith(_SUFFIX)]
    return tuple(sorted(f"{_PREFIX}{'/'.join(stem.rsplit('.', 1))}" for stem in stems))


def path(name: str) -> str:
    """Return the file of the schema *name*: ``lkm.lsmod/1``, ``lsmod/1``, or ``lsmod``, the newest.

    Raises ``UsageError`` where there is none of that name.
    """
    thing, _, version = name.removeprefix(_PREFIX).partition("/")
    versions = {
        int(number): found
        for found in names()
        for known, _, number in [found.removeprefix(_PREFIX).partition("/")]
        if known == thing and version in ("", number)
    }
    if not versions:
        error = UsageError(f"no schema {quoted(name)}")
        error.remedy = "lkm schema lists them"
        raise error
    return f"{_FOLDER}/{thing}.{max(versions)}{_SUFFIX}"


def text(name: str) -> str:
    """Return the schema *name* as its file has it. Raises ``UsageError`` as ``path``."""
    with open(path(name), encoding="utf-8") as file:
        return file.read()
