"""The machines that a guest can be: QEMU's program for each, its ports, and who packages it."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from lkm.elf.constants import EM_AARCH64, EM_X86_64
from lkm.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One kind of machine.

    *machine* is its number in ELF files, *qemu* the program that emulates it, *options* are the
    program's own for it. *console*, *channel* and *terminal* are its serial ports as its kernel
    calls them; *ports* are the devices that these are, in that order. *packages* has the package
    with *qemu*, by the ``ID`` of a distribution's os-release.
    """

    name: str
    machine: int
    qemu: str
    options: tuple[str, ...]
    console: str
    channel: str
    terminal: str
    ports: tuple[str, str, str]
    packages: tuple[tuple[str, str], ...]


X86_64 = Architecture(
    name="x86_64",
    machine=EM_X86_64,
    qemu="qemu-system-x86_64",
    options=(),
    console="ttyS0",
    channel="ttyS1",
    terminal="ttyS2",
    # Each needs its own interrupt: the usual third shares the first one's.
    ports=(
        "isa-serial,index=0",
        "isa-serial,index=1",
        "isa-serial,index=2,iobase=0x3e8,irq=5",
    ),
    packages=(
        ("debian", "qemu-system-x86"),
        ("fedora", "qemu-system-x86-core"),
        ("arch", "qemu-system-x86"),
        ("opensuse", "qemu-x86"),
        ("alpine", "qemu-system-x86_64"),
    ),
)
ARM64 = Architecture(
    name="arm64",
    machine=EM_AARCH64,
    qemu="qemu-system-aarch64",
    options=("-machine", "virt"),
    console="ttyAMA0",
    channel="ttyS0",
    terminal="ttyS1",
    ports=("", "pci-serial", "pci-serial"),
    packages=(
        ("debian", "qemu-system-arm"),
        ("fedora", "qemu-system-aarch64-core"),
        ("arch", "qemu-system-aarch64"),
        ("opensuse", "qemu-arm"),
        ("alpine", "qemu-system-aarch64"),
    ),
)

_NAMES = {
    "x86_64": X86_64,
    "amd64": X86_64,
    "arm64": ARM64,
    "aarch64": ARM64,
}


def architecture(name: str) -> Architecture:
    """Return the architecture that *name* stands for, as uname or Debian spell it."""
    found = _NAMES.get(name)
    if found is None:
        known = ", ".join(_NAMES)
        raise UsageError(f"no lab for the architecture {name!r}; there are: {known}")
    return found


def of_machine(machine: int | None) -> Architecture | None:
    """Return the architecture with that number in ELF files, None where the lab has none."""
    return next((each for each in (X86_64, ARM64) if each.machine == machine), None)


def of_host() -> Architecture | None:
    """Return this machine's own, None where the lab knows none such."""
    return _NAMES.get(platform.machine())
