"""What the kernel's command line says to the module loader.

Words are split, and quotes taken, as for a module's parameters; in a name ``-`` and ``_`` are the
same; of several words for one option the last counts; what stands behind ``--`` is init's.

Source: kernel/params.c, parse_args; kernel/module/main.c and kernel/module/signing.c.
"""

from __future__ import annotations

from dataclasses import dataclass

from lkm.loader.parameters.values import words

# A boolean's first letters, see kstrtobool; without a value it is set.
_TRUE = ("y", "Y", "t", "T", "1", "on", "oN", "On", "ON")
_FALSE = ("n", "N", "f", "F", "0", "of", "oF", "Of", "OF")
_LOCKDOWN_LEVELS = frozenset({"integrity", "confidentiality"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BootOptions:
    """The options of a kernel's command line that modules feel.

    *modules_disabled* is ``nomodule``; *blacklist* the names of ``module_blacklist=``, to the
    letter; *signatures_enforced* is ``module.sig_enforce``, which cannot be unset again;
    *locked_down* is ``lockdown=``, whose two levels both keep unsigned modules out.
    """

    modules_disabled: bool = False
    blacklist: frozenset[str] = frozenset()
    signatures_enforced: bool = False
    locked_down: bool = False


def boot_options(command_line: str) -> BootOptions:
    """Return what *command_line* says."""
    disabled = enforced = locked_down = False
    blacklist: frozenset[str] = frozenset()
    for name, value, _at in words(command_line):
        if name == "--" and value is None:
            break
        folded = name.replace("-", "_")
        if folded == "nomodule":
            disabled = _boolean(value, disabled)
        elif folded == "module.sig_enforce":
            enforced = enforced or _boolean(value, enforced)
        elif folded == "lockdown":
            # Nothing takes a lock down back.
            locked_down = locked_down or value in _LOCKDOWN_LEVELS
        elif folded == "module_blacklist" and value is not None:
            blacklist = frozenset(filter(None, value.split(",")))
    return BootOptions(
        modules_disabled=disabled,
        blacklist=blacklist,
        signatures_enforced=enforced,
        locked_down=locked_down,
    )


def _boolean(value: str | None, before: bool) -> bool:  # what it was
    if value is None or value.startswith(_TRUE):
        return True
    return False if value.startswith(_FALSE) else before
