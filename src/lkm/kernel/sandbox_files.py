"""The files that the sandbox kernel shows under ``/proc`` and ``/sys``.

Not there: what init functions make, and so far ``sections``, ``notes`` and ``parameters``.
"""

from __future__ import annotations

import errno
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from lkm._text import encode
from lkm.errors import FileError
from lkm.kernel.loaded import COMING, LoadedModule
from lkm.kernel.procfs import modules_text

Folder = dict[str, "Folder | bytes"]


@dataclass(frozen=True, slots=True)
class ShownModule:
    """A loaded module with what only its folder in ``/sys/module`` shows."""

    loaded: LoadedModule
    version: str | None
    srcversion: str | None


def kernel_files(
    *,
    release: str,
    command_line: str,
    tainted: int,
    modules_disabled: bool,
    modules: Sequence[ShownModule],
    builtin_folders: Sequence[str],
) -> Folder:
    """Return the folder that holds ``proc`` and ``sys``."""
    version = f"Linux version {release} (lkm sandbox) #1 SMP\n"
    shown: dict[str, Folder] = {}
    for module in modules:
        shown[module.loaded.name] = _module_folder(module)
    for module in modules:
        # In the kernel these are links to the users' folders.
        holders: Folder = {holder: shown[holder] for holder in module.loaded.holders}
        shown[module.loaded.name]["holders"] = holders
    folders: Folder = {name: {} for name in builtin_folders}
    folders.update(shown)
    settings: Folder = {
        "osrelease": encode(f"{release}\n"),
        "ostype": b"Linux\n",
        "tainted": f"{tainted}\n".encode(),
        "modules_disabled": b"1\n" if modules_disabled else b"0\n",
    }
    return {
        "proc": {
            "cmdline": encode(f"{command_line}\n"),
            "modules": encode(modules_text([module.loaded for module in modules])),
            "sys": {"kernel": settings},
            "version": encode(version),
        },
        "sys": {"module": folders},
    }


def find_entry(files: Folder, path: str) -> Folder | bytes:
    """Return the folder or the file's contents at the absolute *path*.

    Raises ``FileError``: ENOENT, or ENOTDIR for a path that goes on behind a file.
    """
    entry: Folder | bytes = files
    for part in posixpath.normpath(path).strip("/").split("/"):
        if part in {"", "."}:
            continue
        if isinstance(entry, bytes):
            raise FileError("read", path, errno.ENOTDIR)
        if part not in entry:
            raise FileError(
                "read", path, errno.ENOENT, "the sandbox has /proc and /sys/module: list them"
            )
        entry = entry[part]
    return entry


def _module_folder(module: ShownModule) -> Folder:
    loaded = module.loaded
    sign = "+" if loaded.state == COMING else ""
    folder: Folder = {
        "coresize": f"{loaded.size}\n".encode(),
        "initsize": b"0\n",
        "initstate": f"{loaded.state}\n".encode(),
        "refcnt": f"{loaded.refcnt}\n".encode(),
        "taint": f"{loaded.taints}{sign}\n".encode(),
    }
    if module.version is not None:
        folder["version"] = encode(f"{module.version}\n")
    if module.srcversion is not None:
        folder["srcversion"] = encode(f"{module.srcversion}\n")
    return folder
