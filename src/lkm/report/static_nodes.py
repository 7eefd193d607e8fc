"""What ``kmod static-nodes`` prints, in its three formats. Source: formats of kmod 34."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Final

    from lkm.tree.tables import DeviceNode

DEVICE_TYPES = {"c": "character", "b": "block"}


def human_text(node: DeviceNode) -> str:
    """Return a device node as lines for people."""
    module, device, kind, major, minor = node
    return (
        f"Module: {module}\n"
        f"\tDevice node: /dev/{device}\n"
        f"\t\tType: {DEVICE_TYPES[kind]} device\n"
        f"\t\tMajor: {major}\n"
        f"\t\tMinor: {minor}\n"
    )


def tmpfiles_text(node: DeviceNode) -> str:
    """Return a device node, and the folder that it is in, as tmpfiles.d(5) lines."""
    _, device, kind, major, minor = node
    folder, slash, _ = device.rpartition("/")
    made = f"d /dev/{folder} 0755 - - -\n" if slash else ""
    return f"{made}{kind}! /dev/{device} 0600 - - - {major}:{minor}\n"


def devname_text(node: DeviceNode) -> str:
    """Return a device node as a line of modules.devname."""
    module, device, kind, major, minor = node
    return f"{module} {device} {kind}{major}:{minor}\n"


FORMATS: Final[Mapping[str, Callable[[DeviceNode], str]]] = {
    "human": human_text,
    "tmpfiles": tmpfiles_text,
    "devname": devname_text,
}
