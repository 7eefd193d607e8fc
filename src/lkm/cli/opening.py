"""Open the kernel that ``--on`` names, and import no more than that one needs."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.cli.console import Console
    from lkm.kernel.protocol import Kernel
    from lkm.kernel.sandbox import Sandbox
    from lkm.kernel.sandbox_status import Status


def open_kernel(on: str, console: Console | None = None) -> Kernel:
    """Return the kernel that ``--on`` names; empty is the live one.

    A sandbox that was never booted boots the teaching kernel, which *console*, or stderr, is told.
    """
    if on != "sandbox":
        from lkm.kernel.live import LiveKernel  # only the one that is meant

        return LiveKernel()
    return open_sandbox(console)


def open_sandbox(console: Console | None = None) -> Sandbox:
    """Return the sandbox, booted; *console* as above."""
    from lkm.kernel.sandbox import Sandbox  # it needs sqlite3

    def notice(text: str) -> None:
        if console is not None:
            console.say("NOTICE", text)
            return
        import sys  # a caller without a console

        sys.stderr.write(f"lkm: NOTICE: {text}\n")

    return Sandbox.open(notice=notice)


def sandbox_status(console: Console | None = None) -> Status:
    """Return what kernel the sandbox is, booted as by ``open_kernel``."""
    return open_sandbox(console).status()
