"""What lkm asks of a kernel, whichever it is."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from lkm.kernel.loaded import LoadedModule
    from lkm.kernel.sysfs import SysFolder
    from lkm.module.file import ModuleImage
    from lkm.names import ModuleName
else:
    # Importing typing costs a third of what starting Python does; at run time nothing looks at it.
    Protocol = object

IGNORE_MODVERSIONS = 1
"""insert: load although the CRCs may differ (MODULE_INIT_IGNORE_MODVERSIONS)."""
IGNORE_VERMAGIC = 2
"""insert: load although the vermagic may differ (MODULE_INIT_IGNORE_VERMAGIC)."""
FORCE = 0o1000
"""remove: although it is in use or has no exit function (O_TRUNC)."""


class Kernel(Protocol):
    """A kernel. Every implementation passes ``tests/kernel/contract.py``."""

    @property
    def name(self) -> str:
        """What ``--on`` calls it: ``live`` or ``sandbox``."""

    def release(self) -> str:
        """Return its release, as ``uname -r`` prints it."""

    def command_line(self) -> str:
        """Return the command line it was booted with, without the newline."""

    def tainted(self) -> int | None:
        """Return its taints as ``/proc/sys/kernel/tainted`` has them; None where it shows none."""

    def modules(self) -> tuple[LoadedModule, ...]:
        """Return what is loaded now, newest first; a fresh answer each call."""

    def find(self, name: ModuleName) -> LoadedModule | None:
        """Return the loaded module of that name, or None."""

    def present(self) -> tuple[LoadedModule, ...]:
        """Return the loaded modules as modprobe knows them, also where they cannot be listed."""

    def snapshot(self) -> tuple[tuple[LoadedModule, ...], SysFolder | None]:
        """Return what ``modules`` and ``sys_module`` do, both of one moment."""

    def sys_module(self) -> SysFolder | None:
        """Return the folder ``/sys/module`` as it is now; None where the kernel shows none."""

    def insert(self, image: ModuleImage, params: str = "", *, flags: int = 0) -> ModuleName | None:
        """Insert one module; *params* as on insmod's command line.

        Return the name that it is loaded under, None where the kernel does not tell.

        *flags* are IGNORE_MODVERSIONS and IGNORE_VERMAGIC. Raises a ``KernelError`` that keeps
        the errno and, where the kernel lets them be known, the lines it logged.
        """

    def remove(self, name: ModuleName, *, flags: int = 0) -> None:
        """Remove one module, without waiting for its users to leave; *flags* may be FORCE.

        Raises a ``KernelError``.
        """
