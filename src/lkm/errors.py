"""Everything that lkm raises.

Each error says what was tried, on what, why it failed and, where that is known, what helps:
``str(error)`` is one line of cause, ``error.remedy`` one clause of advice or empty.
"""

from __future__ import annotations

import errno as errno_module
import os

from lkm._text import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class LkmError(Exception):
    """The root of every error that lkm raises."""

    remedy = ""


class UsageError(LkmError):
    """What was asked for contradicts itself or cannot be meant."""


class BadNameError(LkmError):
    """A text that cannot be a module's name or alias."""

    def __init__(self, text: str, problem: str) -> None:
        self.text = text
        self.problem = problem
        super().__init__(f"bad name {quoted(text)}: {problem}")


class FormatError(LkmError):
    """Bytes that are not what they claim to be.

    *what* names the format, *offset* the byte where reading failed (None where no one place is to
    blame), *path* the file, once it is known. *remedy* replaces the advice for a damaged file.
    """

    remedy = "the file is damaged, cut off, or something else: get it anew"

    def __init__(
        self,
        what: str,
        problem: str,
        *,
        offset: int | None = None,
        path: str | None = None,
        remedy: str | None = None,
    ) -> None:
        if remedy is not None:
            self.remedy = remedy
        self.what = what
        self.problem = problem
        self.offset = offset
        self.path = path
        place = "" if offset is None else f" (byte {offset})"
        prefix = "" if path is None else f"{path}: "
        super().__init__(f"{prefix}{what}: {problem}{place}")

    def at(self, path: str) -> FormatError:
        """Return the same error, naming the file that the bytes came from."""
        return FormatError(
            self.what, self.problem, offset=self.offset, path=path, remedy=self.remedy
        )


class FileError(LkmError):
    """The file system refused. *errno* is its number, *operation* a verb ("read", "write")."""

    def __init__(self, operation: str, path: str, errno: int, remedy: str = "") -> None:
        self.operation = operation
        self.path = path
        self.errno = errno
        self.remedy = remedy or _FILE_REMEDIES.get(errno, "")
        super().__init__(f"cannot {operation} {path}: {os.strerror(errno)}")

    @classmethod
    def from_os(cls, operation: str, path: str, error: OSError) -> FileError:
        """Return the error for what the operating system answered about *path*."""
        return cls(operation, path, error.errno or errno_module.EIO)


_FILE_REMEDIES = {
    errno_module.EACCES: "the file's permissions do not allow it to this user",
    errno_module.ENOSPC: "free some space on that file system",
    errno_module.EROFS: "the file system is mounted read-only; choose another folder",
}


class MissingLibraryError(LkmError):
    """A Python library that this needs is not installed."""

    def __init__(self, library: str, purpose: str) -> None:
        self.needed = library
        self.remedy = f"pip install {library}"
        super().__init__(f"{purpose} needs the Python library {library}")


class NoTreeError(LkmError):
    """There is no modules directory where one was looked for."""

    def __init__(self, directory: str, problem: str, remedy: str = "") -> None:
        self.directory = directory
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{directory}: {problem}")


class NoSuchModuleError(LkmError):
    """No module, built-in, alias or command of that name is known."""

    def __init__(self, name: str, where: str, remedy: str = "") -> None:
        self.name = name
        self.where = where
        self.remedy = remedy
        super().__init__(f"Module {name} not found in directory {where}")


