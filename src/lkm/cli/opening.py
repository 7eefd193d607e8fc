"""Open the kernel that ``--on`` names, and import no more than that one needs."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.kernel.protocol import Kernel
    from lkm.kernel.sandbox import Status


def open_kernel(on: str) -> Kernel:
    """Return the kernel that ``--on`` names; empty is the live one."""
    if on != "sandbox":
        from lkm.kernel.live import LiveKernel  # only the one that is meant

        return LiveKernel()
    from lkm.kernel.sandbox import Sandbox  # it needs sqlite3

    return Sandbox()


def sandbox_status() -> Status:
    """Return what kernel the sandbox is. Raises ``LkmError`` where none is booted."""
    from lkm.kernel.sandbox import Sandbox  # it needs sqlite3

    return Sandbox().status()
