"""Where a command's words go: results to stdout, all else to stderr (or syslog)."""

from __future__ import annotations

import errno
import os

from lkm.errors import NoModuleSupportError, NotPermittedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

    from lkm.errors import KernelError, LkmError


class Console:
    """A command's two streams, the form of its messages, and its JSON document.

    *program* stands before each message, as in kmod: ``modprobe: ERROR: text``. Where *json* is
    set a command prints nothing to *out*: it leaves its result in *document*, and exactly one
    document is printed at the end, the *messages* in it, also where it failed. *failed* tells
    whether an error was said, *cause* which one it was. *quiet* keeps messages from stderr.
    """

    def __init__(self, program: str, out: TextIO, err: TextIO) -> None:
        self.program = program
        self.out = out
        self.err = err
        self.json = False
        self.document: Mapping[str, object] | None = None
        self.messages: list[tuple[str, str]] = []
        self.cause: LkmError | None = None
        self.failed = False
        self.quiet = False
        self._syslog = False

    def log_to_syslog(self) -> None:
        """Send messages to syslog from now on, facility daemon, without the program's name."""
        import syslog  # only -s needs it

        syslog.openlog(self.program, 0, syslog.LOG_DAEMON)
        self._syslog = True

    def say(self, level: str, text: str) -> None:
        """Write one message; *level* is FATAL, ERROR, WARNING, NOTICE, INFO or DEBUG."""
        if level in ("FATAL", "ERROR"):
            self.failed = True
        if self._syslog:
            import syslog  # see above

            self.messages.append((level, text))
            syslog.syslog(_SYSLOG_LEVELS[level], f"{level}: {text}")
        else:
            self.raw(f"{self.program}: {level}: {text}", level, text)

    def raw(self, line: str, level: str = "ERROR", text: str = "") -> None:
        """Write *line* to stderr as it is; the JSON document shows it by *level* and *text*."""
        self.messages.append((level, text or line))
        if self.quiet:
            return
        self.out.flush()
        try:
            self.err.write(line + "\n")
        except OSError:
            return  # nobody can be told

    def error(self, text: str) -> None:
        """Say what failed."""
        self.say("ERROR", text)

    def warning(self, text: str) -> None:
        """Say what may surprise, but keeps nothing from being done."""
        self.say("WARNING", text)

    def complain(self, error: LkmError, level: str = "ERROR") -> None:
        """Say in one line what failed and what helps."""
        self.cause = error
        self.say(level, one_line(error))

    def refused(self, text: str, error: KernelError, *, on: str) -> None:
        """Say in kmod's words that a kernel refused; then what lkm knows besides.

        Of the live kernel (*on*) advice is added where kmod's words alone mislead: to a user who
        is not root, and where it takes no modules at all. Another kernel tells its reasons: what
        helps is added, and the lines that it logged follow.
        """
        self.cause = error
        not_root = isinstance(error, NotPermittedError) and os.geteuid() != 0
        if isinstance(error, NoModuleSupportError):
            text = f"{text}; {error.means}; {error.remedy}"
        elif error.remedy and (on != "live" or not_root):
            text = f"{text}; {error.remedy}"
        self.error(text)
        for line in error.log:
            self.say("NOTICE", f"kernel: {line}")


class Closed:
    """Stands for a standard stream whose descriptor is closed.

    Writing to *strict* ones is an error like that of a full disk; what goes to others is lost.
    """

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict

    def write(self, text: str) -> int:
        """Fail, or forget *text*."""
        if self.strict and text:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return len(text)

    def flush(self) -> None:
        """Do nothing: nothing is kept."""

    def close(self) -> None:
        """Do nothing: it is closed."""

    def isatty(self) -> bool:
        """Tell that it is no terminal."""
        return False


_SYSLOG_LEVELS = {"FATAL": 2, "ERROR": 3, "WARNING": 4, "NOTICE": 5, "INFO": 6, "DEBUG": 7}


def one_line(error: LkmError) -> str:
    """Return cause and remedy of *error* as one line."""
    cause = " ".join(str(error).splitlines())
    return f"{cause}; {error.remedy}" if error.remedy else cause
