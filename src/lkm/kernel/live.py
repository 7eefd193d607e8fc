"""The running kernel: ``/proc/modules``, ``/sys/module`` and the module system calls."""

from __future__ import annotations

import errno
import os

from lkm._text import decode, encode
from lkm.errors import FileError, FormatError, NoModuleSupportError
from lkm.kernel.loaded import COMING, LoadedModule
from lkm.kernel.procfs import parse_modules
from lkm.kernel.protocol import FORCE
from lkm.kernel.refusals import refusal
from lkm.module.file import read_image
from lkm.names import module_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.kernel.syscalls import Syscalls
    from lkm.kernel.sysfs import SysFolder
    from lkm.module.file import ModuleImage
    from lkm.names import ModuleName

COMPRESSED_FILE = 4
"""finit_module: the file is compressed, and the kernel is to unpack it."""

# kmod looks at so many bytes to tell what a file is wrapped in, and refuses what has fewer.
_SHORTEST = 6

_REMEDIES = {
    ("insert", errno.EINVAL): (
        "the kernel's log (dmesg) has the reason: a parameter, a symbol's version or namespace, or "
        "a built-in of that name"
    ),
    ("insert", errno.EKEYREJECTED): "this kernel takes signed modules only",
}


class LiveKernel:
    """The running kernel.

    *root* is where its ``/proc`` and ``/sys`` are looked for; *syscalls* makes the system calls.
    Sizes, counts and holders are those of ``/sys/module``, as in lsmod: holders in the folder's
    order. The two cannot be read at one moment: a module whose folder is gone by then has been
    removed meanwhile, and is left out. Without any ``/sys/module`` the lines of ``/proc/modules``
    are taken.
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

    def modules(self) -> tuple[LoadedModule, ...]:
        """See Kernel.

        Raises ``NoModuleSupportError`` where ``/proc`` is there but has no ``modules``.
        """
        listed = self._listed()
        if not os.path.isdir(f"{self._root}/sys/module"):
            return listed
        seen = [self._from_sysfs(module) for module in listed]
        return tuple([module for module in seen if module is not None])

    def find(self, name: ModuleName) -> LoadedModule | None:
        """See Kernel."""
        folders = f"{self._root}/sys/module"
        known = os.path.isdir(folders)
        if known and not os.path.isdir(f"{folders}/{name}"):
            return None
        # A built-in with parameters has a folder as well, so this asks the list too.
        for module in self._listed():
            if module.name == name:
                return self._from_sysfs(module) if known else module
        return None

    def sys_module(self) -> SysFolder | None:
        """See Kernel."""
        from lkm.kernel.sysfs import read_folders  # only --json shows all of it

        return read_folders(f"{self._root}/sys/module")

    def insert(self, image: ModuleImage, params: str = "", *, flags: int = 0) -> None:
        """See Kernel.

        An image that names its file is inserted by finit_module(2), which a kernel may demand of
        a compressed one too; otherwise, and on a kernel without that call, by init_module(2). Its
        bytes are needed for the second only, and read then where it has none (``unread_image``):
        that raises what ``read_image`` raises.
        """
        text = encode(params)
        number = self._insert_file(image, text, flags)
        if number == -errno.ENOSYS:
            number = self._insert_bytes(image, text, flags)
        if number < 0:
            remedy = _REMEDIES.get(("insert", -number), "")
            raise refusal("insert", image.name, -number, remedy=remedy)

    def remove(self, name: ModuleName, *, flags: int = 0) -> None:
        """See Kernel."""
        # O_NONBLOCK, as libkmod: before Linux 3.13 the call waited for the last user without it,
        # and no signal could end that.
        wanted = os.O_NONBLOCK | (os.O_TRUNC if flags & FORCE else 0)
        number = self._syscalls().delete_module(encode(name), wanted)
        if number < 0:
            raise refusal("remove", name, -number)

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
        try:
            return parse_modules(decode(data))
        except FormatError as error:
            raise error.at(path) from None

    def _from_sysfs(self, listed: LoadedModule) -> LoadedModule | None:
        """Return *listed* with what its folder says; None where that is gone, also midway."""
        folder = f"/sys/module/{listed.name}"
        try:
            entries = os.listdir(f"{self._root}{folder}/holders")
        except OSError:
            entries = []
        size = _number(self._text(f"{folder}/coresize"))
        refcnt = _number(self._text(f"{folder}/refcnt"))
        # The folder is there before the file is: the module is on its way in.
        state = (self._text(f"{folder}/initstate") or COMING).strip()
        # Asked last: what has been read of a folder that is there still is whole.
        if not os.path.isdir(self._root + folder):
            return None
        return LoadedModule(
            name=listed.name,
            size=listed.size if size is None else size,
            refcnt=refcnt,
            holders=tuple([module_name(entry) for entry in entries]),
            state=state,
            address=listed.address,
            taints=listed.taints,
            permanent=listed.permanent,
        )

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
                return -errno.EINVAL
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
        try:
            with open(self._root + path, "rb") as file:
                return decode(file.read())
        except OSError:
            return None


def _number(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None
