"""The schemas themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lkm.report.documents.writing import Document


def schemas_document(schemas: Iterable[tuple[str, str, str]]) -> Document:
    """Return (name, title, path) of each schema there is."""
    return {
        "schema": "lkm.schemas/1",
        "schemas": [{"name": name, "title": title, "path": path} for name, title, path in schemas],
    }


def schema_document(name: str, path: str, definition: Mapping[str, object]) -> Document:
    """Return one schema in a document of its own."""
    return {
        "schema": "lkm.schema/1",
        "name": name,
        "path": path,
        "definition": dict(definition),
    }
