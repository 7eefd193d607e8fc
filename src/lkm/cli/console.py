"""Where a command's words go: results to stdout, all else to stderr (or syslog)."""

from __future__ import annotations

import os

from lkm.errors import NoModuleSupportError, NotPermittedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from lkm.errors import KernelError, LkmError


class Console:
    """A command's two streams, and the form of its messages.

    *program* stands before each message, as in kmod: ``modprobe: ERROR: text``.
    """

    def __init__(self, program: str, out: TextIO, err: TextIO) -> None:
        self.program = program
        self.out = out
        self.err = err
        self.failed = False
        self._syslog = False

    def log_to_syslog(self) -> None:
        """Send messages to syslog from now on, facility daemon, without the program's name."""
        import syslog  # noqa: PLC0415  # only -s needs it

        syslog.openlog(self.program, 0, syslog.LOG_DAEMON)
        self._syslog = True

    def say(self, level: str, text: str) -> None:
        """Write one message; *level* is FATAL, ERROR, WARNING, NOTICE, INFO or DEBUG."""
        if level in ("FATAL", "ERROR"):
            self.failed = True
        if self._syslog:
            import syslog  # noqa: PLC0415  # see above

            number = _SYSLOG_LEVELS[level]
            syslog.syslog(number, f"{level}: {text}")
            return
        self.out.flush()
        self.err.write(f"{self.program}: {level}: {text}\n")

    def error(self, text: str) -> None:
        """Say what failed."""
        self.say("ERROR", text)

    def warning(self, text: str) -> None:
        """Say what may surprise, but keeps nothing from being done."""
        self.say("WARNING", text)

    def complain(self, error: LkmError, level: str = "ERROR") -> None:
        """Say in one line what failed and what helps."""
        self.say(level, one_line(error))

    def refused(self, text: str, error: KernelError) -> None:
        """Say in kmod's words that a kernel refused; then what lkm knows besides.

        Advice is added where kmod's words alone mislead: to a user who is not root, and on a
        kernel without module support. The kernel's own log lines follow where it lets them be
        known, as the sandbox does.
        """
        not_root = isinstance(error, NotPermittedError) and os.geteuid() != 0
        if not_root or isinstance(error, NoModuleSupportError):
            text = f"{text}; {error.remedy}"
        self.error(text)
        for line in error.log:
            self.say("NOTICE", f"kernel: {line}")


_SYSLOG_LEVELS = {"FATAL": 2, "ERROR": 3, "WARNING": 4, "NOTICE": 5, "INFO": 6, "DEBUG": 7}


def one_line(error: LkmError) -> str:
    """Return cause and remedy of *error* as one line."""
    cause = " ".join(str(error).splitlines())
    return f"{cause}; {error.remedy}" if error.remedy else cause
