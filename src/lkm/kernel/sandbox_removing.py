"""Unloading modules of the sandbox, and what keeps them: references, an exit that does not return.

Source: kernel/module/main.c, delete_module, try_stop_module and try_force_unload.
"""

from __future__ import annotations

import errno
import sqlite3

from lkm._text import encode
from lkm.errors import NoUnloadingError, UsageError
from lkm.kernel import kernel_rows, rows
from lkm.kernel.loaded import COMING, GOING, LIVE
from lkm.kernel.protocol import FORCE
from lkm.kernel.refusals import refusal
from lkm.kernel.sandbox_facts import kernel_facts
from lkm.kernel.sandbox_files import ShownModule
from lkm.loader.boot_options import boot_options
from lkm.loader.facts import KernelFacts
from lkm.loader.findings import LogLine
from lkm.loader.init.checks import positive_line
from lkm.loader.taint import Taint, ends_lock_debugging
from lkm.names import ModuleName

_NAME_BYTES = 56  # MODULE_NAME_LEN on 64 bit
_LOWEST = -4095


def remove(
    connection: sqlite3.Connection,
    name: ModuleName,
    *,
    flags: int,
    exit_hangs: bool,
    capable: bool,
) -> None:
    """Remove the module *name*; where its exit hangs it stays, going. Raises as Kernel.

    Raises ``UsageError`` where it has no exit function.
    """
    kernel = kernel_facts(connection)
    if not kernel.options.modules:
        raise refusal("remove", name, errno.ENOSYS)
    if not kernel.options.module_unload:
        raise NoUnloadingError("remove", name, errno.ENOSYS)
    if not capable:
        raise refusal("remove", name, errno.EPERM, remedy="the sandbox is asked without capability")
    if kernel.modules_disabled:
        raise refusal("remove", name, errno.EPERM, remedy=_why_disabled(connection))
    module = _removable(connection, name)
    forced = bool(flags & FORCE) and kernel.options.module_force_unload
    _ask_force(module, forced=forced)
    if module.loaded.permanent or module.held:
        _taint(connection, kernel)
    if not exit_hangs:
        rows.delete_module(connection, name)
    elif module.exits:
        rows.make_going(connection, module.number)
    else:
        raise UsageError(f"{name} has no exit function that could keep it from ending")


def finish(connection: sqlite3.Connection, name: ModuleName, returned: int) -> None:
    """Let the init of a module that is coming return, or the exit of one that is going end.

    Raises a ``KernelError`` where it is not there or nothing waits, and ``UsageError`` for a
    *returned* that cannot be.
    """
    module = _known(connection, name, "finish")
    state = module.loaded.state
    if state == LIVE:
        remedy = "it is live: neither its init nor its exit waits"
        raise refusal("finish", name, errno.EINVAL, remedy=remedy)
    if state == GOING:
        if returned:
            raise UsageError(f"{name} is going, and an exit function returns nothing")
        rows.delete_module(connection, name)
        return
    if returned < _LOWEST:
        raise UsageError(f"init cannot return {returned}: errnos end at {_LOWEST}")
    if returned < 0:
        rows.delete_module(connection, name)
        return
    rows.make_live(connection, module.number)
    if returned:
        kernel_rows.write_log(connection, [positive_line(name, returned)])


def hold(connection: sqlite3.Connection, name: ModuleName) -> None:
    """Take a reference that no module stands for. Raises a ``KernelError``."""
    module = _counted(connection, name, "hold")
    if module.loaded.state == GOING:
        remedy = "it is going, and nobody gets hold of it any more"
        raise refusal("hold", name, errno.ENOENT, remedy=remedy)
    rows.add_references(connection, module.number, 1)


def release_hold(connection: sqlite3.Connection, name: ModuleName) -> None:
    """Give a reference back that ``hold`` has taken. Raises a ``KernelError``."""
    module = _counted(connection, name, "release")
    if not rows.taken_by_hand(connection, module.number):
        remedy = "nothing to release: hold has taken none; a real kernel would lose count of it"
        raise refusal("release", name, errno.EINVAL, remedy=remedy)
    rows.add_references(connection, module.number, -1)


def _counted(connection: sqlite3.Connection, name: ModuleName, operation: str) -> ShownModule:
    if not kernel_facts(connection).options.module_unload:
        raise NoUnloadingError(operation, name, errno.ENOSYS)
    return _known(connection, name, operation)


def _known(connection: sqlite3.Connection, name: ModuleName, operation: str) -> ShownModule:
    within = 0 < len(encode(name)) < _NAME_BYTES
    found = rows.find_module(connection, name) if within else None
    if found is None:
        raise refusal(operation, name, errno.ENOENT)
    return found


def _removable(connection: sqlite3.Connection, name: ModuleName) -> ShownModule:
    """Return the module, which is live and has no holder. Raises what delete_module answers."""
    module = _known(connection, name, "remove")
    if module.loaded.holders:
        remedy = f"remove its users first: {' '.join(module.loaded.holders)}"
        raise refusal("remove", name, errno.EAGAIN, remedy=remedy)
    if module.loaded.state != LIVE:
        waits = "init has not returned" if module.loaded.state == COMING else "exit has not ended"
        remedy = f"its {waits}: lkm sandbox finish {name} lets it"
        raise refusal("remove", name, errno.EBUSY, remedy=remedy)
    return module


def _ask_force(module: ShownModule, *, forced: bool) -> None:
    """Refuse what only a *forced* removal gets over."""
    name = module.loaded.name
    if module.loaded.permanent and not forced:
        remedy = "it has no exit function; only force removes it"
        raise refusal("remove", name, errno.EBUSY, remedy=remedy)
    if module.held and not forced:
        remedy = "something that is no module holds it (lkm sandbox release lets go of it)"
        raise refusal("remove", name, errno.EAGAIN, remedy=remedy)


def _taint(connection: sqlite3.Connection, kernel: KernelFacts) -> None:
    if ends_lock_debugging(Taint.FORCED_REMOVAL, kernel.tainted):
        line = LogLine(4, "Disabling lock debugging due to kernel taint")
        kernel_rows.write_log(connection, [line])
    tainted = kernel.tainted | Taint.FORCED_REMOVAL
    kernel_rows.write_values(connection, {"tainted": str(int(tainted))})


def _why_disabled(connection: sqlite3.Connection) -> str:
    if boot_options(kernel_rows.read_values(connection)["command_line"]).modules_disabled:
        return "the sandbox was booted with nomodule: boot it without"
    return "kernel.modules_disabled was set, which lasts until the sandbox is booted anew"
