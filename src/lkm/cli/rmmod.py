"""lkm rmmod: remove loaded modules."""

from __future__ import annotations

import os

from lkm.cli.dropin import HELP, JSON, ON, SYSLOG, VERBOSE, VERSION, Command
from lkm.cli.options import Option
from lkm.cli.target import Target
from lkm.errors import KernelError, LkmError
from lkm.kernel.protocol import FORCE
from lkm.names import module_name, module_name_of_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.cli.console import Console
    from lkm.cli.options import Parsed
    from lkm.names import ModuleName

COMMAND = Command(
    "rmmod",
    "rmmod [OPTION...] MODULE...",
    "Remove each MODULE that nothing uses; the others of the list are removed all the same.",
    (
        Option("force", "f", ("force",), "also one in use or without an exit: dangerous"),
        SYSLOG,
        VERBOSE,
        ON,
        JSON,
        VERSION,
        HELP,
    ),
)


def run(parsed: Parsed, console: Console) -> int:
    """Remove the modules in the order given; return 1 if any was not removed."""
    if not parsed.arguments:
        console.error("missing module name.")
        return 1
    target = Target(parsed.last("on"), console)
    removed: list[str] = []
    for word in parsed.arguments:
        # A file stands for the module in it, as for insmod.
        exists = "/" in word or os.path.exists(word)
        name = module_name_of_path(word) if exists else module_name(word)
        try:
            if _remove(name, parsed, target, console):
                removed.append(name)
        except KernelError as error:
            text = f"could not remove module {name}: {os.strerror(error.errno)}"
            console.refused(text, error, on=target.on)
    if console.json:
        from lkm.report.documents.loaded import remove_document

        kept = [word for word in parsed.arguments if module_name_of_path(word) not in removed]
        console.document = remove_document(removed, kept)
    return 1 if console.failed else 0


def _remove(name: ModuleName, parsed: Parsed, target: Target, console: Console) -> bool:
    force = parsed.has("force")
    loaded = target.kernel.find(name)
    if loaded is None:
        builtin = _is_builtin(name, target)
        console.error(f"Module {name} is {'builtin.' if builtin else 'not currently loaded'}")
        return False
    if not force:
        if loaded.holders:
            console.error(f"Module {name} is in use by: {' '.join(loaded.holders)}")
            return False
        if loaded.refcnt:
            console.error(f"Module {name} is in use")
            return False
    if parsed.has("verbose"):
        console.out.write(f"rmmod {name}\n")
    target.kernel.remove(name, flags=FORCE if force else 0)
    return True


def _is_builtin(name: ModuleName, target: Target) -> bool:
    try:
        return target.catalog().is_builtin(name)
    except LkmError:
        return False  # without a tree nobody knows: kmod says "not currently loaded" then
