"""The sandbox: a kernel in a file, which re-enacts what a real kernel's module loader does.

It reads real module files, goes through the loader's checks (``lkm.loader``), lays the module out,
counts references, taints, logs, and refuses with the errno and the log lines of the real kernel.
No module code runs, so what a module's init function would log or refuse does not happen. Nor do
capabilities or lockdown stand in the way: whoever may write the file is its root.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable

from lkm._text import encode
from lkm.errors import FileError, KernelError, NoUnloadingError
from lkm.kernel import kernel_rows, rows
from lkm.kernel.booting import BootFacts, boot_facts
from lkm.kernel.loaded import LIVE, LoadedModule
from lkm.kernel.module_files import kallsyms_lines, module_files
from lkm.kernel.protocol import FORCE
from lkm.kernel.refusals import refusal
from lkm.kernel.sandbox_facts import kernel_facts
from lkm.kernel.sandbox_files import Folder, ShownKernel, find_entry, kernel_files, plain_folders
from lkm.kernel.sandbox_status import Status, read_status
from lkm.kernel.store import Store, state_path
from lkm.kernel.sysfs import SysFolder
from lkm.loader.checks import Verdict, examine
from lkm.loader.exported import export_addresses
from lkm.loader.facts import KernelFacts
from lkm.loader.findings import LogLine
from lkm.loader.taint import Taint, ends_lock_debugging
from lkm.module.file import ModuleImage
from lkm.names import ModuleName
from lkm.teaching import RELEASE as TEACHING_RELEASE
from lkm.teaching import teaching_root
from lkm.tree.installed import tree_directory

_NAME_BYTES = 56  # MODULE_NAME_LEN on 64 bit


class Sandbox:
    """The sandbox kernel in the state file at *path* (None: ``state_path()``).

    Every method but ``boot`` and ``reset`` raises ``NotBootedError`` where none is booted, and
    ``StateFileError`` where the file is not a sandbox's. It is a context manager, closing the file
    at its end.
    """

    name = "sandbox"

    def __init__(self, path: str | None = None) -> None:
        self.path = state_path() if path is None else path
        self._store = Store(self.path)

    @classmethod
    def open(
        cls, path: str | None = None, *, notice: Callable[[str], None] | None = None
    ) -> Sandbox:
        """Return the sandbox with a kernel in it: where none is booted, the teaching kernel is.

        That is said to *notice*, in one sentence. Raises as ``boot``.
        """
        sandbox = cls(path)
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
    ) -> Status:
        """Boot the kernel *release* of *root*; one that was there before is gone.

        *directory* is its tree, by default found under *root*, as is its image where *vmlinux*
        does not name it, or saved facts of it. *symvers* names a Module.symvers to take the
        kernel's exports from. Raises ``NoTreeError`` and what reading tree and image raises, and
        leaves the old kernel then.
        """
        values, facts = _found(release, root, directory, command_line, symvers, vmlinux)
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

    def modules(self) -> tuple[LoadedModule, ...]:
        """See Kernel."""
        with self._store.reading() as connection:
            return _modules(connection)

    def present(self) -> tuple[LoadedModule, ...]:
        """See Kernel."""
        return self.modules()

    def snapshot(self) -> tuple[tuple[LoadedModule, ...], SysFolder | None]:
        """See Kernel."""
        with self._store.reading() as connection:
            return _modules(connection), _sys_module(connection)

    def find(self, name: ModuleName) -> LoadedModule | None:
        """See Kernel."""
        with self._store.reading() as connection:
            found = rows.find_module(connection, name, counted=_counts_users(connection))
        return None if found is None else found.loaded

    def sys_module(self) -> SysFolder | None:
        """See Kernel."""
        with self._store.reading() as connection:
            return _sys_module(connection)

    def insert(self, image: ModuleImage, params: str = "", *, flags: int = 0) -> None:
        """See Kernel. A refused insert leaves its log lines and its taints behind, no more."""
        with self._store.changing() as connection:
            kernel = kernel_facts(connection)
            verdict = examine(image, kernel, flags=flags, params=params)
            if not verdict.errno:
                _write_module(connection, image, params, verdict, kernel)
            kernel_rows.write_log(connection, verdict.log)
            kernel_rows.write_values(connection, {"tainted": str(int(verdict.tainted))})
        if verdict.errno:
            raise _refused(image, verdict)

    def remove(self, name: ModuleName, *, flags: int = 0) -> None:
        """See Kernel. *name* must be the kernel's spelling, byte for byte."""
        log: list[LogLine] = []
        with self._store.changing() as connection:
            kernel = kernel_facts(connection)
            if not kernel.options.modules:
                raise refusal("remove", name, errno.ENOSYS)
            if not kernel.options.module_unload:
                raise NoUnloadingError("remove", name, errno.ENOSYS)
            if kernel.modules_disabled:
                raise _disabled("remove", name)
            module = _removable(connection, name)
            if module.permanent:
                if not flags & FORCE or not kernel.options.module_force_unload:
                    remedy = "it has no exit function; only force removes it"
                    raise refusal("remove", name, errno.EBUSY, remedy=remedy)
                if ends_lock_debugging(Taint.FORCED_REMOVAL, kernel.tainted):
                    log.append(LogLine(4, "Disabling lock debugging due to kernel taint"))
                tainted = kernel.tainted | Taint.FORCED_REMOVAL
                kernel_rows.write_values(connection, {"tainted": str(int(tainted))})
            rows.delete_module(connection, name)
            kernel_rows.write_log(connection, log)

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

    def _entry(self, path: str) -> Folder | bytes:
        with self._store.reading() as connection:
            return _entry(connection, path)

    def _value(self, key: str) -> str:
        with self._store.reading() as connection:
            return kernel_rows.read_values(connection)[key]


