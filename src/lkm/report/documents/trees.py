"""Installed kernels, their indexes, and what is found in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lkm.report.documents.writing import error_facts
from lkm.report.static_nodes import DEVICE_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lkm.diagnose.find import Hit
    from lkm.errors import LkmError
    from lkm.report.documents.writing import Document
    from lkm.tree.installed import InstalledKernel
    from lkm.tree.tables import DeviceNode


def kernels_document(
    root: str, running: str, kernels: Iterable[tuple[str, InstalledKernel]]
) -> Document:
    """Return the *kernels*, each with its own root, of which *root* is the one asked about."""
    return {
        "schema": "lkm.kernels/1",
        "root": root,
        "running": running,
        "kernels": [
            {
                "release": kernel.release,
                "running": kernel.release == running and place == root,
                "root": place,
                "directory": kernel.directory or None,
                "modules": kernel.module_count,
                "indexes": kernel.indexes or None,
                "image": kernel.image or None,
                "config": kernel.config or None,
            }
            for place, kernel in kernels
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


def static_nodes_document(
    path: str, nodes: Iterable[DeviceNode], malformed: Iterable[str]
) -> Document:
    """Return the device nodes in the modules.devname at *path*, and the lines that name none."""
    return {
        "schema": "lkm.static-nodes/1",
        "path": path,
        "nodes": [
            {
                "module": module,
                "device": f"/dev/{device}",
                "type": DEVICE_TYPES[kind],
                "major": major,
                "minor": minor,
            }
            for module, device, kind, major, minor in nodes
        ],
        "malformed": list(malformed),
    }
