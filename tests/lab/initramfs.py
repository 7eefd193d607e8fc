"""An initramfs whose init runs one shell script by busybox and powers the machine off."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.lab import cpio

# What the script prints goes to the second serial port, apart from the kernel's messages. The
# last line says how it ended, and that it ended at all.
END = "lab: exit status "
_INIT = f"""#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
sh /script >/dev/ttyS1 2>&1
echo "{END}$?" >/dev/ttyS1
poweroff -f
"""


class NoBusybox(Exception):  # noqa: N818  # it is an answer, not an error
    """There is no statically linked busybox on this machine."""


def an_initramfs(script: str, extra: Iterable[cpio.Entry] = ()) -> bytes:
    """Return the archive for a guest that runs *script* with ``/proc``, ``/sys`` and ``/dev``."""
    return cpio.archive(
        [
            *(cpio.folder(name) for name in ("bin", "dev", "proc", "sys", "tmp")),
            cpio.character_device("dev/console", 5, 1),
            cpio.file("bin/busybox", busybox().read_bytes(), 0o755),
            cpio.file("init", _INIT.encode(), 0o755),
            cpio.file("script", script.encode()),
            *extra,
        ]
    )


def busybox() -> Path:
    """Return Debian's busybox; raises ``NoBusybox`` where there is none, or a dynamic one."""
    found = shutil.which("busybox", path=os.environ.get("PATH", "") + ":/usr/bin:/bin")
    if found is None:
        raise NoBusybox("busybox is not installed (Debian: busybox-static)")
    if b"ld-linux" in Path(found).read_bytes()[:4096]:
        raise NoBusybox(f"{found} is not statically linked (Debian: busybox-static)")
    return Path(found)
