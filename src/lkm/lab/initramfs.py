"""Build the initramfs of a guest: with a static program as its init, or a shell script.

A static program needs nothing else and answers soonest. A script is run by busybox, which has to
be there, with ``/proc``, ``/sys`` and ``/dev``; then the machine is powered off.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping

from lkm import cpio
from lkm.errors import FileError, NoLabProgramError
from lkm.lab.channel import END

_PACKAGE = "busybox-static"
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


def script_initramfs(script: str, extra: Iterable[cpio.Entry] = ()) -> bytes:
    """Return the archive for a guest that runs *script*; raises ``NoLabProgramError``."""
    tools = [cpio.folder("bin"), cpio.file("bin/busybox", busybox(), 0o755)]
    return program_initramfs(_INIT.encode(), [*tools, cpio.file("script", script.encode()), *extra])


def program_initramfs(init: bytes, extra: Iterable[cpio.Entry] = ()) -> bytes:
    """Return the archive for a guest whose init is the static program *init*.

    Its folders ``/proc``, ``/sys`` and ``/dev`` are empty until it mounts them.
    """
    return cpio.archive(
        [
            *(cpio.folder(name) for name in ("dev", "proc", "sys", "tmp")),
            cpio.character_device("dev/console", 5, 1),
            cpio.file("init", init, 0o755),
            *extra,
        ]
    )


def files_in(folder: str, files: Mapping[str, bytes]) -> tuple[cpio.Entry, ...]:
    """Return the entries of one *folder* with *files*, by name, in their order."""
    entries = [cpio.file(f"{folder}/{name}", data) for name, data in files.items()]
    return (cpio.folder(folder), *entries)


def busybox() -> bytes:
    """Return Debian's static busybox; raises ``NoLabProgramError`` without it, or a dynamic one."""
    found = shutil.which("busybox", path=os.environ.get("PATH", "") + ":/usr/bin:/bin")
    if found is None:
        raise NoLabProgramError("busybox", "is not installed", _PACKAGE)
    try:
        with open(found, "rb") as file:
            data = file.read()
    except OSError as error:
        raise FileError.from_os("read", found, error) from None
    if b"ld-linux" in data[:4096]:
        raise NoLabProgramError(found, "is not statically linked", _PACKAGE)
    return data
