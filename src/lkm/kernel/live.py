"""The running kernel: ``/proc/modules``, ``/sys/module`` and the module system calls."""

from __future__ import annotations

import errno
import os

from lkm import _text
from lkm.errors import FileError, KernelError, NoModuleSupportError, NoUnloadingError
from lkm.kernel.kmsg import PATH as LOG
from lkm.kernel.kmsg import LogSince
from lkm.kernel.live_reasons import Heard, why_not_inserted, why_not_removed
from lkm.kernel.loaded import COMING, GOING, LIVE, UNKNOWN, LoadedModule
from lkm.kernel.procfs import parse_modules
from lkm.kernel.protocol import FORCE
from lkm.kernel.refusals import refusal
from lkm.module.file import read_image
from lkm.names import ModuleName, module_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.kernel.syscalls import Syscalls
    from lkm.kernel.sysfs import SysFolder
    from lkm.module.file import ModuleImage

_FOLDERS = "/sys/module"

COMPRESSED_FILE = 4
"""finit_module: the file is compressed, and the kernel is to unpack it."""

# kmod looks at so many bytes to tell what a file is wrapped in, and refuses what has fewer.
_SHORTEST = 6


class LiveKernel:
    """The running kernel.

    *root* is where its ``/proc``, ``/sys`` and ``/dev/kmsg`` are looked for; *syscalls* makes the
    system calls.
    Sizes, counts and holders are those of ``/sys/module``, as in lsmod: holders in the folder's
    order. The two cannot be read at one moment: a module whose folder is gone by then, or another,
    or on its way out, has been removed meanwhile, and is left out. Without any ``/sys/module`` the
    lines of ``/proc/modules`` are taken.
    """

    name = "live"

    def __init__(self, root: str = "/", *, syscalls: Syscalls | None = None) -> None:
        self._root = root.rstrip("/")
        self._injected = syscalls

    def release(self) -> str:
        """See Kernel."""
        text = self._text("/proc/sys/kernel/osrelease")
        return os.uname().release if text is None else text.strip()

    def command_line(self) -> str:
        """See Kernel; empty where ``/proc/cmdline`` cannot be read."""
        return (self._text("/proc/cmdline") or "").rstrip("\n")

    def tainted(self) -> int | None:
        """See Kernel."""
        return _number(_text.encode(self._text("/proc/sys/kernel/tainted") or ""))

    def modules(self) -> tuple[LoadedModule, ...]:
        """See Kernel.

        Raises ``NoModuleSupportError`` where ``/proc`` is there but has no ``modules``.
        """
        listed = self._listed()
        if not os.path.isdir(f"{self._root}{_FOLDERS}"):
            return listed
        seen = [(module, self._from_sysfs(module)) for module in listed]
        return tuple([row for module, row in seen if row is not None and _is_whole(row, module)])

    def snapshot(self) -> tuple[tuple[LoadedModule, ...], SysFolder | None]:
        """See Kernel."""
        from lkm.kernel.sysfs import generations, read_folders  # only --json shows all of it

        # Before the list, so that a folder which is the same after it is of the module listed.
        since = generations(f"{self._root}{_FOLDERS}")
        listed = self._listed()
        folders = read_folders(f"{self._root}{_FOLDERS}", since)
        if folders is None:
            return listed, None
        shown = [(module, folders.get(module.name)) for module in listed if module.name in since]
        seen = [
            (module, _row(module, *_files_of(folder)))
            for module, folder in shown
            if folder is not None and not isinstance(folder, (bytes, int, str))
        ]
        return tuple([row for module, row in seen if _is_whole(row, module)]), folders

    def present(self) -> tuple[LoadedModule, ...]:
        """See Kernel: what has a module's folder, whether it is listed or not, as for libkmod."""
        folders = f"{self._root}{_FOLDERS}"
        if not os.path.isdir(folders):
            return self._listed()
        names = [name for name in os.listdir(folders) if self._is_modules(name)]
        seen = [self._from_sysfs(_unlisted(ModuleName(name))) for name in names]
        return tuple([module for module in seen if module is not None])

    def find(self, name: ModuleName) -> LoadedModule | None:
        """See Kernel; a module with a folder is there also where the list does not have it."""
        known = os.path.isdir(f"{self._root}{_FOLDERS}")
        if known and not os.path.isdir(f"{self._root}{_FOLDERS}/{name}"):
            return None
        try:
            listed = self._listed()
        except (FileError, NoModuleSupportError):
            if not known:
                raise
            listed = ()
        for module in listed:
            if module.name == name:
                return self._from_sysfs(module) if known else module
        # Parts of the kernel have folders too.
        return self._from_sysfs(_unlisted(name)) if known and self._is_modules(name) else None

    def sys_module(self) -> SysFolder | None:
        """See Kernel."""
        from lkm.kernel.sysfs import read_folders  # only --json shows all of it

        return read_folders(f"{self._root}{_FOLDERS}")

    def insert(self, image: ModuleImage, params: str = "", *, flags: int = 0) -> None:
        """See Kernel.

        An image that names its file is inserted by finit_module(2), which a kernel may demand of
        a compressed one too; otherwise, and on a kernel without that call, by init_module(2). Its
        bytes are needed for the second only, and read then where it has none (``unread_image``):
        that raises what ``read_image`` raises.
        """
        text = _text.encode(params)
        with LogSince(self._root + LOG) as log:
            number = self._insert_file(image, text, flags)
            if number == -errno.ENOSYS:
                number = self._insert_bytes(image, text, flags)
            if number < 0:
                raise self._refused(image.name, -number, log)

    def remove(self, name: ModuleName, *, flags: int = 0) -> None:
        """See Kernel; of a removal that it refuses, this kernel logs nothing."""
        # O_NONBLOCK, as libkmod: before Linux 3.13 the call waited for the last user without it,
        # and no signal could end that.
        wanted = os.O_NONBLOCK | (os.O_TRUNC if flags & FORCE else 0)
        number = self._syscalls().delete_module(_text.encode(name), wanted)
        if number == -errno.ENOSYS and os.path.exists(f"{self._root}/proc/modules"):
            raise NoUnloadingError("remove", name, errno.ENOSYS)
        if number < 0:
            remedy = why_not_removed(-number, modules_disabled=self._modules_disabled())
            raise refusal("remove", name, -number, remedy=remedy)

    def _refused(self, name: str, number: int, log: LogSince) -> KernelError:
        lines = log.lines()
        heard = Heard(name, lines, readable=log.readable)
        remedy = why_not_inserted(number, heard, modules_disabled=self._modules_disabled())
        if number == errno.ENOENT and heard.readable and not heard.says("Unknown symbol"):
            # The kernel says so of each symbol, so it is not what this errno usually means.
            return KernelError("insert", name, number, log=lines, remedy=remedy)
        return refusal("insert", name, number, log=lines, remedy=remedy)

    def _modules_disabled(self) -> bool:
        return (self._text("/proc/sys/kernel/modules_disabled") or "").strip() == "1"

    def compression(self) -> str:
        """Return what the kernel unpacks itself: ``gzip``, ``xz``, ``zstd``, or nothing.

        Source: kernel/module/decompress.c (Linux 5.17 and later).
        """
        return (self._text("/sys/module/compression") or "").strip()

    def _listed(self) -> tuple[LoadedModule, ...]:
        path = f"{self._root}/proc/modules"
        try:
            with open(path, "rb") as file:
                data = file.read()
        except FileNotFoundError as error:
            if os.path.exists(f"{self._root}/proc/version"):
                raise NoModuleSupportError("list", "modules", errno.ENOSYS) from None
            missing = FileError.from_os("read", path, error)
            missing.remedy = "mount /proc, or use `--on sandbox`"
            raise missing from None
        except OSError as error:
            raise FileError.from_os("read", path, error) from None
        return parse_modules(_text.decode(data))

    def _is_modules(self, name: str) -> bool:
        """Tell whether the folder of that name is that of a module."""
        folder = f"{self._root}{_FOLDERS}/{name}"
        return os.path.exists(f"{folder}/initstate") or os.path.exists(f"{folder}/coresize")

    def _from_sysfs(self, listed: LoadedModule) -> LoadedModule | None:
        """Return *listed* with what its folder says; None where that is gone, also midway."""
        path = f"{self._root}{_FOLDERS}/{listed.name}"
        try:
            # By its descriptor a folder is asked itself, never another that has taken its name.
            folder = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            holders = _entries("holders", folder)
            # The kernel takes this one away before the others: where it is there, they were.
            size, refcnt, state = [
                _file(name, folder) for name in ("coresize", "refcnt", "initstate")
            ]
            if not os.path.samestat(os.fstat(folder), os.stat(path)):
                return None
        except OSError:
            return None
        finally:
            os.close(folder)
        return _row(listed, size, refcnt, state, holders)

    def _insert_file(self, image: ModuleImage, params: bytes, flags: int) -> int:
        """Insert by finit_module where the kernel can read the file itself, else ENOSYS."""
        if not image.path:
            return -errno.ENOSYS
        if image.compression:
            if image.compression != self.compression():
                return -errno.ENOSYS
            flags |= COMPRESSED_FILE
        try:
            descriptor = os.open(image.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise FileError.from_os("read", image.path, error) from None
        try:
            if os.fstat(descriptor).st_size < _SHORTEST:
                remedy = "the file is too short to be a module; the kernel was not asked"
                raise refusal("insert", image.name, errno.EINVAL, remedy=remedy)
            return self._syscalls().finit_module(descriptor, params, flags)
        finally:
            os.close(descriptor)

    def _insert_bytes(self, image: ModuleImage, params: bytes, flags: int) -> int:
        from lkm.kernel.forcing import forced  # init_module is the rare way

        if image.path and not image.data:
            image = read_image(image.path)
        return self._syscalls().init_module(forced(image, flags), params)

    def _syscalls(self) -> Syscalls:
        if self._injected is None:
            from lkm.kernel.syscalls import LinuxSyscalls  # reading needs none

            self._injected = LinuxSyscalls()
        return self._injected

    def _text(self, path: str) -> str | None:
        return _text.of_file(self._root + path)


def _file(name: str, folder: int) -> bytes | None:
    """Return the bytes of a file in the folder open as *folder*; None where it cannot be read."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
        with open(descriptor, "rb", buffering=0) as file:
            return file.read()
    except OSError:
        return None


def _entries(name: str, folder: int) -> list[str]:
    """Return the names in a folder of the one open as *folder*, in its order."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return []
    try:
        return os.listdir(descriptor)
    finally:
        os.close(descriptor)


def _files_of(folder: SysFolder) -> tuple[bytes | None, bytes | None, bytes | None, list[str]]:
    """Return what ``_row`` takes of a folder that was read whole."""
    size, refcnt, state = [folder.get(name) for name in ("coresize", "refcnt", "initstate")]
    holders = folder.get("holders")
    return (
        size if isinstance(size, bytes) else None,
        refcnt if isinstance(refcnt, bytes) else None,
        state if isinstance(state, bytes) else None,
        [] if holders is None or isinstance(holders, (bytes, int, str)) else list(holders),
    )


def _row(
    listed: LoadedModule,
    size: bytes | None,
    refcnt: bytes | None,
    state: bytes | None,
    holders: list[str],
) -> LoadedModule:
    """Return *listed* with what the files of its folder say."""
    size_said = _number(size)
    # The folder is there before the file is: the module is on its way in.
    word = COMING if state is None else _text.decode(state).strip()
    return LoadedModule(
        name=listed.name,
        size=listed.size if size_said is None else size_said,
        refcnt=_number(refcnt),
        holders=tuple([module_name(entry) for entry in holders]),
        state=word if word in (LIVE, COMING, GOING) else UNKNOWN,
        address=listed.address,
        taints=listed.taints,
        permanent=listed.permanent,
    )


def _is_whole(row: LoadedModule, listed: LoadedModule) -> bool:
    """Tell whether *row* is not what was left of the folder of a module on its way out."""
    return row.state != COMING or listed.state not in (LIVE, GOING)


def _unlisted(name: ModuleName) -> LoadedModule:
    return LoadedModule(name=name, size=0, refcnt=None, state=UNKNOWN)


def _number(text: bytes | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None
