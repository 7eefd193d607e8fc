"""A kernel that was fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lkm.lab.fetch.kernels import FetchedKernel
    from lkm.report.documents.writing import Document


def lab_get_document(kernel: FetchedKernel, architecture: str, busybox: str | None) -> Document:
    """Return the *kernel* that ``lkm lab get`` was asked for, and the busybox for its guests."""
    record = kernel.record
    return {
        "schema": "lkm.lab-get/1",
        "source": record.source if record else None,
        "package": record.package if record else None,
        "version": record.version if record else None,
        "release": kernel.release,
        "architecture": architecture,
        "root": kernel.root,
        "image": kernel.image or None,
        "directory": kernel.directory,
        "bytes": kernel.bytes,
        "already_there": kernel.already_there,
        "busybox": busybox,
    }
