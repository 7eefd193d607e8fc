"""Which kernels are installed under a root folder, and what each of them has."""

from __future__ import annotations

import os

from lkm._value import Value
from lkm.errors import FileError, NoTreeError
from lkm.names import is_module_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# Debian and others have /lib as a link to /usr/lib, or have the one or the other.
MODULE_FOLDERS = ("lib/modules", "usr/lib/modules")

# The kernel's own build, left in a tree as links, and never a part of it.
NOT_MODULES = frozenset({"build", "source"})


class InstalledKernel(Value):
    """One kernel's modules directory and what lies beside it.

    *indexes* is ``up to date``, ``stale`` or ``missing``; *image* and *config* are paths, empty
    where there is none.
    """

    __slots__ = ("config", "directory", "image", "indexes", "module_count", "release")

    def __init__(
        self,
        *,
        release: str,
        directory: str,
        module_count: int,
        indexes: str,
        image: str,
        config: str,
    ) -> None:
        self.release: Final = release
        self.directory: Final = directory
        self.module_count: Final = module_count
        self.indexes: Final = indexes
        self.image: Final = image
        self.config: Final = config


def tree_directory(root: str, release: str) -> str:
    """Return the modules directory of *release* under *root*.

    Raises ``NoTreeError``, whose remedy names the releases that are there.
    """
    for folder in MODULE_FOLDERS:
        directory = f"{_base(root)}/{folder}/{release}"
        if os.path.isdir(directory):
            return directory
    there = releases(root)
    remedy = f"there are: {', '.join(there)}" if there else "there is none for any other release"
    directory = f"{_base(root)}/{MODULE_FOLDERS[0]}/{release}"
    raise NoTreeError(directory, "no such modules directory", remedy)


def releases(root: str) -> tuple[str, ...]:
    """Return the releases that have a modules directory under *root*, oldest first."""
    return tuple(sorted(_directories(root), key=release_order))


def installed_kernels(root: str) -> tuple[InstalledKernel, ...]:
    """Return every kernel that has a modules directory under *root*, oldest first.

    Raises ``FileError`` for a directory that cannot be read.
    """
    found = _directories(root)
    return tuple(
        [_installed(root, release, found[release]) for release in sorted(found, key=release_order)]
    )


def release_order(release: str) -> list[tuple[int, int, str]]:
    """Return a sort key that puts 6.9 before 6.10: numbers are compared as numbers."""
    key: list[tuple[int, int, str]] = []
    rest = release
    while rest:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        if digits:
            key.append((1, int(rest[:digits]), ""))
            rest = rest[digits:]
        else:
            stop = next((at for at, letter in enumerate(rest) if letter in "0123456789"), len(rest))
            key.append((0, 0, rest[:stop]))
            rest = rest[stop:]
    return key


def index_state(directory: str) -> str:
    """Return ``up to date``, ``stale`` or ``missing``, for the indexes of the tree at *directory*.

    They are stale where a module file, or a folder that holds some, is newer than they are.
    """
    return _indexes(directory, _modules(directory)[1])


def kernel_image(root: str, release: str, directory: str) -> str:
    """Return the path of the kernel image of *release*, empty where there is none."""
    boot = f"{_base(root)}/boot"
    return _first_file(
        f"{boot}/vmlinuz-{release}", f"{boot}/vmlinux-{release}", f"{directory}/vmlinuz"
    )


def kernel_config(root: str, release: str, directory: str) -> str:
    """Return the path of the configuration of *release*, empty where there is none."""
    return _first_file(f"{_base(root)}/boot/config-{release}", f"{directory}/config")


def _base(root: str) -> str:
    """Return *root* so that a path can follow it, as modprobe puts them together."""
    return "" if root == "/" else root


def _directories(root: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for folder in MODULE_FOLDERS:
        parent = f"{_base(root)}/{folder}"
        try:
            with os.scandir(parent) as entries:
                names = [entry.name for entry in entries if entry.is_dir()]
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as problem:
            raise FileError.from_os("read", parent, problem) from problem
        for name in names:
            found.setdefault(name, f"{parent}/{name}")
    return found


def _installed(root: str, release: str, directory: str) -> InstalledKernel:
    count, newest = _modules(directory)
    return InstalledKernel(
        release=release,
        directory=directory,
        module_count=count,
        indexes=_indexes(directory, newest),
        image=kernel_image(root, release, directory),
        config=kernel_config(root, release, directory),
    )


def _modules(directory: str) -> tuple[int, int]:
    """Return the number of module files, and when the newest of them or of their folders changed.

    The directory itself does not count: writing the indexes changes it.
    """
    count, newest = 0, 0
    todo = [directory]
    while todo:
        folder = todo.pop()
        try:
            with os.scandir(folder) as scanned:
                entries = list(scanned)
        except OSError as problem:
            raise FileError.from_os("read", folder, problem) from problem
        for entry in entries:
            if entry.name in NOT_MODULES:
                continue
            is_folder = entry.is_dir(follow_symlinks=False)
            if not is_folder and not is_module_file(entry.name):
                continue
            try:
                newest = max(newest, entry.stat().st_mtime_ns)
            except OSError:
                continue  # a dangling link is no module
            if is_folder:
                todo.append(entry.path)
            else:
                count += 1
    return count, newest


def _indexes(directory: str, newest: int) -> str:
    try:
        text = os.stat(f"{directory}/modules.dep").st_mtime_ns
        binary = os.stat(f"{directory}/modules.dep.bin").st_mtime_ns
    except OSError:
        return "missing"
    return "stale" if newest > min(text, binary) else "up to date"


def _first_file(*paths: str) -> str:
    return next((path for path in paths if os.path.isfile(path)), "")
