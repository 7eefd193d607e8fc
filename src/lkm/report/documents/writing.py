"""Write a document, and the one for an error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lkm.errors import FileError, FormatError, KernelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

    from lkm.errors import LkmError

    Document = Mapping[str, object]


def write(document: Document, out: TextIO) -> None:
    """Write one document, indented, with a newline behind it."""
    json.dump(document, out, indent=2)
    out.write("\n")


def error_document(error: LkmError) -> Document:
    """Return the document that ``--json`` prints where there is no result."""
    return {"schema": "lkm.error/1", "error": error_facts(error)}


def error_facts(error: LkmError) -> dict[str, object]:
    """Return an error as every document holds it."""
    facts: dict[str, object] = {
        "kind": type(error).__name__,
        "message": str(error),
        "remedy": error.remedy,
    }
    if isinstance(error, (FileError, KernelError)):
        facts["errno"] = error.errno
    if isinstance(error, KernelError):
        facts["log"] = list(error.log)
    if isinstance(error, FormatError):
        facts["path"] = error.path
        facts["offset"] = error.offset
    return facts
