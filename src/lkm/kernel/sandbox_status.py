"""What kernel the sandbox is, as a value."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from lkm.kernel import kernel_rows
from lkm.kernel.store import as_text
from lkm.loader.boot_options import BootOptions, boot_options
from lkm.loader.options import KernelOptions
from lkm.loader.taint import letters
from lkm.vmlinux.certificates import Certificate


@dataclass(frozen=True, slots=True)
class Doubt:
    """What could not be told when a module that is loaded was inserted: the check, and why."""

    module: str
    check: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the sandbox kernel is.

    *path* is the state file. *root* and *directory* are where its tree lies. *image* is what was
    read of the kernel itself, empty where nothing was; *notes* tell what that, or its not being
    there, left open. *exports* counts the symbols its kernel exports, which come from
    *exports_source* (a path), or, where that is empty, are assumed: what the tree's modules need
    and none exports. *vermagic* is the image's if *vermagic_told*, else the most common of the
    tree's modules, empty where none states one. *options* come from *config_source*; those named
    in *assumed_options* nothing tells, they are as Debian has them. *certificates* are those
    that it trusts from the start, None where they are not known, *enrolled* those that it was told
    to trust. *modules_disabled*, *signatures_enforced* and *locked_down* say why that is in force,
    and are empty where it is not. *unreadable* counts the module
    files that could not be read, None where none had to be. *tainted* is the number in
    ``/proc/sys/kernel/tainted``, *taints* its letters. *doubts* are of the modules that are loaded,
    oldest first: a real kernel may have refused them.
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
    certificates: tuple[Certificate, ...] | None
    enrolled: tuple[Certificate, ...]
    modules_disabled: str
    signatures_enforced: str
    locked_down: str
    tree_modules: int
    unreadable: int | None
    tainted: int
    taints: str
    loaded: int
    doubts: tuple[Doubt, ...]

    @property
    def assumed(self) -> bool:
        """Tell whether the kernel's exports are assumed, not read from anywhere."""
        return not self.exports_source


def read_status(connection: sqlite3.Connection, path: str) -> Status:
    """Return the status of the kernel in the state file at *path*, which is open."""
    values = kernel_rows.read_values(connection)
    tainted = int(values["tainted"])
    options = kernel_rows.read_options(values)
    boot = boot_options(values["command_line"])
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
        options=options,
        assumed_options=tuple(values["assumed_options"].split()),
        config_source=values["config_source"],
        modversions=values["modversions"] == "1",
        certificates=(
            kernel_rows.read_certificates(connection)
            if values["certificates_told"] == "1"
            else None
        ),
        enrolled=kernel_rows.read_certificates(connection, enrolled=True),
        modules_disabled=_disabled(boot, values),
        signatures_enforced=_enforced(boot, options),
        locked_down=_locked_down(boot, options),
        tree_modules=int(values["tree_modules"]),
        unreadable=int(values["unreadable"]) if values["unreadable"] else None,
        tainted=tainted,
        taints=letters(tainted),
        loaded=kernel_rows.count(connection, "module"),
        doubts=_doubts(connection),
    )


def _disabled(boot: BootOptions, values: Mapping[str, str]) -> str:
    if boot.modules_disabled:
        return "nomodule is on its command line"
    return "kernel.modules_disabled is 1" if values["modules_disabled"] == "1" else ""


def _enforced(boot: BootOptions, options: KernelOptions) -> str:
    if not options.module_sig:
        return ""
    if options.module_sig_force:
        return "it was built so (CONFIG_MODULE_SIG_FORCE)"
    return "module.sig_enforce is on its command line" if boot.signatures_enforced else ""


def _locked_down(boot: BootOptions, options: KernelOptions) -> str:
    if options.locks_down:
        return "from the start, as it was built (CONFIG_LOCK_DOWN_KERNEL_FORCE_*)"
    if options.security_lockdown_lsm and boot.locked_down:
        return "lockdown= is on its command line"
    return ""


def _doubts(connection: sqlite3.Connection) -> tuple[Doubt, ...]:
    found = connection.execute(
        "SELECT name, kind, evidence FROM doubt JOIN module ON module.number = doubt.module "
        "ORDER BY module.number, doubt.rowid"
    )
    return tuple([Doubt(as_text(name), str(kind), as_text(why)) for name, kind, why in found])
