"""Find out what runs a guest's processor: the host's own, where that works, or an emulation.

A ``/dev/kvm`` may be there, open, and still not run anything. So a machine is started that does
nothing but end itself, and is given three seconds.

    x86_64    at the reset vector, in 16-bit code: writes to the port of QEMU's isa-debug-exit
    arm64     at address 0: PSCI SYSTEM_OFF by a hypervisor call
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile

from lkm.lab.architectures import X86_64, Architecture, of_host
from lkm.lab.kept import kept, key_of_file
from lkm.lab.qemu import ends_with_parent, program_of

EMULATION = "tcg"
_DEADLINE_S = 3.0
_ROM_BYTES = 1 << 16
_RESET_AT = _ROM_BYTES - 16
_X86_EXIT = bytes.fromhex("b000 e6f4 f4 ebfd")  # mov al,0; out 0xf4,al; hlt; jmp
_X86_STATUS = 1  # what isa-debug-exit makes of a 0
_ARM64_EXIT = bytes.fromhex("00018052 0080b072 020000d4 00000014")


def accelerator_for(architecture: Architecture) -> str:
    """Return QEMU's word for what runs a guest of *architecture* here.

    What was found out is kept for as long as this machine runs. Raises ``NoLabProgramError``.
    """
    program = program_of(architecture)
    wanted = _hosts_own(architecture)
    if not wanted:
        return EMULATION
    name = f"accelerator-{key_of_file(program, wanted, _boot_id())}"
    works = kept(name, lambda: b"1" if works_here(program, architecture, wanted) else b"0")
    return wanted if works == b"1" else EMULATION


def works_here(program: str, architecture: Architecture, accelerator: str) -> bool:
    """Tell whether *accelerator* ran a few instructions within the deadline."""
    rom, machine, status = _probe(architecture)
    with tempfile.NamedTemporaryFile(prefix="lkm-lab-") as file:
        file.write(rom)
        file.flush()
        command = [
            *(program, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-m", "64", "-accel", accelerator, "-bios", file.name, *machine),
        ]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_DEADLINE_S,
                check=False,
                preexec_fn=ends_with_parent(),
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == status


def _probe(architecture: Architecture) -> tuple[bytes, tuple[str, ...], int]:
    """Return the firmware that ends a machine, the machine's options, and QEMU's status then."""
    if architecture is X86_64:
        rom = bytes(_RESET_AT) + _X86_EXIT
        options = ("-cpu", "max", "-device", "isa-debug-exit,iobase=0xf4,iosize=1")
        return rom + bytes(_ROM_BYTES - len(rom)), options, _X86_STATUS
    return _ARM64_EXIT, (*architecture.options, "-cpu", "max"), 0


def _hosts_own(architecture: Architecture) -> str:
    """Return what the host has to run *architecture* on its own processor, empty for nothing."""
    if of_host() is not architecture:
        return ""
    if sys.platform == "darwin":
        return "hvf"
    with contextlib.suppress(OSError):
        os.close(os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC))
        return "kvm"
    return ""


def _boot_id() -> str:
    with contextlib.suppress(OSError), open("/proc/sys/kernel/random/boot_id", "rb") as file:
        return file.read().decode("ascii", "replace")
    return ""
