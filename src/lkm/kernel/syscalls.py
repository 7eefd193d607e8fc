"""The system calls that insert and remove modules."""

from __future__ import annotations

import errno
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final, Protocol
else:
    Protocol = object  # as in lkm.kernel.protocol

# finit_module has no wrapper in glibc, though other libraries have one. Source: the kernel's
# arch/*/entry/syscalls/*.tbl and include/uapi/asm-generic/unistd.h, which the architectures not
# named here use.
_FINIT_MODULE: Final[Mapping[tuple[str, int], int]] = {
    ("x86_64", 8): 313,
    ("x86", 4): 350,
    ("arm", 4): 379,
    ("ppc", 4): 353,
    ("ppc", 8): 353,
    ("s390", 8): 344,
    ("mips", 4): 4348,
    ("mips", 8): 5307,
    ("sparc", 4): 342,
    ("sparc", 8): 342,
    ("aarch64", 8): 273,
    ("riscv", 8): 273,
    ("loongarch", 8): 273,
}


class Syscalls(Protocol):
    """The three calls; each returns 0, or the errno as a negative number.

    *flags* are those of finit_module(2) and of delete_module(2).
    """

    def init_module(self, image: bytes, params: bytes) -> int:
        """Insert the module whose uncompressed file is *image*."""

    def finit_module(self, descriptor: int, params: bytes, flags: int) -> int:
        """Load the module file that is open at *descriptor*."""

    def delete_module(self, name: bytes, flags: int) -> int:
        """Remove the module of that name."""


class LinuxSyscalls:
    """The calls of the running kernel, through the C library."""

    def init_module(self, image: bytes, params: bytes) -> int:
        """See Syscalls."""
        import ctypes  # costs 10 ms, and only a command that loads needs it

        return self._call("init_module", image, ctypes.c_ulong(len(image)), params)

    def finit_module(self, descriptor: int, params: bytes, flags: int) -> int:
        """See Syscalls; an architecture whose number is not known here answers ENOSYS."""
        import ctypes  # as above

        if hasattr(ctypes.CDLL(None), "finit_module"):
            return self._call("finit_module", ctypes.c_int(descriptor), params, ctypes.c_int(flags))
        number = finit_module_number(os.uname().machine, struct.calcsize("P"))
        if number is None:
            return -errno.ENOSYS
        return self._call(
            "syscall",
            ctypes.c_long(number),
            ctypes.c_int(descriptor),
            params,
            ctypes.c_int(flags),
        )

    def delete_module(self, name: bytes, flags: int) -> int:
        """See Syscalls."""
        import ctypes  # as above

        return self._call("delete_module", name, ctypes.c_uint(flags))

    def _call(self, function: str, *arguments: object) -> int:
        import ctypes  # as above

        library = ctypes.CDLL(None, use_errno=True)
        found = getattr(library, function, None)
        if found is None:
            return -errno.ENOSYS
        found.restype = ctypes.c_long
        ctypes.set_errno(0)
        result: int = found(*arguments)
        return -(ctypes.get_errno() or errno.EIO) if result < 0 else 0


def finit_module_number(machine: str, pointer_bytes: int) -> int | None:
    """Return finit_module's system call number for a program, None where it is not known.

    *machine* is ``uname -m`` of the kernel; *pointer_bytes* the program's: a 32-bit program on a
    64-bit kernel uses the 32-bit number.
    """
    if machine == "x86_64" and pointer_bytes == 4:
        return _FINIT_MODULE["x86", 4]
    if machine == "aarch64" and pointer_bytes == 4:
        return _FINIT_MODULE["arm", 4]
    if len(machine) == 4 and machine[0] == "i" and machine.endswith("86"):
        machine = "x86"
    for (prefix, pointer), number in _FINIT_MODULE.items():
        if machine.startswith(prefix) and pointer == pointer_bytes:
            return number
    return None