class CycleError(LkmError):
    """Modules that depend on each other, so that none of them can be loaded first.

    Each of *cycles* is a chain of module names, in the order in which each needs the next; the
    last needs the first again. *directory* is the tree, *problem* the cause without it.
    """

    remedy = "break the cycle: no order of loading works"

    def __init__(self, cycles: tuple[tuple[str, ...], ...], directory: str) -> None:
        self.cycles = cycles
        self.directory = directory
        shown = ", ".join([_chain_text(cycle) for cycle in cycles[:_CYCLES_SHOWN]])
        more = len(cycles) - _CYCLES_SHOWN
        rest = f" (and {more} more cycle{'s' if more > 1 else ''})" if more > 0 else ""
        self.problem = f"modules depend on each other: {shown}{rest}"
        super().__init__(f"{directory}: {self.problem}")

    @property
    def kmod_lines(self) -> tuple[str, ...]:
        """The lines in which kmod's depmod says it; unlike ``str``, with every chain whole."""
        count = len({name for cycle in self.cycles for name in cycle})
        chains = [f"Cycle detected: {' -> '.join((*cycle, cycle[0]))}" for cycle in self.cycles]
        return (*chains, f"Found {count} modules in dependency cycles!")


# As much of a tangle as one line can hold.
_CYCLES_SHOWN = 3
_CHAIN_SHOWN = 8


def _chain_text(cycle: tuple[str, ...]) -> str:
    if len(cycle) > _CHAIN_SHOWN:
        hidden = len(cycle) - _CHAIN_SHOWN
        cycle = (*cycle[:_CHAIN_SHOWN], f"... {hidden} more ...")
    return " -> ".join((*cycle, cycle[0]))


class CommandFailedError(LkmError):
    """An install or remove command that modprobe.d asked for ended badly."""

    def __init__(self, kind: str, command: str, module: str, status: int) -> None:
        self.kind = kind
        self.command = command
        self.module = module
        self.status = status
        super().__init__(
            f"Error running {kind} command '{command}' for module {module}: retcode {status}"
        )


class KernelError(LkmError):
    """A kernel refused.

    *operation* is ``insert``, ``remove`` or what else was asked; *subject* the module; *errno* the
    kernel's answer; *log* the lines that it logged meanwhile, without time stamps. ``means`` says
    in words what this errno stands for in this operation: ``strerror`` for "already loaded" is
    "File exists". *check* is the id of the module loader's check that refused, *evidence* what that
    found; both are empty where nobody tells, as of the live kernel.
    """

    means = ""
    check = ""
    evidence = ""

    def __init__(
        self,
        operation: str,
        subject: str,
        errno: int,
        *,
        log: tuple[str, ...] = (),
        remedy: str = "",
    ) -> None:
        self.operation = operation
        self.subject = subject
        self.errno = errno
        self.log = log
        if remedy:
            self.remedy = remedy
        super().__init__(f"cannot {operation} {subject}: {self.means or os.strerror(errno)}")


class AlreadyLoadedError(KernelError):
    """insert, EEXIST: a module of that name is loaded."""

    means = "a module of that name is loaded already"


class UnknownSymbolError(KernelError):
    """insert, ENOENT: nobody exports a symbol that the module needs."""

    means = "it needs symbols that neither the kernel nor a loaded module exports"
    remedy = "load its dependencies first, as modprobe does"


class BadModuleFormatError(KernelError):
    """insert, ENOEXEC: not a module for this kernel."""

    means = "not a module for this kernel"
    remedy = "take the module file built for exactly this kernel"


class NotLoadedError(KernelError):
    """remove, ENOENT: no such module is loaded."""

    means = "it is not loaded"


class InUseError(KernelError):
    """remove, EAGAIN: other modules, or something else, hold it."""

    means = "it is in use"


class NotPermittedError(KernelError):
    """insert or remove, EPERM."""

    means = "the kernel does not permit it"
    remedy = (
        "changing the running kernel needs root (CAP_SYS_MODULE); reading needs no root, and "
        "`--on sandbox` needs none at all"
    )


class NoModuleSupportError(KernelError):
    """Any operation on a kernel that has no support for loadable modules."""

    means = "this kernel has no support for loadable modules"
    remedy = "use `--on sandbox`: a kernel in a file, which needs no root"


class NoUnloadingError(KernelError):
    """remove, ENOSYS: the kernel keeps every module until it is booted anew."""

    means = "this kernel cannot remove modules (CONFIG_MODULE_UNLOAD is off)"
    remedy = "boot it anew: nothing else removes a module there"


