"""The device nodes that modules promise by their aliases: what modules.devname lists.

Source: kmod, tools/depmod.c, output_devname.
"""

from __future__ import annotations

from lkm.tree.problem import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lkm.module.scanned import ScannedModule

_LARGEST = 0xFFFF_FFFF_FFFF_FFFF  # of an unsigned long: scanf takes all beyond it for it
_DIGITS = 21  # one more than that has


def device_nodes(
    modules: Iterable[ScannedModule], problems: list[Problem]
) -> list[tuple[str, str, str, int, int]]:
    """Return (module, device name, ``c`` or ``b``, major, minor) of each module that has one.

    A name without numbers is added to *problems*.
    """
    nodes: list[tuple[str, str, str, int, int]] = []
    for module in modules:
        if b"devname:" not in module.modinfo_bytes:
            continue
        device, numbers = _device_node(module.values("alias"))
        if device and numbers:
            nodes.append((module.name, device, *numbers))
        elif device:
            text = (
                f"Module '{module.name}' has devname ({device}) but lacks major and minor "
                "information. Ignoring."
            )
            problems.append(
                Problem(
                    "ERROR",
                    text,
                    kind="device-numbers",
                    path=module.path,
                    modules=(module.name,),
                    index="modules.devname",
                )
            )
    return nodes


def _device_node(aliases: Iterable[str]) -> tuple[str, tuple[str, int, int] | None]:
    device, numbers = "", None
    for alias in aliases:
        if alias.startswith("devname:"):
            device = alias.removeprefix("devname:")
        elif alias.startswith(("char-major-", "block-major-")):
            kind, _, rest = alias.partition("-major-")
            numbers = _major_minor(kind[0], rest) or numbers
        if device and numbers:
            break
    return device, numbers


def _major_minor(kind: str, text: str) -> tuple[str, int, int] | None:
    """Return (*kind*, major, minor) of ``10-229``; what follows the minor's digits is ignored."""
    major, _, rest = text.partition("-")
    minor = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    if not (major.isascii() and major.isdecimal() and minor):
        return None
    return kind, _unsigned(major), _unsigned(minor)


def _unsigned(digits: str) -> int:
    """Return the number that scanf's ``%u`` makes of *digits*, of which there may be thousands."""
    number = int(digits.lstrip("0")[:_DIGITS] or "0")
    return min(number, _LARGEST) & 0xFFFF_FFFF
