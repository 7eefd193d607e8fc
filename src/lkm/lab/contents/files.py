"""Put files into a guest where they lie on the host, and make the folders that they lie in.

A guest has one ``/usr``, to which ``/bin``, ``/sbin``, ``/lib`` and its like are links: what the
host has in any of them lies there, under all its names.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator

from lkm import cpio
from lkm.errors import FileError

_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
# Folders of the host that are no files at all, or what a guest makes itself.
_NOT_FILES = ("dev", "proc", "sys")


class Files:
    """The entries of an archive, one for each path; the first at a path stays.

    Paths are absolute. *elsewhere* are names, without the first slash, of what other archives have
    that are unpacked before this one. *roots* are folders of the host that stand for the guest's
    own root: they are links to it, and what lies below one lies below it. *size* is what the files
    hold, in bytes.
    """

    def __init__(
        self, elsewhere: frozenset[str] = frozenset(), roots: tuple[str, ...] = ()
    ) -> None:
        self._entries: dict[str, cpio.Entry] = {}
        self._elsewhere = elsewhere
        self._sources: dict[str, None] = {}
        self._roots: tuple[str, ...] = ()
        self.size = 0
        for root in roots:
            # A folder that the guest has itself cannot be a link too.
            if self.inside(root) != "/" and root not in self:
                self.link(root, "/")
                self._roots = (*self._roots, os.path.normpath(root))

    @property
    def sources(self) -> tuple[str, ...]:
        """The host's files that were read for what is here."""
        return tuple(self._sources)

    def inside(self, path: str) -> str:
        """Return where the host's *path* lies in the guest, which is elsewhere below a root."""
        path = os.path.normpath(path)
        for root in self._roots:
            if f"{path}/".startswith(f"{root}/"):
                return path.removeprefix(root) or "/"
        return path

    def __contains__(self, path: str) -> bool:
        name = self._name(path)
        return name in self._entries or name in self._elsewhere

    def folder(self, path: str) -> None:
        """Make a folder, and those above it."""
        missing: list[str] = []
        name = self._name(path)
        while name and name not in self._entries and name not in self._elsewhere:
            missing.append(name)
            name = os.path.dirname(name)
        for each in reversed(missing):
            self._entries[each] = cpio.folder(each)

    def add(self, path: str, data: bytes, permissions: int = 0o644, source: str = "") -> None:
        """Put a file of these bytes at *path*; *source* is the host's file that they are from."""
        if source:
            self._sources[source] = None
        self._put(path, lambda name: cpio.file(name, data, permissions))

    def link(self, path: str, target: str) -> None:
        """Put a symlink at *path*."""
        self._put(path, lambda name: cpio.link(name, target))

    def copy(self, source: str, path: str = "") -> None:
        """Put the host's regular file *source* at *path*, which is its own if not given.

        Raises ``FileError``.
        """
        if (path or source) in self:
            return
        try:
            with open(source, "rb") as file:
                found = os.fstat(file.fileno())
                data = file.read()
        except OSError as error:
            raise FileError.from_os("read", source, error) from None
        self.add(path or source, data, stat.S_IMODE(found.st_mode) | 0o400, source)

    def copy_tree(self, folder: str) -> None:
        """Put a folder of the host, with all in it, at its own path.

        Links stay links; what is neither file, folder nor link is left out. Raises ``FileError``.
        """
        self.folder(folder)
        for entry in entries_below(folder):
            if entry.is_symlink():
                self.link(entry.path, _target(entry.path))
            elif entry.is_dir(follow_symlinks=False):
                self.folder(entry.path)
            elif entry.is_file(follow_symlinks=False):
                self.copy(entry.path)

    def archive(self) -> bytes:
        """Return the archive, folders before what lies in them."""
        return cpio.archive(self._entries.values())

    def _put(self, path: str, make: Callable[[str], cpio.Entry]) -> None:
        name = self._name(path)
        if not name or name in self._entries or name in self._elsewhere:
            return
        self.folder(os.path.dirname(f"/{name}"))
        self._entries[name] = made = make(name)
        self.size += len(made.data)

    def _name(self, path: str) -> str:
        return _name(self.inside(path))


def merged_usr() -> Files:
    """Return the folders and links that every guest begins with."""
    files = Files()
    for name in _MERGED:
        files.folder(f"/usr/{name}")
        files.link(f"/{name}", f"usr/{name}")
    return files


def entries_below(folder: str) -> Iterator[os.DirEntry[str]]:
    """Yield all that lies below *folder*, however deep, each folder before what lies in it.

    Links are not followed. Raises ``FileError``.
    """
    todo = [folder]
    while todo:
        path = todo.pop()
        try:
            with os.scandir(path) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
        except OSError as error:
            raise FileError.from_os("read", path, error) from None
        yield from entries
        todo += [each.path for each in reversed(entries) if each.is_dir(follow_symlinks=False)]


def is_hosts_own(path: str) -> bool:
    """Tell whether *path* is of the host's kernel, not of a disk."""
    return path.split("/")[1] in _NOT_FILES if path.startswith("/") else False


def _name(path: str) -> str:
    """Return where *path* lies in the archive: its links to /usr followed, no slash before it."""
    name = os.path.normpath(path).lstrip("/")
    if name == ".":
        return ""
    first, slash, _rest = name.partition("/")
    return f"usr/{name}" if slash and first in _MERGED else name


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError as error:
        raise FileError.from_os("read", link, error) from None
