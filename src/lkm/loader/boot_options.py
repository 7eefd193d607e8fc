"""What the kernel's command line says to the module loader.

Words are split, and quotes taken, as for a module's parameters; in a name ``-`` and ``_`` are the
same; of several words for one option the last counts; what stands behind ``--`` is init's.

Source: kernel/params.c, parse_args; kernel/module/main.c and kernel/module/signing.c; kernel/cpu.c,
mitigations_parse_cmdline; arch/x86/kernel/cpu/bugs.c, spectre_v2_parse_cmdline.
"""

from __future__ import annotations

from dataclasses import dataclass

from lkm.loader.parameters.truth import truth
from lkm.loader.parameters.values import words

_SPECTRE = "spectre_v2="
_LOCKDOWN_LEVELS = frozenset({"integrity", "confidentiality"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BootOptions:
    """The options of a kernel's command line that modules feel.

    *modules_disabled* is ``nomodule``; *blacklist* the names of ``module_blacklist=``, to the
    letter; *signatures_enforced* is ``module.sig_enforce``, which cannot be unset again;
    *locked_down* is ``lockdown=``, whose two levels both keep unsigned modules out. *spectre_v2*
    tells whether an x86 kernel minds Spectre v2, where the processor does: ``mitigations=off``,
    ``nospectre_v2`` and ``spectre_v2=off`` end that.
    """

    modules_disabled: bool = False
    blacklist: frozenset[str] = frozenset()
    signatures_enforced: bool = False
    locked_down: bool = False
    spectre_v2: bool = True


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
        spectre_v2=_minds_spectre(command_line),
    )


def ignored_words(command_line: str) -> tuple[str, ...]:
    """Return the words of these options whose values the kernel does not take: they do nothing."""
    found: list[str] = []
    for name, value, _at in words(command_line):
        if name == "--" and value is None:
            break
        if not _is_taken(name.replace("-", "_"), value):
            found.append(name if value is None else f"{name}={value}")
    return tuple(found)


def _is_taken(name: str, value: str | None) -> bool:
    """Tell whether the kernel takes *value* for the option *name*; others are not looked at."""
    if name == "lockdown":
        return value in _LOCKDOWN_LEVELS
    if name in {"nomodule", "module.sig_enforce"}:
        return value is None or truth(value) is not None
    return name != "module_blacklist" or bool(value)


def _minds_spectre(command_line: str) -> bool:
    """Tell whether Spectre v2 is minded. Of two of its words it is looked for to the letter."""
    mitigated = True
    for name, value, _at in words(command_line):
        if name == "mitigations" and value in {"off", "auto", "auto,nosmt"}:
            mitigated = value != "off"
    plain = command_line.split()
    chosen = [word for word in plain if word.startswith(_SPECTRE)]
    off = "nospectre_v2" in plain or chosen[-1:] == [f"{_SPECTRE}off"]
    return mitigated and not off


def _boolean(value: str | None, before: bool) -> bool:
    """Return what *value* says, *before* where it is no truth value; none at all says yes."""
    said = truth("y" if value is None else value)
    return before if said is None else said
