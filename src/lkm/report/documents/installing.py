"""What puts lkm in its place: links, completion, manual pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lkm.report.documents.writing import Document


def links_document(
    directory: str, program: str, links: Iterable[tuple[str, str, str]], *, dry_run: bool
) -> Document:
    """Return what ``lkm install-links`` did, or with *dry_run* would do.

    *links* are name, target and what happened: made, replaced, kept, refused, or left since
    another was refused.
    """
    return {
        "schema": "lkm.links/1",
        "directory": directory,
        "program": program,
        "dry_run": dry_run,
        "links": [
            {"name": name, "target": target, "action": action} for name, target, action in links
        ],
    }


def completion_document(shell: str, script: str) -> Document:
    """Return the completion script for *shell*."""
    return {"schema": "lkm.completion/1", "shell": shell, "script": script}


def pages_document(pages: Iterable[tuple[str, str, str | None, str | None]]) -> Document:
    """Return manual pages: command, file name, path where it was written, and else the source."""
    return {
        "schema": "lkm.man/1",
        "pages": [
            {"name": name, "file": file, "path": path, "source": source}
            for name, file, path, source in pages
        ],
    }
