"""The sandbox: a kernel in a file, which re-enacts what a real kernel's module loader does.

It reads real module files, goes through the loader's checks (``lkm.loader``), lays the module out,
counts references, taints, logs, and refuses with the errno and the log lines of the real kernel.
No module code runs, so what a module's init function would log or refuse does not happen. Nor do
capabilities or lockdown stand in the way: whoever may write the file is its root.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from lkm._text import encode
from lkm.errors import FileError
from lkm.kernel import kernel_rows
from lkm.kernel.loaded import LoadedModule
from lkm.kernel.sandbox_files import Folder
from lkm.kernel.sandbox_showing import entry, loaded_modules, shown_files, sys_module
from lkm.kernel.sandbox_status import Status, read_status
from lkm.kernel.store import Store, state_path
from lkm.kernel.sysfs import SysFolder
from lkm.loader.facts import ASKING
from lkm.loader.findings import LogLine
from lkm.module.file import ModuleImage
from lkm.names import ModuleName
from lkm.teaching import RELEASE as TEACHING_RELEASE
from lkm.teaching import teaching_root
from lkm.tree.installed import tree_directory

# What boots and what changes a kernel is imported where that is done: it brings the readers of
# images and the whole engine with it, which takes longer than to show a file of the sandbox.
if TYPE_CHECKING:
    from lkm.kernel.booting import BootFacts
    from lkm.kernel.sandbox_inserting import InitReturns

_WRITE_REMEDIES = {
    errno.EINVAL: "the value is not one that it takes; nothing was changed",
    errno.ERANGE: "the number is too large, or too small, for its type; nothing was changed",
    errno.ENOSPC: "the text is too long; nothing was changed",
    errno.EIO: "it can only be read",
}


class Sandbox:
    """The sandbox kernel in the state file at *path* (None: ``state_path()``).

    Every method but ``boot`` and ``reset`` raises ``NotBootedError`` where none is booted, and
    ``StateFileError`` where the file is not a sandbox's. It is a context manager, closing the file
    at its end. One that is not *capable* is asked by a process without CAP_SYS_MODULE; *asking* is
    the name of the process that asks.
    """

    name = "sandbox"

    def __init__(
        self,
        path: str | None = None,
        *,
        notice: Callable[[str], None] | None = None,
        capable: bool = True,
        asking: str = ASKING,
    ) -> None:
        self.path = state_path() if path is None else path
        self._store = Store(self.path)
        self._notice = notice
        self._told: set[str] = set()
        self._capable = capable
        self.asking = asking
        self._answers: dict[ModuleName, InitReturns] = {}

    @classmethod
    def open(
        cls,
        path: str | None = None,
        *,
        notice: Callable[[str], None] | None = None,
        asking: str = ASKING,
    ) -> Sandbox:
        """Return the sandbox with a kernel in it: where none is booted, the teaching kernel is.

        That is said to *notice*, in one sentence. Raises as ``boot``.
        """
        sandbox = cls(path, notice=notice, asking=asking)
        if sandbox.boot_if_none(TEACHING_RELEASE, teaching_root()) and notice is not None:
            notice(
                f"no kernel was booted in the sandbox: it is the teaching kernel now, "
                f"{TEACHING_RELEASE} (`lkm sandbox boot --release R --root DIR` boots another)"
            )
        return sandbox

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_problem: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the state file; the next question opens it again."""
        self._store.close()

    def boot(
        self,
        release: str,
        root: str = "/",
        *,
        directory: str = "",
        command_line: str = "",
        symvers: str = "",
        vmlinux: str = "",
        certificates: Iterable[str] = (),
    ) -> Status:
        """Boot the kernel *release* of *root*; one that was there before is gone.

        *directory* is its tree, by default found under *root*, as is its image where *vmlinux*
        does not name it, or saved facts of it. *symvers* names a Module.symvers to take the
        kernel's exports from, *certificates* files with certificates that it trusts beside its
        own. Raises ``NoTreeError`` and what reading tree, image and certificates raises, and
        leaves the old kernel then. A state of lkm's that is damaged is replaced.
        """
        from lkm.kernel.booting import read_symvers
        from lkm.kernel.enrolling import check_certificates, read_enrolled

        self._store.ask_own()
        certificates = tuple(certificates)
        check_certificates(certificates)  # before an image is read, which takes longer
        if symvers:
            read_symvers(symvers)
        values, facts = _found(release, root, directory, command_line, symvers, vmlinux)
        enrolled = read_enrolled(certificates, release, facts.options)
        facts = replace(facts, enrolled=enrolled)
        with self._store.starting() as connection:
            kernel_rows.write_boot(connection, facts)
            kernel_rows.write_values(connection, values)
        return self.status()

    def boot_if_none(self, release: str, root: str) -> bool:
        """Boot the kernel *release* of *root* unless one is booted; tell whether that was done.

        Of several processes that try at the same time one does it. Raises as ``boot``.
        """
        if self._store.booted():
            return False
        values, facts = _found(release, root)
        with self._store.starting_once() as connection:
            if connection is not None:
                kernel_rows.write_boot(connection, facts)
                kernel_rows.write_values(connection, values)
        return connection is not None

    def reset(self) -> None:
        """Forget the kernel: afterwards none is booted."""
        if self._store.exists():
            with self._store.starting():
                pass

    def status(self) -> Status:
        """Return what kernel this is."""
        with self._store.reading() as connection:
            return read_status(connection, self.path)

    def release(self) -> str:
        """See Kernel."""
        return self._value("release")

    def command_line(self) -> str:
        """See Kernel."""
        return self._value("command_line")

    def tainted(self) -> int:
        """See Kernel."""
        return int(self._value("tainted"))

    def modules(self) -> tuple[LoadedModule, ...]:
        """See Kernel."""
        with self._store.reading() as connection:
            return loaded_modules(connection, capable=self._capable)

    def present(self) -> tuple[LoadedModule, ...]:
        """See Kernel."""
        return self.modules()

    def snapshot(self) -> tuple[tuple[LoadedModule, ...], SysFolder | None]:
        """See Kernel."""
        with self._store.reading() as connection:
            modules = loaded_modules(connection, capable=self._capable)
            return modules, sys_module(connection, capable=self._capable)

    def find(self, name: ModuleName) -> LoadedModule | None:
        """See Kernel."""
        found = [module for module in self.modules() if module.name == name]
        return found[0] if found else None

    def sys_module(self) -> SysFolder | None:
        """See Kernel."""
        with self._store.reading() as connection:
            return sys_module(connection, capable=self._capable)

    def insert(
        self,
        image: ModuleImage,
        params: str | None = "",
        *,
        flags: int = 0,
        init_returns: InitReturns = None,
    ) -> ModuleName:
        """See Kernel; *params* may be None, a null pointer.

        A refused insert leaves its log lines and its taints behind, no more.

        *init_returns* is what the module's init returns: a negative errno refuses the module,
        a positive number is told in the log, and with ``NEVER`` the module stays coming. None is
        what ``answer`` was told of that module, else 0. Raises ``CannotTellError`` where that
        hangs on what nobody has said, and ``UsageError`` for a module without init.
        """
        from lkm.kernel import sandbox_inserting

        if init_returns is None:
            init_returns = self._answers.get(image.name)
        with self._store.changing() as connection:
            verdict = sandbox_inserting.insert(
                connection,
                image,
                sandbox_inserting.Asked(
                    params=params,
                    flags=flags,
                    init_returns=init_returns,
                    capable=self._capable,
                    name=self.asking,
                ),
            )
        if verdict.errno:
            raise sandbox_inserting.refused(image, verdict)
        name = sandbox_inserting.loaded_name(image, verdict)
        for doubt in sandbox_inserting.told_doubts(verdict):
            self._tell(f"could not tell ({doubt.check}): {doubt.evidence}")
        if init_returns == sandbox_inserting.NEVER:
            self._tell(
                f"{name} stays coming: its init has not returned "
                f"(lkm sandbox finish {name} lets it)"
            )
        return name

    def answer(self, name: ModuleName, init_returns: InitReturns) -> None:
        """Say what the init of the module *name* returns at inserts that do not say it."""
        self._answers[name] = init_returns

    def remove(self, name: ModuleName, *, flags: int = 0, exit_hangs: bool = False) -> None:
        """See Kernel. *name* must be the kernel's spelling, byte for byte.

        Where its *exit_hangs* the module stays, going. Raises ``UsageError`` for a module that
        has no exit then.
        """
        from lkm.kernel import sandbox_removing

        with self._store.changing() as connection:
            sandbox_removing.remove(
                connection, name, flags=flags, exit_hangs=exit_hangs, capable=self._capable
            )
        if exit_hangs:
            self._tell(
                f"{name} stays going: its exit has not ended (lkm sandbox finish {name} lets it)"
            )

    def finish(self, name: ModuleName, returned: int = 0) -> LoadedModule | None:
        """Let the init of a coming module return *returned*, or the exit of a going one end.

        Returns the module as it is then, None where it is gone: an init that returns a negative
        errno, or an exit. Raises ``NotLoadedError``, a ``KernelError`` (EINVAL) where nothing
        waits, and ``UsageError`` for a number that it cannot return.
        """
        from lkm.kernel import sandbox_removing

        with self._store.changing() as connection:
            sandbox_removing.finish(connection, name, returned)
        return self.find(name)

    def hold(self, name: ModuleName) -> None:
        """Take a reference that no module stands for, as try_module_get() and symbol_get() do.

        Raises ``NotLoadedError``, for one that is going as well, and ``NoUnloadingError``.
        """
        from lkm.kernel import sandbox_removing

        with self._store.changing() as connection:
            sandbox_removing.hold(connection, name)

    def release_hold(self, name: ModuleName) -> None:
        """Give back a reference that ``hold`` took; raises as that, and where there is none."""
        from lkm.kernel import sandbox_removing

        with self._store.changing() as connection:
            sandbox_removing.release_hold(connection, name)

    def write(self, path: str, value: str) -> None:
        """Write *value* to *path*, a file under its ``/proc`` or ``/sys``; no newline is added.

        Parameters of modules can be written as far as their modes let root, and
        ``modules_disabled``, ``kptr_restrict`` and ``tainted`` in ``/proc/sys/kernel``. Raises
        ``FileError`` with the kernel's errno, and ``CannotTellError`` for a parameter that code of
        the module takes.
        """
        from lkm.kernel.sandbox_writing import Write

        with self._store.changing() as connection:
            number = Write(connection, path, value).carry_out(shown_files(connection))
        if number:  # what was logged of it has to stay
            raise FileError("write", path, number, _WRITE_REMEDIES.get(number, ""))

    def log(self) -> tuple[LogLine, ...]:
        """Return what its kernel has logged since it was booted, oldest first."""
        with self._store.reading() as connection:
            return kernel_rows.read_log(connection)

    def read(self, path: str) -> bytes:
        """Return the contents of *path*, a file under its ``/proc`` or ``/sys``.

        A folder gives its entries, one a line. Raises ``FileError`` (ENOENT) for what is not there.
        """
        entry = self._entry(path)
        if isinstance(entry, bytes):
            return entry
        return encode("".join([f"{name}\n" for name in sorted(entry)]))

    def listing(self, path: str) -> tuple[str, ...]:
        """Return the sorted entries of the folder at *path*. Raises ``FileError``."""
        entry = self._entry(path)
        if isinstance(entry, bytes):
            raise FileError("list", path, errno.ENOTDIR)
        return tuple(sorted(entry))

    def entries(self, path: str) -> tuple[str, ...] | None:
        """Return the sorted entries of *path*, None where it is a file. Raises ``FileError``."""
        entry = self._entry(path)
        return None if isinstance(entry, bytes) else tuple(sorted(entry))

    def _tell(self, text: str) -> None:
        """Say *text* once."""
        if self._notice is not None and text not in self._told:
            self._told.add(text)
            self._notice(text)

    def _entry(self, path: str) -> Folder | bytes:
        with self._store.reading() as connection:
            return entry(connection, path, capable=self._capable)

    def _value(self, key: str) -> str:
        with self._store.reading() as connection:
            return kernel_rows.read_values(connection)[key]


def _found(
    release: str,
    root: str,
    directory: str = "",
    command_line: str = "",
    symvers: str = "",
    vmlinux: str = "",
) -> tuple[dict[str, str], BootFacts]:
    """Return the values of a kernel to boot that were given, and the facts that were found."""
    from lkm.kernel.booting import boot_facts

    root = os.path.abspath(root)
    directory = os.path.abspath(directory or tree_directory(root, release))
    values = {
        "release": release,
        "root": root,
        "directory": directory,
        "command_line": command_line,
    }
    return values, boot_facts(root, release, directory, symvers=symvers, vmlinux=vmlinux)
