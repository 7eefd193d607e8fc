"""Start a machine in QEMU and talk to it over its serial ports.

    console     the kernel's messages; nothing is written to it
    channel     what the guest's init has to say, apart from them: see ``channel``
    terminal    a terminal for a user of the guest
    monitor     QEMU itself (QMP)

Each is one end of a socket pair, and the initramfs lies in memory: whatever ends this process,
nothing of a guest is left on the disk, and QEMU ends with it.

An *unpacked* ELF kernel with CONFIG_PVH boots directly, which takes 3 seconds in emulation; with a
bzImage most of the time would go into emulated decompression. There is no KASLR this way either,
so addresses are those in the image.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import RawIOBase
from typing import IO

from lkm.errors import FileError, NoLabProgramError
from lkm.lab.architectures import X86_64, Architecture

# Without a screen, a disk or a net; a reboot, which is what a panic ends in, ends the machine.
_ALWAYS = ("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot")
_PORTS = ("console", "channel", "terminal", "monitor")
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What to start: a *kernel* as QEMU takes it, its path or bytes; the parts of its *initramfs*.

    *command_line* is the kernel's, whole. *cpu* is QEMU's model; empty for the machine's default.
    """

    kernel: str | bytes
    initramfs: Sequence[bytes]
    command_line: str
    architecture: Architecture = X86_64
    accelerator: str = "tcg"
    cpu: str = "max"
    memory_mb: int = 512


class Guest:
    """A machine that runs. Its ports are sockets that do not block; the first two are read only."""

    def __init__(self, process: subprocess.Popen[bytes], ports: dict[str, socket.socket]) -> None:
        self.process = process
        self.console = ports["console"]
        self.channel = ports["channel"]
        self.terminal = ports["terminal"]
        self._monitor = ports["monitor"]

    def interrupt(self) -> None:
        """Send the machine an interrupt that cannot be masked; not every architecture has one."""
        words = [{"execute": "qmp_capabilities"}, {"execute": "inject-nmi"}]
        with contextlib.suppress(OSError):
            self._monitor.sendall(b"".join(json.dumps(word).encode() for word in words))

    def said(self) -> str:
        """Return what QEMU itself wrote, once it has ended: why it could not start, mostly."""
        output = self.process.stderr
        return "" if output is None else output.read().decode(errors="replace")


def program_of(architecture: Architecture) -> str:
    """Return the path of the QEMU for *architecture*. Raises ``NoLabProgramError``."""
    found = shutil.which(architecture.qemu)
    if found is None:
        raise NoLabProgramError(architecture.qemu, "is not installed", architecture.packages)
    return found


@contextlib.contextmanager
def started(machine: Machine) -> Iterator[Guest]:
    """Start *machine*; at the end of the block it is gone, however that ended.

    Raises ``NoLabProgramError``, ``FileError``.
    """
    program = program_of(machine.architecture)
    with contextlib.ExitStack() as stack:
        kernel = stack.enter_context(_as_path("kernel", machine.kernel))
        initramfs = stack.enter_context(_as_path("initramfs", machine.initramfs))
        pairs = {name: socket.socketpair() for name in _PORTS}
        for ours, theirs in pairs.values():
            stack.enter_context(ours)
            stack.enter_context(theirs)
        theirs_of = {name: theirs.fileno() for name, (_ours, theirs) in pairs.items()}
        process = subprocess.Popen(
            [program, *_arguments(machine, kernel.path, initramfs.path, theirs_of)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(*theirs_of.values(), *kernel.descriptors, *initramfs.descriptors),
            # Ctrl-C on the terminal is for us; whether the guest is to end by it we say.
            start_new_session=True,
            preexec_fn=ends_with_parent(),  # noqa: PLW1509  # it does no more than a call
        )
        stack.callback(_end, process)
        for ours, theirs in pairs.values():
            theirs.close()
            ours.setblocking(False)
        yield Guest(process, {name: ours for name, (ours, _theirs) in pairs.items()})


def _arguments(
    machine: Machine, kernel: str, initramfs: str, descriptors: dict[str, int]
) -> list[str]:
    tcg = machine.accelerator == "tcg"
    words = [*_ALWAYS, *machine.architecture.options]
    words += ["-accel", "tcg,thread=multi" if tcg else machine.accelerator]
    words += ["-cpu", machine.cpu] if machine.cpu else []
    words += ["-m", str(machine.memory_mb), "-kernel", kernel, "-initrd", initramfs]
    words += ["-append", machine.command_line]
    for name, descriptor in descriptors.items():
        words += ["-chardev", f"socket,id={name},fd={descriptor}"]
    for name, device in zip(_PORTS, machine.architecture.ports, strict=False):
        port = ["-device", f"{device},chardev={name}"] if device else ["-serial", f"chardev:{name}"]
        words += port
    return [*words, "-mon", "chardev=monitor,mode=control"]


@dataclass(frozen=True, slots=True)
class _Passed:
    """A file for QEMU: its *path*, and the *descriptors* that have to stay open for that."""

    path: str
    descriptors: tuple[int, ...] = ()


@contextlib.contextmanager
def _as_path(name: str, contents: str | bytes | Sequence[bytes]) -> Iterator[_Passed]:
    """Give *contents* a path: parts one after the other, in memory where that can be."""
    if isinstance(contents, str):
        yield _Passed(contents)
        return
    parts = [contents] if isinstance(contents, bytes) else contents
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create(name)
        with open(descriptor, "wb", buffering=0) as file:
            _write(file, parts, "memory")
            yield _Passed(f"/proc/self/fd/{descriptor}", (descriptor,))
        return
    with tempfile.NamedTemporaryFile(prefix="lkm-lab-", buffering=0) as temporary:
        _write(temporary, parts, temporary.name)
        yield _Passed(temporary.name)


def _write(file: RawIOBase | IO[bytes], parts: Sequence[bytes], name: str) -> None:
    try:
        for part in parts:
            view = memoryview(part)
            while view:
                view = view[file.write(view) or 0 :]
    except OSError as error:
        raise FileError.from_os("write", name, error) from None


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    if process.stderr is not None:
        process.stderr.close()


def ends_with_parent() -> Callable[[], None] | None:
    """Return what a child does so that it ends with the process that started it, however that does.

    None where the host knows no such thing.
    """
    if sys.platform != "linux":
        return None
    import ctypes  # before there is a child: it may find a lock taken

    library = ctypes.CDLL(None)
    return lambda: library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
