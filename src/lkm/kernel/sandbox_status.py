"""What kernel the sandbox is, as a value."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from lkm.kernel import kernel_rows
from lkm.loader.options import KernelOptions
from lkm.loader.taint import letters


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the sandbox kernel is.

    *path* is the state file. *root* and *directory* are where its tree lies. *image* is what was
    read of the kernel itself, empty where nothing was; *notes* tell what that, or its not being
    there, left open. *exports* counts the symbols its kernel exports, which come from
    *exports_source* (a path), or, where that is empty, are assumed: what the tree's modules need
    and none exports. *vermagic* is the image's if *vermagic_told*, else the most common of the
    tree's modules, empty where none states one. *options* come from *config_source*; those named
    in *assumed_options* nothing tells, they are as Debian has them. *unreadable* counts the module
    files that could not be read, None where none had to be. *tainted* is the number in
    ``/proc/sys/kernel/tainted``, *taints* its letters.
    """

    path: str
    release: str
    root: str
    directory: str
    command_line: str
    image: str
    notes: tuple[str, ...]
    vermagic: str
    vermagic_told: bool
    exports: int
    exports_source: str
    options: KernelOptions
    assumed_options: tuple[str, ...]
    config_source: str
    modversions: bool
    tree_modules: int
    unreadable: int | None
    tainted: int
    taints: str
    loaded: int

    @property
    def assumed(self) -> bool:
        """Tell whether the kernel's exports are assumed, not read from anywhere."""
        return not self.exports_source


def read_status(connection: sqlite3.Connection, path: str) -> Status:
    """Return the status of the kernel in the state file at *path*, which is open."""
    values = kernel_rows.read_values(connection)
    tainted = int(values["tainted"])
    return Status(
        path=path,
        release=values["release"],
        root=values["root"],
        directory=values["directory"],
        command_line=values["command_line"],
        image=values["image"],
        notes=tuple(values["notes"].splitlines()),
        vermagic=values["vermagic"],
        vermagic_told=values["vermagic_told"] == "1",
        exports=kernel_rows.count(connection, "symbol"),
        exports_source=values["exports_source"],
        options=kernel_rows.read_options(values),
        assumed_options=tuple(values["assumed_options"].split()),
        config_source=values["config_source"],
        modversions=values["modversions"] == "1",
        tree_modules=int(values["tree_modules"]),
        unreadable=int(values["unreadable"]) if values["unreadable"] else None,
        tainted=tainted,
        taints=letters(tainted),
        loaded=kernel_rows.count(connection, "module"),
    )
