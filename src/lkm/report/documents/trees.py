"""Installed kernels, their indexes, and what is found in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lkm.report.documents.writing import error_facts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lkm.diagnose.find import Hit
    from lkm.errors import LkmError
    from lkm.report.documents.writing import Document
    from lkm.tree.depmod import Indexes
    from lkm.tree.installed import InstalledKernel


def kernels_document(root: str, running: str, kernels: Iterable[InstalledKernel]) -> Document:
    """Return the kernels installed under *root*."""
    return {
        "schema": "lkm.kernels/1",
        "root": root,
        "running": running,
        "kernels": [
            {
                "release": kernel.release,
                "running": kernel.release == running,
                "directory": kernel.directory or None,
                "modules": kernel.module_count,
                "indexes": kernel.indexes or None,
                "image": kernel.image or None,
                "config": kernel.config or None,
            }
            for kernel in kernels
        ],
    }


def find_document(release: str, hits: Iterable[Hit], problems: Iterable[LkmError]) -> Document:
    """Return the modules found and what matched in each."""
    return {
        "schema": "lkm.find/1",
        "release": release,
        "modules": [
            {
                "name": hit.name,
                "path": hit.path,
                "file": hit.file or None,
                "builtin": hit.builtin,
                "matches": [{"criterion": kind, "text": text} for kind, text in hit.matches],
            }
            for hit in hits
        ],
        "problems": [error_facts(problem) for problem in problems],
    }


def depmod_document(directory: str, indexes: Indexes) -> Document:
    """Return what depmod indexed and what it found wrong; sizes in bytes."""
    return {
        "schema": "lkm.depmod/1",
        "directory": directory,
        "up_to_date": False,
        "modules": indexes.files["modules.dep"].count(b"\n"),
        "files": [{"name": name, "bytes": len(data)} for name, data in indexes.files.items()],
        "problems": [
            {"level": problem.level, "text": problem.text} for problem in indexes.problems
        ],
    }


def up_to_date_document(directory: str) -> Document:
    """Return what ``depmod -A`` says where there was nothing to do."""
    return {
        "schema": "lkm.depmod/1",
        "directory": directory,
        "up_to_date": True,
        "modules": None,
        "files": [],
        "problems": [],
    }
