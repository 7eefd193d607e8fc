"""The lock that a depmod holds while it writes into a directory.

It is a file that only its maker can open: a lock on the directory itself, which everybody can open
and so lock, would let any user hold up the upgrade of a kernel.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

LOCK_NAME = ".depmod.lkm-lock"
_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOR_OTHERS = 0o077
_PAUSE_S = 0.05
# What a file system answers that knows no locks. Two depmods may get in each other's way there,
# and one of them then fails; still nobody reads half a file.
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


class Lock:
    """The lock on *directory*, free again and its file removed at the end of a ``with``.

    *waiting* is called once where it is not to be had at once.
    """

    def __init__(self, directory: str, waiting: Callable[[], None] | None = None) -> None:
        self._path: Final = f"{directory}/{LOCK_NAME}"
        self._waiting = waiting
        self._descriptor = -1
        self._held = False

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Give the lock back, where it is held."""
        if self._held:
            # Only its holder removes the file, so nobody else can hold another of that name.
            self._remove()
        self._held = False
        self._close()

    def take(self, patience_s: float) -> None:
        """Take the lock. Raises ``TimeoutError`` when the patience is at its end, or ``OSError``.

        A file that others can open, or have made, is none of ours, and replaced.
        """
        end = time.monotonic() + patience_s
        while True:
            self._open()
            if not self._is_ours():
                self._remove()
            elif self._locked():
                self._held = self._is_in_place()
                if self._held:
                    return
            else:
                self._pause(end)
            self._close()

    def _open(self) -> None:
        try:
            self._descriptor = os.open(self._path, _OPEN, 0o600)
        except PermissionError as problem:
            try:
                os.unlink(self._path)
            except OSError:
                raise problem from None
            self._descriptor = os.open(self._path, _OPEN | os.O_EXCL, 0o600)

    def _is_ours(self) -> bool:
        status = os.fstat(self._descriptor)
        return status.st_uid == os.geteuid() and not status.st_mode & _FOR_OTHERS

    def _locked(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as problem:
            if problem.errno not in _NO_LOCKS:
                raise
        return True

    def _is_in_place(self) -> bool:
        """Tell whether the file that is open is still the one that others find."""
        try:
            there = os.stat(self._path, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self._descriptor))

    def _pause(self, end: float) -> None:
        if time.monotonic() >= end:
            raise TimeoutError
        if self._waiting is not None:
            self._waiting()
            self._waiting = None
        time.sleep(_PAUSE_S)

    def _remove(self) -> None:
        if self._is_in_place():
            os.unlink(self._path)

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
