"""What is loaded: lsmod, insmod, rmmod."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lkm._text import decode
from lkm.kernel.sysfs import builtin_folders, loaded_folders
from lkm.loader.taint import letters

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from lkm.kernel.loaded import LoadedModule
    from lkm.kernel.protocol import Kernel
    from lkm.kernel.sysfs import SysFolder, SysModule
    from lkm.module.file import ModuleImage
    from lkm.names import ModuleName
    from lkm.report.documents.writing import Document


def lsmod_document(
    kernel: Kernel, modules: Iterable[LoadedModule], folders: SysFolder | None
) -> Document:
    """Return the loaded modules, newest first, and all that ``/sys/module`` shows; sizes in bytes.

    *modules* and *folders* are a ``snapshot`` of *kernel*.
    """
    listed = list(modules)
    shown = None if folders is None else loaded_folders(folders, [each.name for each in listed])
    rows = [
        {**loaded_facts(module), **_sys_facts(None if shown is None else shown[module.name])}
        for module in listed
        if shown is None or module.name in shown
    ]
    return _lsmod(kernel, rows, folders, [each.name for each in listed])


def unlisted_document(kernel: Kernel, *, supported: bool) -> Document | None:
    """Return what ``/sys/module`` shows where the loaded modules cannot be listed; None without it.

    They are none where modules are not *supported*, and otherwise not known.
    """
    folders = kernel.sys_module()
    return None if folders is None else _lsmod(kernel, None if supported else [], folders, ())


def _lsmod(
    kernel: Kernel,
    rows: Sequence[Document] | None,
    folders: SysFolder | None,
    loaded: Collection[str],
) -> Document:
    compression = None if folders is None else folders.get("compression")
    tainted = kernel.tainted()
    return {
        "schema": "lkm.lsmod/1",
        "kernel": kernel.name,
        "release": kernel.release(),
        "tainted": tainted,
        "taints": None if tainted is None else letters(tainted),
        "compression": decode(compression).strip() if isinstance(compression, bytes) else None,
        "modules": rows,
        "builtin": [
            {"name": each.name, **_common_facts(each)}
            for each in builtin_folders(folders or {}, loaded)
        ],
    }


def _sys_facts(module: SysModule | None) -> dict[str, object]:
    """Return what the folder of a loaded module shows; null and empty where there is no sysfs."""
    sections = None if module is None else module.sections
    return {
        "initsize": None if module is None else module.initsize,
        "sections": None
        if sections is None
        else {name: _address(address) for name, address in sections.items()},
        "notes": {}
        if module is None
        else {name: None if data is None else data.hex() for name, data in module.notes.items()},
        **_common_facts(module),
    }


def _common_facts(module: SysModule | None) -> dict[str, object]:
    if module is None:
        return {
            "version": None,
            "srcversion": None,
            "parameters": {},
            "drivers": [],
            "attributes": {},
            "folders": {},
            "links": {},
            "unreadable": {},
        }
    return {
        "version": module.version,
        "srcversion": module.srcversion,
        "parameters": dict(module.parameters),
        "drivers": list(module.drivers),
        "attributes": dict(module.attributes),
        "folders": dict(module.folders),
        "links": dict(module.links),
        "unreadable": {path: os.strerror(number) for path, number in module.unreadable.items()},
    }


def _address(address: int | None) -> str | None:
    return None if address is None else f"0x{address:016x}"


def loaded_facts(module: LoadedModule) -> dict[str, object]:
    """Return one loaded module; ``refcnt`` is null where the kernel counts none."""
    return {
        "name": module.name,
        "size": module.size,
        "refcnt": module.refcnt,
        "holders": list(module.holders),
        "state": module.state,
        "address": _address(module.address),
        "taints": module.taints,
        "permanent": module.permanent,
    }


def insert_document(kernel: Kernel, image: ModuleImage, name: ModuleName) -> Document:
    """Return what insmod has inserted: the module *name* as it stands in the kernel now."""
    found = kernel.find(name)
    return {
        "schema": "lkm.insmod/1",
        "kernel": kernel.name,
        "path": image.path,
        "module": None if found is None else loaded_facts(found),
    }


def remove_document(removed: Sequence[str], kept: Sequence[str]) -> Document:
    """Return the modules that rmmod has removed, and the words whose modules it has not."""
    return {"schema": "lkm.rmmod/1", "removed": list(removed), "not_removed": list(kept)}