def _modules(connection: sqlite3.Connection) -> tuple[LoadedModule, ...]:
    counted = _counts_users(connection)
    return tuple([shown.loaded for shown in rows.read_modules(connection, counted=counted)])


def _sys_module(connection: sqlite3.Connection) -> SysFolder | None:
    folder = _entry(connection, "/sys/module")
    return plain_folders(folder) if isinstance(folder, dict) else None


def _entry(connection: sqlite3.Connection, path: str) -> Folder | bytes:
    values = kernel_rows.read_values(connection)
    kernel = kernel_facts(connection)
    counted = kernel.options.module_unload
    shown = ShownKernel(
        release=values["release"],
        banner=values["banner"],
        command_line=values["command_line"],
        tainted=int(kernel.tainted),
        modules_disabled=kernel.modules_disabled,
        options=kernel.options,
        modules=rows.read_modules(connection, counted=counted),
        files=rows.read_files(connection),
        builtin_folders=sorted(kernel.sysfs_names),
        kallsyms=lambda: kernel_rows.own_kallsyms(connection) + rows.read_kallsyms(connection),
    )
    return find_entry(kernel_files(shown), path)


def _found(
    release: str,
    root: str,
    directory: str = "",
    command_line: str = "",
    symvers: str = "",
    vmlinux: str = "",
) -> tuple[dict[str, str], BootFacts]:
    """Return the values of a kernel to boot that were given, and the facts that were found."""
    root = os.path.abspath(root)
    directory = os.path.abspath(directory or tree_directory(root, release))
    values = {
        "release": release,
        "root": root,
        "directory": directory,
        "command_line": command_line,
    }
    return values, boot_facts(root, release, directory, symvers=symvers, vmlinux=vmlinux)


def _write_module(
    connection: sqlite3.Connection,
    image: ModuleImage,
    params: str,
    verdict: Verdict,
    kernel: KernelFacts,
) -> None:
    """Write down the module that the checks let through, where they placed it."""
    module = verdict.module
    assert module is not None  # the checks let it through
    assert module.placed is not None
    laid_out, placed = module.placed.laid_out, module.placed.allocations
    addresses = module.placed.addresses
    texts = [each.start for each in placed if each.kind in {"core", "text"} and not each.init]
    rows.insert_module(
        connection,
        rows.NewModule(
            name=module.name,
            size=laid_out.size,
            address=next(iter(texts), None),
            taints=verdict.taints,
            permanent=module.permanent,
            version=module.modinfo.get("version"),
            srcversion=module.modinfo.get("srcversion"),
            path=image.path,
            params=params,
            allocations=placed,
            exports=module.exports,
            export_addresses=export_addresses(module),
            owners=verdict.owners,
            kallsyms=kallsyms_lines(module, laid_out, addresses),
            files=module_files(module, laid_out, addresses, kernel.options),
        ),
    )


def _removable(connection: sqlite3.Connection, name: ModuleName) -> LoadedModule:
    """Return the module, which nothing holds. Raises what delete_module answers."""
    known = 0 < len(encode(name)) < _NAME_BYTES
    found = rows.find_module(connection, name) if known else None
    if found is None:
        raise refusal("remove", name, errno.ENOENT)
    module = found.loaded
    if module.holders:
        remedy = f"remove its users first: {' '.join(module.holders)}"
        raise refusal("remove", name, errno.EAGAIN, remedy=remedy)
    if module.state != LIVE:
        raise refusal("remove", name, errno.EBUSY)
    return module


def _counts_users(connection: sqlite3.Connection) -> bool:
    return kernel_rows.read_options(kernel_rows.read_values(connection)).module_unload


def _refused(image: ModuleImage, verdict: Verdict) -> KernelError:
    log = tuple([line.text for line in verdict.log])
    finding = verdict.refusal
    remedy = finding.remedy if finding is not None else ""
    if finding is not None and finding.evidence and not finding.log:
        # No line of the kernel tells why.
        remedy = f"{finding.evidence}; {remedy}" if remedy else finding.evidence
    name = verdict.module.name if verdict.module is not None else image.name
    return refusal("insert", name, verdict.errno, log=log, remedy=remedy)


def _disabled(operation: str, name: str) -> KernelError:
    remedy = "the sandbox was booted with nomodule: boot it without"
    return refusal(operation, name, errno.EPERM, remedy=remedy)
