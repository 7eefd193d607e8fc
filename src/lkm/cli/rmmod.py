"""lkm rmmod: remove loaded modules."""

from __future__ import annotations

import os

from lkm.cli.dropin import HELP, JSON, NO_CACHE_OF_IMAGE, ON, SYSLOG, VERBOSE, VERSION, Command
from lkm.cli.options import Option
from lkm.cli.target import Target
from lkm.errors import KernelError, NoTreeError
from lkm.kernel.interruption import Interruption
from lkm.kernel.loaded import COMING, GOING
from lkm.kernel.protocol import FORCE
from lkm.names import ModuleName, module_name, module_name_of_path
from lkm.tree.builtin import is_builtin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.cli.console import Console
    from lkm.cli.options import Parsed

COMMAND = Command(
    "rmmod",
    "rmmod [OPTION...] MODULE...",
    "Remove each MODULE that nothing uses; the others of the list are removed all the same.",
    (
        Option(
            "force",
            "f",
            ("force",),
            "also one that is in use or cannot be unloaded, where the kernel lets it; dangerous",
        ),
        SYSLOG,
        VERBOSE,
        ON,
        Option(
            "exit_returns",
            "",
            ("exit-returns",),
            "in the sandbox, where no exit runs: never, and the module is left going",
            argument="{never}",
            own=True,
        ),
        NO_CACHE_OF_IMAGE,
        JSON,
        VERSION,
        HELP,
    ),
    words=("LOADED...",),
)


def run(parsed: Parsed, console: Console) -> int:
    """Remove the modules in the order given; return 1 if any was not removed.

    A signal ends it between two of them; then it is 128 and the signal's number.
    """
    if not parsed.arguments:
        console.misused("missing module name.")
        return 1
    if parsed.has("exit_returns"):
        from lkm.cli.answers import exit_hangs  # it is said rarely

        exit_hangs(parsed)
    target = Target(parsed.last("on"), console)
    interruption = Interruption()
    interruption.start()
    console.at_end = interruption.stop
    removed, kept = _remove_all(parsed, target, console, interruption)
    if console.json:
        from lkm.report.documents.loaded import remove_document

        console.document = remove_document(removed, kept)
    if interruption.came():
        until_then = (
            f"removed until then: {' '.join(removed)}" if removed else "nothing was changed"
        )
        console.error(f"interrupted by {interruption.name}; {until_then}")
        return interruption.status
    return 1 if kept else 0


def _remove_all(
    parsed: Parsed, target: Target, console: Console, interruption: Interruption
) -> tuple[list[str], list[str]]:
    """Remove one after the other; return the names of what is gone, and the words of what stays."""
    removed: list[str] = []
    kept: list[str] = []
    for word in parsed.arguments:
        if interruption.came():
            kept.append(word)
            continue
        # A file stands for the module in it, as for insmod.
        name = module_name_of_path(word) if os.path.exists(word) else module_name(word)
        gone = _remove(name, word, parsed, target, console)
        if not gone:
            kept.append(word)
        elif not parsed.has("exit_returns"):
            removed.append(name)
    return removed, kept


def _remove(name: ModuleName, word: str, parsed: Parsed, target: Target, console: Console) -> bool:
    """Remove one module; False, and the reason on stderr, where it stays."""
    force = parsed.has("force")
    try:
        obstacle = None if force else _obstacle(name, target)
        if obstacle is None:
            _ask(name, parsed, target, flags=FORCE if force else 0)
    except KernelError as error:
        reason = os.strerror(error.errno)
        console.error(f"could not remove '{name}': {reason}")
        console.refused(f"could not remove module {word}: {reason}", error)
        return False
    if obstacle is None:
        return True
    console.error(f"Module {obstacle}")
    hint_at_waiting(name, target, console)
    return False


def hint_at_waiting(name: str, target: Target, console: Console) -> None:
    """Say what ends it where *name* is in use by its own code, which the sandbox never runs."""
    found = target.kernel.find(ModuleName(name)) if target.on == "sandbox" else None
    if found is not None and found.state == COMING:
        console.hint(f"its init has not returned: lkm sandbox finish {name} lets it")
    elif found is not None and found.state == GOING:
        console.hint(f"its exit has not ended: lkm sandbox finish {name} lets it")


def _ask(name: ModuleName, parsed: Parsed, target: Target, *, flags: int) -> None:
    if parsed.has("exit_returns"):
        from lkm.cli.answers import remove_hanging  # see above

        remove_hanging(target.kernel, name, flags)
    else:
        target.kernel.remove(name, flags=flags)


def _obstacle(name: ModuleName, target: Target) -> str | None:
    """Return what kmod sees in the way, None for nothing; with -f it does not look.

    A module that is going, whose count is below 0, is in use, of which kmod says nothing.
    """
    if _is_builtin(name, target):
        return f"{name} is builtin."
    loaded = target.kernel.find(name)
    if loaded is None:
        return f"{name} is not currently loaded"
    if loaded.holders:
        return f"{name} is in use by: {' '.join(loaded.holders)}"
    if loaded.refcnt is None:
        return "unloading is not supported"
    return f"{name} is in use" if loaded.refcnt else None


def _is_builtin(name: ModuleName, target: Target) -> bool:
    try:
        return is_builtin(target.directory, name)
    except NoTreeError:
        return False  # without a tree nobody knows
