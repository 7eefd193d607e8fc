"""The files that the sandbox kernel shows under ``/proc`` and ``/sys``.

Not there: what init functions and bus code make.
Source: kernel/module/sysfs.c, kernel/module/procfs.c, kernel/kallsyms.c, kernel/params.c.
"""

from __future__ import annotations

import errno
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lkm._text import encode
from lkm.errors import FileError
from lkm.kernel.loaded import LoadedModule, replaced
from lkm.kernel.procfs import modules_text
from lkm.kernel.sysfs import SysFolder
from lkm.loader.file.decompression import compression_of
from lkm.loader.options import KernelOptions


@dataclass(frozen=True, slots=True)
class Refused:
    """A file whose reading the kernel answers by *errno*."""

    errno: int
    remedy: str = ""


Entry = bytes | Callable[[], bytes] | Refused | dict[str, "Entry"]
"""A file's contents, what makes them, why there are none; or a folder's entries by name."""

Folder = dict[str, Entry]

KPTR_NOBODY = 2
"""The kptr_restrict from which on not even root sees addresses."""

_ADDRESS = re.compile(rb"^[0-9a-f]+(?= )", re.MULTILINE)
_WRITE_ONLY = Refused(errno.EACCES, "it can only be written, by root too")


@dataclass(frozen=True, slots=True)
class ModuleFile:
    """A file in a folder of a module's: ``sections``, ``notes``, ``parameters``.

    *data* is None where only code of the module could tell it.
    """

    folder: str
    name: str
    mode: int
    data: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownModule:
    """A loaded module with what only its folder in ``/sys/module`` shows; *number* is the row's.

    *init_size* are the bytes that it has for its init, 0 once it is live. *held* counts the
    references that no other module has on it; *exits* tells whether it has an exit function.
    """

    number: int
    loaded: LoadedModule
    version: str | None
    srcversion: str | None
    init_size: int
    held: int
    exits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownKernel:
    """What the files show: the kernel, its *modules*, newest first, and the *files* of each.

    *files* are by the modules' numbers; *kallsyms* makes the whole symbol table. Where
    *kptr_restrict* is 2, nobody is shown an address; below that root is. *hides_addresses* tells
    whether the one who asks is shown none.
    """

    release: str
    banner: str
    command_line: str
    tainted: int
    modules_disabled: bool
    kptr_restrict: int
    hides_addresses: bool
    options: KernelOptions
    modules: Sequence[ShownModule]
    files: Iterable[tuple[int, ModuleFile]]
    builtin_folders: Sequence[str]
    kallsyms: Callable[[], bytes]


def kernel_files(kernel: ShownKernel) -> Folder:
    """Return the folder that holds ``proc`` and ``sys``."""
    banner = kernel.banner or f"Linux version {kernel.release} (lkm sandbox) #1 SMP"
    settings: Folder = {
        "osrelease": encode(f"{kernel.release}\n"),
        "ostype": b"Linux\n",
        "kptr_restrict": f"{kernel.kptr_restrict}\n".encode(),
        "tainted": f"{kernel.tainted}\n".encode(),
    }
    proc: Folder = {
        "cmdline": encode(f"{kernel.command_line}\n"),
        "sys": {"kernel": settings},
        "version": encode(f"{banner}\n"),
    }
    if kernel.options.modules:
        settings["modules_disabled"] = b"1\n" if kernel.modules_disabled else b"0\n"
        proc["modules"] = encode(modules_text([_listed(module) for module in kernel.modules]))
    if kernel.options.kallsyms:
        proc["kallsyms"] = lambda: _shown_addresses(kernel.kallsyms(), kernel)
    folders: Folder = {name: {} for name in kernel.builtin_folders}
    folders.update(_module_folders(kernel))
    if compression := compression_of(kernel.options):
        folders["compression"] = f"{compression}\n".encode()
    return {"proc": proc, "sys": {"module": folders}}


def _listed(module: ShownModule) -> LoadedModule:
    """Return the module as ``/proc/modules`` has it, where what is there for init counts."""
    loaded = module.loaded
    if not module.init_size:
        return loaded
    return replaced(loaded, size=loaded.size + module.init_size)


