"""Boot a kernel in QEMU, wait until it powers off, and give back what it wrote.

No KVM: ``/dev/kvm`` can exist and open and still not work. An *unpacked* ELF kernel with
CONFIG_PVH boots directly, which takes 3 seconds; with a bzImage most of the time would go into
emulated decompression. There is no KASLR this way either, so addresses are those in the image.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.lab.initramfs import END

_PROGRAM = "qemu-system-x86_64"
_APPEND = "console=ttyS0 quiet panic=-1 rdinit=/init"


class NoQemu(Exception):  # noqa: N818  # it is an answer, not an error
    """There is no QEMU on this machine."""


class GuestFailed(Exception):  # noqa: N818  # named as its kinds are told apart
    """The guest did not end its script in time, or died before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A guest that powered off: its script's exit *status* and *output*, the kernel's *console*."""

    status: int
    output: str
    console: str
    duration_s: float


def run(
    kernel: bytes,
    initramfs: bytes,
    folder: Path,
    *,
    append: str = "",
    memory_mb: int = 512,
    timeout_s: float = 120,
) -> Ended:
    """Boot the ELF *kernel* with *initramfs*; *folder* takes the files of the run.

    Raises ``NoQemu`` and ``GuestFailed``. QEMU is gone when this returns, however it returns.
    """
    program = shutil.which(_PROGRAM)
    if program is None:
        raise NoQemu(f"{_PROGRAM} is not installed (Debian: qemu-system-x86)")
    (folder / "kernel").write_bytes(kernel)
    (folder / "initramfs").write_bytes(initramfs)
    command = [
        *(program, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-accel", "tcg,thread=multi", "-m", str(memory_mb)),
        *("-kernel", str(folder / "kernel"), "-initrd", str(folder / "initramfs")),
        *("-append", f"{_APPEND} {append}".rstrip()),
        *("-serial", f"file:{folder / 'console'}", "-serial", f"file:{folder / 'output'}"),
    ]
    started = time.monotonic()
    said = _wait(command, timeout_s)
    return _ended(folder, time.monotonic() - started, said)


def _wait(command: list[str], timeout_s: float) -> str:
    """Run *command* and return what QEMU itself said."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            said, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise GuestFailed(f"the guest still ran after {timeout_s} s") from None
        finally:
            process.kill()
    return said.decode(errors="replace")


def _ended(folder: Path, duration_s: float, said: str) -> Ended:
    console, output = (_text(folder / name) for name in ("console", "output"))
    script, found, status = output.rpartition(END)
    if not found:
        last = "\n".join([*said.splitlines(), *console.splitlines()][-20:])
        raise GuestFailed(f"the guest ended before its script did:\n{last}")
    return Ended(status=int(status), output=script, console=console, duration_s=duration_s)


def _text(path: Path) -> str:
    # A serial line ends its lines with CR LF.
    return path.read_bytes().decode(errors="replace").replace("\r\n", "\n") if path.exists() else ""
