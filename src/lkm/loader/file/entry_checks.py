"""The loader's first checks: who asks, with which flags, and how many bytes are handed over.

Source: kernel/module/main.c, may_init_module, finit_module and copy_module_from_user;
fs/kernel_read_file.c.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from lkm.loader.file.given import COMPRESSED_FILE, HEADER_BYTES, IGNORE_MODVERSIONS, GivenFile
from lkm.loader.file.given import IGNORE_VERMAGIC as VERMAGIC
from lkm.loader.findings import DAMAGED, Finding

_KNOWN_FLAGS = IGNORE_MODVERSIONS | VERMAGIC | COMPRESSED_FILE


def supported(file: GivenFile) -> Iterator[Finding]:
    """Refuse everything on a kernel that was built without modules."""
    if not file.kernel.options.modules:
        yield Finding(
            check="no-module-support",
            errno=errno.ENOSYS,
            evidence="the kernel was built without modules (CONFIG_MODULES is off)",
            remedy="boot a kernel that takes modules",
        )


def permitted(file: GivenFile) -> Iterator[Finding]:
    """Refuse who may not load modules, and everybody once ``kernel.modules_disabled`` is set."""
    if not file.kernel.capable:
        yield Finding(
            check="capability",
            errno=errno.EPERM,
            evidence="the process has no CAP_SYS_MODULE",
            remedy="ask as root, outside of a container",
        )
    elif file.kernel.modules_disabled:
        nomodule = file.kernel.nomodule
        yield Finding(
            check="modules-disabled",
            errno=errno.EPERM,
            evidence=(
                "nomodule is on the kernel's command line"
                if nomodule
                else "kernel.modules_disabled is 1, which cannot be unset"
            ),
            remedy="boot it anew without nomodule" if nomodule else "boot it anew",
        )


def flags(file: GivenFile) -> Iterator[Finding]:
    """Refuse flags that finit_module(2) does not know."""
    if file.flags & ~_KNOWN_FLAGS:
        yield Finding(
            check="flags",
            errno=errno.EINVAL,
            evidence=f"flags {file.flags:#x} are more than finit_module(2) knows",
        )


def length(file: GivenFile) -> Iterator[Finding]:
    """Refuse an empty file, or, given as memory, less than an ELF header."""
    size = len(file.data)
    if file.by_descriptor and not size:
        yield Finding(check="elf", errno=errno.EINVAL, evidence="the file is empty", remedy=DAMAGED)
    elif not file.by_descriptor and size < HEADER_BYTES[file.kernel.is_64bit]:
        yield Finding(
            check="elf",
            errno=errno.ENOEXEC,
            evidence=f"{size} bytes are less than an ELF header",
            remedy=DAMAGED,
        )