class CannotTellError(LkmError):
    """What the sandbox's kernel would do hangs on what nobody here knows; nothing was done.

    *operation* is ``insert`` or ``write``, *subject* a module or a file, *evidence* what is not
    known, *check* the id of the module loader's check that would have to know it.
    """

    def __init__(
        self, operation: str, subject: str, evidence: str, remedy: str = "", *, check: str = ""
    ) -> None:
        self.operation = operation
        self.subject = subject
        self.evidence = evidence
        self.remedy = remedy
        self.check = check
        asked = f"whether {subject} loads" if operation == "insert" else f"what {subject} takes"
        super().__init__(f"cannot tell {asked}: {evidence}")


class NotBootedError(LkmError):
    """The sandbox kernel was never booted, so there is no kernel to ask or to change."""

    remedy = "boot it: lkm sandbox boot --release RELEASE --root DIR"

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"no sandbox kernel is booted (its state would be in {path})")


class StateFileError(LkmError):
    """The file that should hold the sandbox's state is something else; it is left as it is."""

    def __init__(self, path: str, problem: str, remedy: str = "") -> None:
        self.path = path
        self.problem = problem
        self.remedy = remedy or "name another file in LKM_STATE, or move this one away"
        super().__init__(f"{path}: {problem}")


class LabError(LkmError):
    """A real kernel in QEMU could not be started, or did not do what it was started for."""


class NoLabProgramError(LabError):
    """A program that the lab needs is not there.

    *packages* has the package with it, by distribution; *package* is Debian's.
    """

    def __init__(self, program: str, problem: str, packages: Sequence[tuple[str, str]]) -> None:
        self.program = program
        self.packages = tuple(packages)
        self.package = dict(packages).get("debian", "")
        ways = [
            f"{_INSTALLERS[name][1]} {package} ({_INSTALLERS[name][0]})"
            for name, package in packages
        ]
        self.remedy = f"install it: {', '.join(ways)}"
        super().__init__(f"{program} {problem}")


_INSTALLERS = {
    "debian": ("Debian, Ubuntu", "apt-get install"),
    "fedora": ("Fedora", "dnf install"),
    "arch": ("Arch", "pacman -S"),
    "opensuse": ("openSUSE", "zypper install"),
    "alpine": ("Alpine", "apk add"),
}


class GuestFailedError(LabError):
    """The guest ended before its init did.

    *output* is what the init had said, *last* what QEMU and the kernel said at the end, as lines.
    """

    def __init__(self, output: str, last: tuple[str, ...]) -> None:
        self.output = output
        self.last = last
        cause = f": {quoted(last[-1])}" if last else ""
        super().__init__(f"the guest ended before its init did{cause}")


class GuestOutputError(LabError):
    """What a command in a guest wrote is not, or not all, to be had."""


class GuestTimedOutError(LabError):
    """The guest still ran when its time was over, and was stopped; *output*, *last* as above."""

    remedy = "give it more time, or look at what its console said last"

    def __init__(self, timeout_s: float, output: str, last: tuple[str, ...]) -> None:
        self.timeout_s = timeout_s
        self.output = output
        self.last = last
        super().__init__(f"the guest still ran after {timeout_s:g} s")


class FetchError(LabError):
    """A distribution's kernel could not be fetched; *remedy* tells what helps, or another way."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(problem)


class NoPackageToolError(FetchError):
    """The program that fetches packages of a distribution is not there, or unknown to lkm."""


class NoSuchKernelError(FetchError):
    """The distribution has no such kernel; *there* are the series that it has, oldest first."""

    def __init__(self, problem: str, there: tuple[str, ...], remedy: str = "") -> None:
        self.there = there
        super().__init__(problem, remedy)


class PackageToolError(FetchError):
    """A package tool failed: *command* is what it was asked for, *said* its last line."""

    def __init__(self, command: str, said: str, remedy: str = "") -> None:
        self.command = command
        self.said = said
        super().__init__(f"{command}: {said}", remedy)
