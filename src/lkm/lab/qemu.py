"""Boot a kernel in QEMU, wait until it powers off, and give back what it wrote.

No KVM: ``/dev/kvm`` can exist and open and still not work. An *unpacked* ELF kernel with
CONFIG_PVH boots directly, which takes 3 seconds; with a bzImage most of the time would go into
emulated decompression. There is no KASLR this way either, so addresses are those in the image.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from lkm.errors import FileError, GuestFailedError, GuestTimedOutError, NoLabProgramError
from lkm.lab.channel import as_text, parse_output

_PROGRAM = "qemu-system-x86_64"
_PACKAGE = "qemu-system-x86"
_APPEND = "console=ttyS0 quiet panic=-1 rdinit=/init"
# As many lines tell why a guest ended; a stack trace has about so many.
_LAST_LINES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A guest that powered off: its init's exit *status* and *output*, the kernel's *console*."""

    status: int
    output: str
    console: str
    duration_s: float


def run(
    kernel: bytes,
    initramfs: bytes,
    *,
    append: str = "",
    memory_mb: int = 512,
    timeout_s: float = 120,
) -> Ended:
    """Boot the ELF *kernel* with *initramfs*; *append* goes behind the command line.

    Raises ``NoLabProgramError``, ``GuestTimedOutError``, and ``GuestFailedError`` where the guest
    ended before its init said how it had ended. QEMU and its files are gone when this returns,
    however it returns.
    """
    program = shutil.which(_PROGRAM)
    if program is None:
        raise NoLabProgramError(_PROGRAM, "is not installed", _PACKAGE)
    with tempfile.TemporaryDirectory(prefix="lkm-lab-") as name:
        folder = Path(name)
        try:
            (folder / "kernel").write_bytes(kernel)
            (folder / "initramfs").write_bytes(initramfs)
        except OSError as error:
            raise FileError.from_os("write", name, error) from None
        command = [
            *(program, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-accel", "tcg,thread=multi", "-m", str(memory_mb)),
            *("-kernel", str(folder / "kernel"), "-initrd", str(folder / "initramfs")),
            *("-append", f"{_APPEND} {append}".rstrip()),
            *("-serial", f"file:{folder / 'console'}", "-serial", f"file:{folder / 'output'}"),
        ]
        started = time.monotonic()
        said, in_time = _wait(command, timeout_s)
        duration_s = time.monotonic() - started
        output, console = _read(folder / "output"), as_text(_read(folder / "console"))
    if not in_time:
        raise GuestTimedOutError(timeout_s, as_text(output), _last(said, console))
    return _ended(output, console, said, duration_s)


def _wait(command: list[str], timeout_s: float) -> tuple[str, bool]:
    """Run *command*; return what QEMU itself said, and whether it ended in time."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            said, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return "", False
        finally:
            process.kill()
            # Popen itself does not wait after a keyboard interrupt.
            process.wait()
    return said.decode(errors="replace"), True


def _ended(output: bytes, console: str, said: str, duration_s: float) -> Ended:
    told = parse_output(output)
    if told.status is None:
        raise GuestFailedError(told.output, _last(said, console))
    return Ended(status=told.status, output=told.output, console=console, duration_s=duration_s)


def _last(said: str, console: str) -> tuple[str, ...]:
    return tuple([*said.splitlines(), *console.splitlines()][-_LAST_LINES:])


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""
