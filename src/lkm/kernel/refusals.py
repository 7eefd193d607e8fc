"""What a kernel's errno means: one table per operation.

ENOENT means two different things, and none of them is "No such file or directory". Source:
init_module(2) and delete_module(2), section ERRORS.
"""

from __future__ import annotations

import errno

from lkm.errors import (
    AlreadyLoadedError,
    BadModuleFormatError,
    InUseError,
    KernelError,
    NoModuleSupportError,
    NotLoadedError,
    NotPermittedError,
    UnknownSymbolError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

_REFUSALS: Final[Mapping[str, Mapping[int, type[KernelError]]]] = {
    "insert": {
        errno.EEXIST: AlreadyLoadedError,
        errno.ENOENT: UnknownSymbolError,
        errno.ENOEXEC: BadModuleFormatError,
        errno.EPERM: NotPermittedError,
        errno.ENOSYS: NoModuleSupportError,
    },
    "remove": {
        errno.ENOENT: NotLoadedError,
        errno.EAGAIN: InUseError,
        errno.EPERM: NotPermittedError,
        errno.ENOSYS: NoModuleSupportError,
    },
    # What the sandbox alone can be asked for.
    "finish": {errno.ENOENT: NotLoadedError},
    "hold": {errno.ENOENT: NotLoadedError},
    "release": {errno.ENOENT: NotLoadedError},
}


def refusal(
    operation: str, subject: str, number: int, *, log: tuple[str, ...] = (), remedy: str = ""
) -> KernelError:
    """Return the error for errno *number*, which a kernel answered to *operation*.

    *operation* is one of the table's; *log* holds the lines that the kernel logged meanwhile.
    An errno without a meaning of its own gives a plain ``KernelError``.
    """
    kind = _REFUSALS.get(operation, {}).get(number, KernelError)
    return kind(operation, subject, number, log=log, remedy=remedy)
