"""Why the running kernel refused, told by the errno and by what it logged meanwhile.

The lines looked for, and which checks are silent: kernel/module/main.c, kernel/module/signing.c,
security/lockdown/lockdown.c.
"""

from __future__ import annotations

import errno
import os

_INIT = "its init said so"
_SIGNED_ONLY = "this kernel takes signed modules only"
# With a signature that does not fit, load_module ends whether signatures are enforced or not.
_TAMPERED = "its signature does not fit: the file was changed after it was signed, or is damaged"
_REMEDIES = {
    errno.EBUSY: (
        "its init found something in use, or another process was loading or removing it just then"
    ),
    errno.ENODEV: "its init says so: it found no device that it is for",
    errno.ENOKEY: _SIGNED_ONLY,
}
_IN_THE_LOG = "a parameter, a symbol's version or namespace, a built-in of that name, or its init"
_DISABLED = "kernel.modules_disabled is 1: no module is loaded or removed until the next boot"
_NOT_EVEN_ROOT = (
    "root is not let either: module_blacklist= on the kernel's command line, lockdown, a container "
    "without CAP_SYS_MODULE, or its init"
)
_NOT_REMOVED_EVEN_BY_ROOT = "root is not let either: a container without CAP_SYS_MODULE"


class Heard:
    """What the kernel logged while it was asked to insert the module *name*.

    Silence means something only where *readable* says that the log could be read.
    """

    def __init__(self, name: str, lines: tuple[str, ...], *, readable: bool) -> None:
        self.name = name
        self.lines = lines
        self.readable = readable

    def says(self, words: str) -> bool:
        """Tell whether a line has *words*."""
        return any(words in line for line in self.lines)


def why_not_inserted(number: int, heard: Heard, *, modules_disabled: bool) -> str:
    """Return what was in the way of an insertion that ended in errno *number*.

    Empty where the errno says it all, or what ``refusal`` has for it does.
    """
    if number == errno.EKEYREJECTED:
        return _why_rejected(heard)
    if number == errno.EINVAL:
        return _why_invalid(heard)
    if number == errno.ENOENT and heard.readable and not heard.says("Unknown symbol"):
        return f"{_INIT}: the kernel logged no symbol that is missing"
    if _is_roots(number):
        return _why_not_permitted(heard, modules_disabled=modules_disabled)
    return _REMEDIES.get(number, "")


def why_not_removed(number: int, *, modules_disabled: bool) -> str:
    """Return what was in the way of a removal; empty as above."""
    if not _is_roots(number):
        return ""
    return _DISABLED if modules_disabled else _NOT_REMOVED_EVEN_BY_ROOT


def _why_rejected(heard: Heard) -> str:
    # "Loading of unsigned module is rejected", or what else it is, by one that wants signatures.
    if heard.says("is rejected"):
        return _SIGNED_ONLY
    return _TAMPERED if heard.readable else f"{_TAMPERED}; or {_SIGNED_ONLY}"


def _why_invalid(heard: Heard) -> str:
    if heard.says(heard.name):
        return f"the lines that the kernel logged have the reason: {_IN_THE_LOG}"
    if heard.readable:
        return f"{_INIT}, or a check that logs nothing: the kernel logged nothing about it"
    return f"the kernel's log (dmesg) has the reason: {_IN_THE_LOG}"


def _why_not_permitted(heard: Heard, *, modules_disabled: bool) -> str:
    if modules_disabled:
        return _DISABLED
    if heard.says(f"Module {heard.name} is blacklisted"):
        return "module_blacklist= on the kernel's command line names it"
    if heard.says("Lockdown: "):
        return "the kernel is locked down: it takes modules with a valid signature only"
    return _NOT_EVEN_ROOT


def _is_roots(number: int) -> bool:
    """Tell whether it is EPERM for who has all the permission that a user can have."""
    return number == errno.EPERM and os.geteuid() == 0
