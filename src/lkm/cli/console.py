"""Where a command's words go: results to stdout, all else to stderr (or syslog)."""

from __future__ import annotations

import errno
import os

from lkm._text import printable
from lkm.errors import FileError, FormatError, NoModuleSupportError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

    from lkm.errors import KernelError, LkmError


HINTS = "LKM_HINTS"
"""Set where lkm's own words are wanted although nobody sits at a terminal."""

NO_MODINFO = "it has no section .modinfo"
_LOG_LINES = 20  # of a kernel's log that are said of one refusal
_IDENT_BYTES = 17  # what kmod wants to see of an ELF file to take it for one


class Console:
    """A command's two streams, the form of its messages, and its JSON document.

    *program* stands before each message, as in kmod: ``modprobe: ERROR: text``. Where *json* is
    set a command prints nothing to *out*: it leaves its result in *document*, and exactly one
    document is printed at the end, the *messages* in it, also where it failed. *failed* tells
    whether an error was said, *cause* which one it was. *quiet* keeps messages from stderr.
    *level* is the least important one that is said, as a number of syslog's: -v raises it.
    *kernel* is the one that ``--on`` names. *at_end* is done when all is written, the document too.
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
        self.level = _SYSLOG_LEVELS["ERROR"]
        self.kernel = "live"
        self.at_end: Callable[[], object] = _do_nothing
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

    def raw(
        self, line: str, level: str = "ERROR", text: str = "", *, whatever: bool = False
    ) -> None:
        """Write *line* to stderr as it is; the JSON document shows it by *level* and *text*.

        With *whatever* it is written also where the console is quiet.
        """
        self.messages.append((level, text or line))
        if self.quiet and not whatever and _SYSLOG_LEVELS[level] > self.level:
            return
        self.out.flush()
        try:
            self.err.write(line + "\n")
        except OSError:
            return  # nobody can be told

    def info(self, text: str) -> None:
        """Say what kmod says at the level INFO only, which takes several -v."""
        if self.level >= _SYSLOG_LEVELS["INFO"]:
            self.say("INFO", text)

    def error(self, text: str, cause: LkmError | None = None) -> None:
        """Say what failed; *cause* is what the JSON document gives as the reason."""
        self.cause = cause or self.cause
        self.say("ERROR", text)

    def misused(self, text: str) -> None:
        """Say what is wrong with the command line."""
        self.error(text, UsageError(text))

    def warning(self, text: str) -> None:
        """Say what may surprise, but keeps nothing from being done."""
        self.say("WARNING", text)

    def hint(self, text: str, *, needed: bool = False) -> None:
        """Tell in a line of its own what lkm knows besides kmod's words: the cause, what helps.

        Who compares with kmod's own stderr is to find nothing else there, so it is written only
        to a terminal, of a kernel that is not the live one, and where it is *needed*, since
        kmod's words alone lead nowhere. The JSON document always has it.
        """
        if needed or self.kernel != "live" or self.err.isatty() or os.environ.get(HINTS):
            self.say("NOTICE", text)
        else:
            self.messages.append(("NOTICE", text))

    def complain(self, error: LkmError, level: str = "ERROR") -> None:
        """Say in one line what failed and what helps."""
        self.cause = error
        self.say(level, one_line(error))

    def usage(self, program: str, error: UsageError) -> None:
        """Say by which *error* the command line of *program* cannot be meant."""
        self.cause = error
        self.raw(f"{program}: {one_line(error)}", text=one_line(error))

    def failed_by(self, text: str, error: LkmError) -> None:
        """Say *text*, which is kmod's, of what failed by *error*; then cause and remedy."""
        self.cause = error
        self.error(text)
        self._explain(error)

    def _explain(self, error: LkmError) -> None:
        if isinstance(error, FileError):
            hint = error.remedy  # strerror's words stand in kmod's line already
        elif isinstance(error, NoModuleSupportError):
            hint = f"{error.means}; {error.remedy}"
        else:
            hint = one_line(error)
        if hint:
            self.hint(hint, needed=isinstance(error, NoModuleSupportError))

    def refused(self, text: str, error: KernelError) -> None:
        """Say in kmod's words that a kernel refused; then what lkm knows besides.

        That is the lines that the kernel logged, then which check refused by which evidence, where
        that is known, and what helps.
        """
        self.cause = error
        self.error(text)
        if len(error.log) > _LOG_LINES:
            # The reason comes last.
            self.hint(f"kernel: {len(error.log) - _LOG_LINES} more lines in its log, then ...")
        for line in error.log[-_LOG_LINES:]:
            self.hint(f"kernel: {printable(line)}")
        if isinstance(error, NoModuleSupportError) and not error.check:
            self._explain(error)
        elif hint := reasons(error):
            self.hint(hint)


def _do_nothing() -> None:
    """Stand in where there is nothing to do at the end."""


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


_MAGIC_BYTES = 6
_SYSLOG_LEVELS = {"FATAL": 2, "ERROR": 3, "WARNING": 4, "NOTICE": 5, "INFO": 6, "DEBUG": 7}


def one_line(error: LkmError) -> str:
    """Return cause and remedy of *error* as one line."""
    cause = " ".join(str(error).splitlines())
    return f"{cause}; {error.remedy}" if error.remedy else cause


def reasons(error: KernelError) -> str:
    """Return what refused and why, then what helps, in one line; empty where nobody knows.

    Evidence that a line of the log says already is left out.
    """
    told = any(error.evidence in line for line in error.log)
    parts = [] if told or not error.evidence else [error.evidence]
    parts += [error.remedy] if error.remedy else []
    if not parts and error.check:
        parts = ["the kernel's own line tells why"]
    return "; ".join(parts) + (f" ({error.check})" if error.check else "")


def errno_of(error: LkmError) -> int:
    """Return the errno by which kmod would have learned of *error*, about a module's file."""
    if isinstance(error, FileError):
        return error.errno
    if not isinstance(error, FormatError):
        return errno.EINVAL
    if error.problem == NO_MODINFO:
        return errno.ENODATA
    cut = error.problem == "cut off inside the ELF header" and (error.offset or 0) < _IDENT_BYTES
    if not cut and error.problem != "not an ELF file":
        return errno.EINVAL
    # kmod looks for a compression first, for which it wants six bytes.
    return errno.EINVAL if _is_tiny(error.path) else errno.ENOEXEC


def _is_tiny(path: str | None) -> bool:
    try:
        return path is not None and os.stat(path).st_size < _MAGIC_BYTES
    except OSError:
        return False