def _shown_addresses(text: bytes, kernel: ShownKernel) -> bytes:
    """Return *text*, whose lines begin with addresses, as its kernel shows it."""
    if not kernel.hides_addresses:
        return text
    return _ADDRESS.sub(lambda found: b"0" * len(found[0]), text)


def find_entry(files: Folder, path: str) -> Folder | bytes:
    """Return the folder or the file's contents at the absolute *path*.

    Raises ``FileError``: ENOENT, ENOTDIR for a path that goes on behind a file, or what the kernel
    answers to reading it.
    """
    entry: Entry = files
    for part in posixpath.normpath(path).strip("/").split("/"):
        if part in {"", "."}:
            continue
        if not isinstance(entry, dict):
            raise FileError("read", path, errno.ENOTDIR)
        if part not in entry:
            raise FileError(
                "read", path, errno.ENOENT, "the sandbox has /proc and /sys/module: list them"
            )
        entry = entry[part]
    if path.endswith("/") and not isinstance(entry, dict):
        raise FileError("read", path, errno.ENOTDIR)
    if isinstance(entry, Refused):
        raise FileError("read", path, entry.errno, entry.remedy)
    return entry if isinstance(entry, dict | bytes) else entry()


def plain_folders(folder: Folder, *, depth: int = 3) -> SysFolder:
    """Return *folder* with each file as its contents or errno.

    The folders at *depth* below it are those of holders: links to them, as in the kernel.
    """
    found: dict[str, bytes | int | str | SysFolder] = {}
    for name, entry in folder.items():
        if isinstance(entry, dict):
            found[name] = plain_folders(entry, depth=depth - 1) if depth > 1 else f"../../{name}"
        elif isinstance(entry, Refused):
            found[name] = entry.errno
        else:
            found[name] = entry if isinstance(entry, bytes) else entry()
    return found


def _module_folders(kernel: ShownKernel) -> dict[str, Folder]:
    files: dict[int, list[ModuleFile]] = {}
    for number, file in kernel.files:
        files.setdefault(number, []).append(file)
    shown: dict[str, Folder] = {
        module.loaded.name: _module_folder(module, files.get(module.number, ()), kernel)
        for module in kernel.modules
    }
    for module in kernel.modules:
        shown[module.loaded.name]["holders"] = _holders(module, shown)
    return shown


def _holders(module: ShownModule, shown: Mapping[str, Folder]) -> Folder:
    # In the kernel these are links to the users' folders.
    return {str(holder): shown[holder] for holder in module.loaded.holders}


def _module_folder(module: ShownModule, files: Iterable[ModuleFile], kernel: ShownKernel) -> Folder:
    loaded = module.loaded
    options = kernel.options
    folder: Folder = {
        "coresize": f"{loaded.size}\n".encode(),
        "initsize": f"{module.init_size}\n".encode(),
        "initstate": f"{loaded.state}\n".encode(),
        "taint": f"{loaded.taints}\n".encode(),
        "uevent": _WRITE_ONLY,
    }
    if options.module_unload:
        folder["refcnt"] = f"{loaded.refcnt}\n".encode()
    if module.version is not None:
        folder["version"] = encode(f"{module.version}\n")
    if module.srcversion is not None:
        folder["srcversion"] = encode(f"{module.srcversion}\n")
    if options.kallsyms:
        folder["sections"] = {}
    for file in files:
        inner = folder.setdefault(file.folder, {})
        if isinstance(inner, dict):
            inner[file.name] = _file_entry(file, kernel)
    return folder


def _file_entry(file: ModuleFile, kernel: ShownKernel) -> bytes | Refused:
    if not file.mode & 0o444:
        return _WRITE_ONLY
    if file.data is None:
        return Refused(errno.ENODATA, "only code of the module tells it, which does not run here")
    if file.folder == "sections" and kernel.hides_addresses:
        return b"0x" + b"0" * len(file.data[2:-1]) + b"\n"
    return file.data
