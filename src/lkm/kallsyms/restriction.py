"""Say why the running kernel shows zeros in place of its addresses.

The kernel asks when ``/proc/kallsyms``, ``/proc/modules`` or a section file is opened:

    kptr_restrict 0    shown if perf_event_paranoid is 1 or less, or the reader has CAP_SYSLOG
    kptr_restrict 1    shown if the reader has CAP_SYSLOG
    kptr_restrict 2    never shown

A kernel without performance events has no perf_event_paranoid; it is as if it were above 1. The
capability counts in the first user namespace only: root in a container has another.

Source: Linux, kernel/ksyms_common.c (before 6.3 kernel/kallsyms.c), kallsyms_show_value;
capabilities(7).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Cause = Literal["none", "kptr_restrict", "capability", "namespace", "unknown"]

_CAP_SYSLOG = 34
_FIRST_NAMESPACE = ("0", "0", "4294967295")


@dataclass(frozen=True, slots=True)
class Restriction:
    """Why addresses are hidden: one *cause*, in one sentence. *remedy* is what would show them."""

    cause: Cause
    sentence: str
    remedy: str = ""


def explain(
    kptr_restrict: str | None,
    perf_event_paranoid: str | None,
    status: str | None,
    uid_map: str | None = None,
) -> Restriction:
    """Return the cause for zero addresses from what four files say, None for one not readable.

    They are ``/proc/sys/kernel/kptr_restrict``, ``/proc/sys/kernel/perf_event_paranoid``,
    ``/proc/self/status`` and ``/proc/self/uid_map``. A cause of ``none`` means that the kernel
    would have shown addresses to this process.
    """
    restrict = _number(kptr_restrict)
    if restrict is None:
        return Restriction("unknown", "The kernel does not say how it restricts addresses.")
    if restrict >= 2:
        return Restriction(
            "kptr_restrict",
            f"kernel.kptr_restrict is {restrict}, which hides addresses from everyone, root too.",
            "sysctl kernel.kptr_restrict=1, as root, shows them to root",
        )
    paranoid = _number(perf_event_paranoid)
    if restrict == 0 and paranoid is not None and paranoid <= 1:
        return _shown(f"kptr_restrict is 0 and perf_event_paranoid {paranoid}")
    return _by_capability(restrict, paranoid, status, uid_map)


def _by_capability(
    restrict: int, paranoid: int | None, status: str | None, uid_map: str | None
) -> Restriction:
    has_syslog = _has_syslog(status)
    if has_syslog is None:
        return Restriction(
            "unknown", "The capabilities of this process, on which it depends, cannot be read."
        )
    if not has_syslog:
        return _without_capability(restrict, paranoid)
    if uid_map is not None and tuple(uid_map.split()) != _FIRST_NAMESPACE:
        setting = "kernel.kptr_restrict is 1" if restrict else _perf(paranoid)
        return Restriction(
            "namespace",
            "This process has CAP_SYSLOG in its own user namespace only, a container's, and the "
            f"kernel asks for it in the first one, since {setting}.",
            "read it outside of the container, as root",
        )
    return _shown(f"kptr_restrict is {restrict} and this process has CAP_SYSLOG")


def _without_capability(restrict: int, paranoid: int | None) -> Restriction:
    if restrict == 1:
        return Restriction(
            "capability",
            "kernel.kptr_restrict is 1, which hides addresses from processes without CAP_SYSLOG, "
            "and this one has it not.",
            "read it as root",
        )
    return Restriction(
        "capability",
        f"This process has no CAP_SYSLOG, and {_perf(paranoid)}, so that the kernel hides "
        "addresses though kernel.kptr_restrict is 0.",
        "read it as root",
    )


def _perf(paranoid: int | None) -> str:
    if paranoid is None:
        return "there is no kernel.perf_event_paranoid to allow it"
    return f"kernel.perf_event_paranoid is {paranoid}, above 1"


def _shown(why: str) -> Restriction:
    return Restriction(
        "none",
        f"By its settings the kernel shows addresses to this process ({why}); if they were zero, "
        "the settings have changed since, or what answers is no Linux kernel of its own.",
    )


def _number(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None


def _has_syslog(status: str | None) -> bool | None:
    for line in (status or "").splitlines():
        key, _, value = line.partition(":")
        if key == "CapEff":
            try:
                return bool(int(value, 16) >> _CAP_SYSLOG & 1)
            except ValueError:
                return None
    return None
