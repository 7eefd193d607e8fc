"""What the sandbox's kernel shows of itself, put together from its rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace

from lkm.kernel import kernel_rows, rows
from lkm.kernel.loaded import LoadedModule, replaced
from lkm.kernel.sandbox_facts import kernel_facts
from lkm.kernel.sandbox_files import (
    KPTR_NOBODY,
    Folder,
    ShownKernel,
    ShownModule,
    find_entry,
    kernel_files,
    plain_folders,
)
from lkm.kernel.sysfs import SysFolder


def shown_modules(
    connection: sqlite3.Connection, *, capable: bool = True
) -> tuple[ShownModule, ...]:
    """Return the loaded modules, newest first, as root is shown them, or who is not *capable*."""
    values = kernel_rows.read_values(connection)
    counted = kernel_rows.read_options(values).module_unload
    found = rows.read_modules(connection, counted=counted)
    return tuple([_hidden(module) for module in found]) if _hides(values, capable) else found


def loaded_modules(
    connection: sqlite3.Connection, *, capable: bool = True
) -> tuple[LoadedModule, ...]:
    """Return the same, without what only their folders show."""
    return tuple([shown.loaded for shown in shown_modules(connection, capable=capable)])


def sys_module(connection: sqlite3.Connection, *, capable: bool = True) -> SysFolder | None:
    """Return the folder ``/sys/module``."""
    folder = entry(connection, "/sys/module", capable=capable)
    return plain_folders(folder) if isinstance(folder, dict) else None


def entry(connection: sqlite3.Connection, path: str, *, capable: bool = True) -> Folder | bytes:
    """Return what *path* holds. Raises ``FileError``."""
    return find_entry(shown_files(connection, capable=capable), path)


def shown_files(connection: sqlite3.Connection, *, capable: bool = True) -> Folder:
    """Return the folder that holds all that the kernel shows."""
    values = kernel_rows.read_values(connection)
    kernel = kernel_facts(connection)
    return kernel_files(
        ShownKernel(
            release=values["release"],
            banner=values["banner"],
            command_line=values["command_line"],
            tainted=int(kernel.tainted),
            modules_disabled=kernel.modules_disabled,
            kptr_restrict=int(values["kptr_restrict"]),
            hides_addresses=_hides(values, capable),
            options=kernel.options,
            modules=shown_modules(connection, capable=capable),
            files=rows.read_files(connection),
            builtin_folders=sorted(kernel.sysfs_names),
            kallsyms=lambda: kernel_rows.own_kallsyms(connection) + rows.read_kallsyms(connection),
        )
    )


def _hides(values: Mapping[str, str], capable: bool) -> bool:  # of the one who asks
    """Tell whether the kernel shows zeros for addresses, as it does to all but root anyway.

    With kptr_restrict 0 it goes by perf_event_paranoid, which distributions have above 1.
    """
    return not capable or int(values["kptr_restrict"]) >= KPTR_NOBODY


def _hidden(module: ShownModule) -> ShownModule:
    return replace(module, loaded=replaced(module.loaded, hidden=True))
