"""Open the kernel that ``--on`` names, and import no more than that one needs."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.cli.console import Console
    from lkm.kernel.protocol import Kernel
    from lkm.kernel.sandbox import Sandbox
    from lkm.kernel.sandbox_status import Status


def open_kernel(on: str, console: Console, *, asking: str = "modprobe") -> Kernel:
    """Return the kernel that ``--on`` names; empty is the live one.

    A sandbox that was never booted boots the teaching kernel, and says so; its log names the
    process *asking*.
    """
    if on != "sandbox":
        from lkm.kernel.live import LiveKernel  # only the one that is meant

        return LiveKernel()
    return open_sandbox(console, asking=asking)


def open_sandbox(console: Console, *, asking: str = "modprobe") -> Sandbox:
    """Return the sandbox, booted as above."""
    from lkm.kernel.sandbox import Sandbox  # it needs sqlite3

    return Sandbox.open(notice=lambda text: console.say("NOTICE", text), asking=asking)


def sandbox_status(console: Console) -> Status:
    """Return what kernel the sandbox is, booted as by ``open_kernel``."""
    return open_sandbox(console).status()
