"""Write a document, and the one for an error."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING

from lkm.errors import CannotTellError, CycleError, FileError, FormatError, KernelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

    from lkm.errors import LkmError

    Document = Mapping[str, object]

_PIECES = 4096  # of a document, written at once


def write_whole(
    document: Document | None,
    cause: LkmError | None,
    messages: Sequence[tuple[str, str]],
    out: TextIO,
) -> None:
    """Write the one document of a command, what it said on stderr in it, and a newline behind it.

    Without a *document* there was no result: then it is the one of an error, of which *cause* is
    the reason, where a single one is known.
    """
    whole = dict(error_document(cause) if document is None else document)
    whole["messages"] = [{"level": level, "text": text} for level, text in messages]
    pieces = json.JSONEncoder(indent=2).iterencode(whole)
    # Of thousands of modules they are a million, and each write takes longer than the piece.
    while text := "".join(islice(pieces, _PIECES)):
        out.write(text)
    out.write("\n")


def error_document(error: LkmError | None) -> Document:
    """Return the document that ``--json`` prints where there is no result."""
    return {"schema": "lkm.error/1", "error": None if error is None else error_facts(error)}


def error_facts(error: LkmError) -> dict[str, object]:
    """Return an error as every document holds it."""
    facts: dict[str, object] = {
        "kind": type(error).__name__,
        "message": str(error),
        "remedy": error.remedy,
    }
    if isinstance(error, (FileError, KernelError)):
        facts["errno"] = error.errno
    if isinstance(error, (KernelError, CannotTellError)):
        facts |= _told_by_the_loader(error)
    if isinstance(error, CycleError):
        facts["cycles"] = [list(names) for names in error.cycles]
    if isinstance(error, FormatError):
        facts["path"] = error.path
        facts["offset"] = error.offset
    return facts


def _told_by_the_loader(error: KernelError | CannotTellError) -> dict[str, object]:
    """Return what a kernel, or its engine, tells of its answer, and why that is so."""
    from lkm.loader.check_ids import RESTS_ON  # few errors come from there

    answered = error if isinstance(error, KernelError) else None
    return {
        "errno": None if answered is None else answered.errno,
        "log": [] if answered is None else list(answered.log),
        "check": error.check or None,
        "evidence": error.evidence or None,
        "rests_on": list(RESTS_ON.get(error.check, ())),
        "could_not_tell": answered is None,
    }
