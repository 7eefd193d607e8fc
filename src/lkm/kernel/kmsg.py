r"""The kernel's log, ``/dev/kmsg``: what it logs from a moment on.

    PRIO,SEQ,USEC,FLAGS[,...];TEXT      PRIO is facility * 8 + level; facility 0 is the kernel
     KEY=value                          which device it is about; not of interest here

Bytes that are no printable ASCII, and backslashes, stand as ``\xNN``, a newline in the text too.
Source: the kernel's Documentation/ABI/testing/dev-kmsg, kernel/printk/printk.c.
"""

from __future__ import annotations

import errno
import os

from lkm import _text

PATH = "/dev/kmsg"

# One read gives one record, and none where it does not fit. Source: PRINTK_MESSAGE_MAX, at most
# CONSOLE_EXT_LOG_MAX before Linux 6.2: 8 KiB.
_RECORD_BYTES = 16384
# A driver that floods the log must not keep us here; no loader says so much about one module.
_MOST_READS = 10_000
# What is said of a refusal comes last, so of a flood the newest records are kept.
_KEPT = 1000
LOST = "(older lines of the log were lost)"
# Where a container has this for the log, silence means nothing.
_NULL = os.makedev(1, 3)
_KERNEL = 0
# O_NOCTTY: in some containers it is a link to the console.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class LogSince:
    """The kernel's log from now on: made before a call, read after it, closed in any case.

    Where the log at *path* may not or cannot be read, it has no lines; *readable* tells whether
    silence means that nothing was logged.
    """

    def __init__(self, path: str = PATH) -> None:
        self.readable = False
        self._descriptor = -1
        try:
            self._descriptor = os.open(path, _FLAGS)
            os.lseek(self._descriptor, 0, os.SEEK_END)
            self.readable = os.fstat(self._descriptor).st_rdev != _NULL
        except OSError:
            # Without a place to begin at, what was logged before could not be told from the rest;
            # and of a terminal that stands there, reading would take what is typed.
            self.close()

    def __enter__(self) -> LogSince:
        return self

    def __exit__(self, *_problem: object) -> None:
        self.close()

    def lines(self) -> tuple[str, ...]:
        """Return what the kernel has logged since, or since they were last asked for.

        Where some were lost, or are too many, the newest are kept, behind a line that says so.
        """
        data: list[bytes] = []
        lost = False
        for _ in range(_MOST_READS if self._descriptor >= 0 else 0):
            try:
                record = os.read(self._descriptor, _RECORD_BYTES)
            except OSError as error:
                if error.errno == errno.EPIPE:  # the oldest were overwritten; the rest is there
                    lost = True
                    continue
                break  # EAGAIN: that was all
            if not record:
                break
            data.append(record)
        lost = lost or len(data) > _KEPT
        lines = kernel_lines(b"".join(data[-_KEPT:]))
        return (LOST, *lines) if lost else lines

    def close(self) -> None:
        """Close the log; from then on it has no lines."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def kernel_lines(data: bytes) -> tuple[str, ...]:
    """Return the lines that the kernel itself logged, of the records in *data*.

    What processes have written there is left out, and so is what is no record or was cut off
    before its text. A text of several lines gives several.
    """
    lines: list[str] = []
    for record in data.split(b"\n"):
        head, semicolon, text = record.partition(b";")
        priority = head.partition(b",")[0]
        # No line of a record's keys begins with a digit: they are indented. A priority is short.
        if semicolon and priority.isdigit() and int(priority[:9]) >> 3 == _KERNEL:
            lines += _text.decode(_unescaped(text)).rstrip("\n").split("\n")
    return tuple(lines)


def _unescaped(text: bytes) -> bytes:
    first, *rest = text.split(b"\\x")
    pieces = [first]
    for piece in rest:
        try:
            byte = bytes.fromhex(piece[:2].decode("ascii"))
        except ValueError:
            byte = b""
        pieces += [byte, piece[2:]] if byte else [b"\\x", piece]
    return b"".join(pieces)
