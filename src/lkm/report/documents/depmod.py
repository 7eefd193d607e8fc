"""What depmod has indexed, and what it has found wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lkm._text import decode
from lkm.tree.trie.index import TrieIndex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lkm.report.documents.writing import Document
    from lkm.tree.depmod.indexes import Indexes
    from lkm.tree.problem import Problem
    from lkm.tree.scan.search import Duplicate

_COUNTED = {
    "modules": "modules.dep",
    "aliases": "modules.alias",
    "softdeps": "modules.softdep",
    "weakdeps": "modules.weakdep",
    "symbols": "modules.symbols",
    "builtins": "modules.builtin.bin",
    "builtin_aliases": "modules.builtin.alias.bin",
    "device_nodes": "modules.devname",
}


def depmod_document(
    directory: str, indexes: Indexes, *, written_to: str | None, texts: bool, uses: bool
) -> Document:
    """Return what depmod indexed and what it found wrong; sizes in bytes.

    *written_to* is the folder that has the files now, None where they were only to be shown. With
    *texts* each text file's contents are there, as ``depmod -n`` prints them, with *uses* who needs
    whom, as ``depmod -v`` does.
    """
    cycle = indexes.cycle
    return {
        "schema": "lkm.depmod/1",
        "directory": directory,
        "up_to_date": False,
        "written_to": written_to,
        "counts": {what: _count(indexes.files, name) for what, name in _COUNTED.items()},
        "files": [
            {
                "name": name,
                "bytes": len(data),
                "text": decode(data) if texts and not name.endswith(".bin") else None,
            }
            for name, data in indexes.files.items()
        ],
        "problems": [problem_facts(problem) for problem in indexes.problems],
        "duplicates": [_duplicate(duplicate) for duplicate in indexes.duplicates],
        "cycles": [] if cycle is None else [list(names) for names in cycle.cycles],
        "uses": [
            {"user": user.path, "symbol": symbol, "owner": owner.path}
            for user, symbol, owner in indexes.uses()
        ]
        if uses
        else None,
    }


def up_to_date_document(directory: str, *, looked: bool) -> Document:
    """Return what ``depmod -A`` says where there was nothing to do, or to tell of it.

    With ``-n`` it has not *looked*.
    """
    return {
        "schema": "lkm.depmod/1",
        "directory": directory,
        "up_to_date": True if looked else None,
        "written_to": None,
        "counts": None,
        "files": [],
        "problems": [],
        "duplicates": [],
        "cycles": [],
        "uses": None,
    }


def problem_facts(problem: Problem) -> dict[str, object]:
    """Return a problem by its fields; what has no file of its own, or index, has null there."""
    return {
        "level": problem.level,
        "kind": problem.kind,
        "text": problem.text,
        "path": problem.path or None,
        "modules": list(problem.modules),
        "index": problem.index or None,
        "symbol": problem.symbol or None,
        "needed_crc": None if problem.crcs is None else f"0x{problem.crcs[0]:08x}",
        "offered_crc": None if problem.crcs is None else f"0x{problem.crcs[1]:08x}",
    }


def _duplicate(duplicate: Duplicate) -> dict[str, object]:
    return {
        "module": duplicate.module,
        "chosen": duplicate.chosen,
        "other": duplicate.other,
        "because": duplicate.because,
        "rule": duplicate.rule or None,
    }


def _count(files: Mapping[str, bytes], name: str) -> int:
    """Return how many entries an index has."""
    data = files.get(name, b"")
    if not name.endswith(".bin"):
        return sum(line[:1] not in (b"", b"#") for line in data.split(b"\n"))
    return sum(1 for _ in TrieIndex.from_bytes(data).items()) if data else 0
