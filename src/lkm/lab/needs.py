"""What can be known before a guest is started: that its kernel, or its memory, will not do."""

from __future__ import annotations

from collections.abc import Mapping

from lkm.errors import LabError
from lkm.lab.architectures import ARM64, Architecture

# Why the lab needs each option built in, by the architecture; for all of them first.
_OF_ALL = {
    "BLK_DEV_INITRD": "to start from an initramfs",
    "BINFMT_ELF": "to run programs",
    "BINFMT_SCRIPT": "to run the guest's init",
    "PROC_FS": "for /proc",
    "SYSFS": "for /sys",
    "DEVTMPFS": "for /dev",
}
_OF_X86 = {"SERIAL_8250_CONSOLE": "to be heard over a serial port"}
_OF_ARM64 = {
    "SERIAL_AMBA_PL011_CONSOLE": "to be heard over a serial port",
    "SERIAL_8250_PCI": "for a channel beside its console",
}
# Beside its kernel and its files a guest needs so much. The files lie there packed and unpacked at
# once, and what is unpacked may take half of what the rest leaves (tmpfs).
_FILES_TIMES = 3
_BESIDE_MB = 128
_LEAST_MB = 512
_STEP_MB = 128
# QEMU takes 3 GiB of initramfs, in which the programs lie too, and all of it is in memory here
# before it is in the guest's.
_LARGEST_COPIED = 2 << 30
_MEMORY_INFO = "/proc/meminfo"


def check_config(
    config: Mapping[str, str], path: str, architecture: Architecture, *, with_modules: bool
) -> None:
    """Raise ``LabError`` where the configuration at *path* lacks what the lab needs."""
    needed = {**_OF_ALL, **(_OF_ARM64 if architecture is ARM64 else _OF_X86)}
    if with_modules:
        needed["MODULES"] = "to load modules"
    lacking = [
        f"CONFIG_{name}=y {why}"
        for name, why in needed.items()
        if config.get(f"CONFIG_{name}") != "y"
    ]
    if lacking:
        error = LabError(f"this kernel lacks what the lab needs: {', '.join(lacking)} ({path})")
        error.remedy = "take another kernel, or build this one with it"
        raise error


def memory_for(kernel_bytes: int, initramfs_bytes: int, asked_mb: int | None) -> int:
    """Return the guest's memory in MiB: *asked_mb*, or what it needs and at least 512.

    Raises ``LabError`` where it needs more than was asked for.
    """
    needed = (kernel_bytes + _FILES_TIMES * initramfs_bytes >> 20) + _BESIDE_MB
    if asked_mb is None:
        return max(_LEAST_MB, -(-needed // _STEP_MB) * _STEP_MB)
    if asked_mb < needed:
        error = LabError(
            f"{asked_mb} MiB of memory are too few: the kernel, room to unpack "
            f"{initramfs_bytes >> 20} MiB of files, and what it needs to run take {needed} MiB"
        )
        error.remedy = f"say --memory {needed} or more, or take fewer --modules"
        raise error
    return asked_mb


def check_copied(sizes: Mapping[str, int], available: int | None) -> None:
    """Raise ``LabError`` where what is to be copied, in bytes by its name, is too much.

    *available* is what this machine has of memory, in bytes; None where that is not known.
    """
    most = _LARGEST_COPIED if available is None else min(_LARGEST_COPIED, available // 2)
    if sum(sizes.values()) <= most:
        return
    name, size = max(sizes.items(), key=lambda item: item[1])
    error = LabError(
        f"{name} is too large to be copied into a guest: it is {size >> 20} MiB, and all that is "
        f"copied may be {most >> 20} MiB"
    )
    error.remedy = "copy only what the guest needs, such as one folder or file of it"
    raise error


def memory_available(path: str = _MEMORY_INFO) -> int | None:
    """Return how much memory this machine has left, in bytes; None where it does not tell."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            lines = [line.split() for line in file]
    except OSError:
        return None
    found = [words[1] for words in lines if words[:1] == ["MemAvailable:"] and len(words) > 1]
    return int(found[0]) << 10 if found and found[0].isdecimal() else None
