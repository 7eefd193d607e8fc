"""What is loaded: lsmod, insmod, rmmod."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lkm.kernel.loaded import LoadedModule
    from lkm.kernel.protocol import Kernel
    from lkm.module.file import ModuleImage
    from lkm.report.documents.writing import Document


def lsmod_document(kernel: Kernel, modules: Iterable[LoadedModule]) -> Document:
    """Return the loaded modules, newest first; size in bytes."""
    return {
        "schema": "lkm.lsmod/1",
        "kernel": kernel.name,
        "release": kernel.release(),
        "modules": [loaded_facts(module) for module in modules],
    }


def loaded_facts(module: LoadedModule) -> dict[str, object]:
    """Return one loaded module; ``refcnt`` is null where the kernel counts none."""
    return {
        "name": module.name,
        "size": module.size,
        "refcnt": module.refcnt,
        "holders": list(module.holders),
        "state": module.state,
        "address": None if module.address is None else f"0x{module.address:016x}",
        "taints": module.taints,
        "permanent": module.permanent,
    }


def insert_document(kernel: Kernel, image: ModuleImage) -> Document:
    """Return what insmod has inserted: the module as it stands in the kernel now."""
    found = kernel.find(image.name)
    return {
        "schema": "lkm.insmod/1",
        "kernel": kernel.name,
        "path": image.path,
        "module": None if found is None else loaded_facts(found),
    }


def remove_document(removed: Sequence[str], kept: Sequence[str]) -> Document:
    """Return the modules that rmmod has removed, and the words whose modules it has not."""
    return {"schema": "lkm.rmmod/1", "removed": list(removed), "not_removed": list(kept)}
