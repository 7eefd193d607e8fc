"""What ``/sys/module`` shows: of each loaded module, and of parts of the kernel itself.

A module has a folder with a file for each fact, and with folders for its parameters, sections,
notes, holders and drivers. A part of the kernel that has parameters or a version has a folder too.

Source: kernel/module/sysfs.c, kernel/module/main.c (module_attr), kernel/params.c.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from lkm._text import decode

SysFolder = Mapping[str, "bytes | int | str | SysFolder"]
"""A folder's entries by name: a file's contents, the errno of reading it, a link's target, or a
folder."""

SysTexts = Mapping[str, "str | SysTexts | None"]
"""A folder's files as texts, its folders the same way; None for a link and for what is refused."""

# Written to, not read; and what /proc/modules tells too, or another field.
_PASSED_OVER = "uevent"
_ELSEWHERE = frozenset(
    {"coresize", "initsize", "initstate", "refcnt", "taint", "version", "srcversion"}
)
_OF_LOADED = ("initstate", "coresize")
_OWN_FOLDERS = frozenset({"holders", "parameters", "sections", "notes", "drivers"})
_OPEN_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_OPEN_FOLDER = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY
_GONE = (errno.ENOENT, errno.ENODEV)


@dataclass(frozen=True, slots=True, kw_only=True)
class SysModule:
    """One folder of ``/sys/module``.

    *initsize* is in bytes. A parameter that cannot be read is None, and so is the address of a
    section that the kernel hides or only root may read; *sections* itself is None where the kernel
    shows none. *notes* have their bytes. *drivers* are ``BUS:NAME``. *attributes* are the files,
    and *folders* the folders, that are none of the others. By their paths in the folder *links*
    has the target of each link, and *unreadable* the errno of each file but those of sections.
    """

    name: str
    initsize: int | None
    version: str | None
    srcversion: str | None
    parameters: Mapping[str, str | None]
    sections: Mapping[str, int | None] | None
    notes: Mapping[str, bytes | None]
    drivers: tuple[str, ...]
    attributes: Mapping[str, str]
    folders: SysTexts
    links: Mapping[str, str]
    unreadable: Mapping[str, int]


def generations(directory: str) -> dict[str, int]:
    """Return the inode of each folder in *directory*, a ``/sys/module``.

    A module that is removed and loaded again has another one.
    """
    try:
        with os.scandir(directory) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return {}
    found = {}
    for name in names:
        with suppress(OSError):
            found[name] = os.stat(f"{directory}/{name}").st_ino
    return found


def read_folders(directory: str, since: Mapping[str, int] | None = None) -> SysFolder | None:
    """Return the folder at *directory*, a ``/sys/module``; None where there is none.

    A module whose folder, or a part of it, vanishes while it is read is left out, and so is one
    whose folder is not that of *since*, the ``generations`` of before. Links are not followed.
    """
    try:
        descriptor = os.open(directory, _OPEN_FOLDER)
    except OSError as problem:
        return None if problem.errno in (*_GONE, errno.ENOTDIR) else {}
    found: dict[str, bytes | int | str | SysFolder] = {}
    try:
        with os.scandir(descriptor) as entries:
            inside = list(entries)
        for entry in inside:
            inode = None if since is None else since.get(entry.name)
            with suppress(_VanishedError):
                found[entry.name] = _read_entry(entry, descriptor, inode)
    finally:
        os.close(descriptor)
    return found


def loaded_folders(folders: SysFolder, names: Collection[str]) -> dict[str, SysModule]:
    """Return what *folders* show of the loaded modules *names*; those without a folder are not."""
    return {
        name: _module(name, folder)
        for name in names
        if isinstance(folder := folders.get(name), Mapping)
    }


def builtin_folders(folders: SysFolder, loaded: Collection[str]) -> tuple[SysModule, ...]:
    """Return what *folders* show of parts of the kernel itself, by name.

    Not those of *loaded*, nor of a module that came since they were listed.
    """
    return tuple(
        [
            _module(name, folder)
            for name, folder in sorted(folders.items())
            if isinstance(folder, Mapping)
            and name not in loaded
            and not any(file in folder for file in _OF_LOADED)
        ]
    )


class _VanishedError(Exception):
    """What is being read has been removed, or replaced, meanwhile."""


def _read_entry(
    entry: os.DirEntry[str], parent: int, inode: int | None = None
) -> bytes | int | str | SysFolder:
    """Return one entry of the folder open as *parent*; a folder only if it has that *inode*."""
    try:
        if entry.is_symlink():
            return os.readlink(entry.name, dir_fd=parent)
        if entry.is_dir(follow_symlinks=False):
            return _read_folder(entry.name, parent, inode)
        if entry.name == _PASSED_OVER:
            return errno.EACCES  # for it is written only
        descriptor = os.open(entry.name, _OPEN_FILE, dir_fd=parent)
        with open(descriptor, "rb") as file:
            return file.read()
    except OSError as problem:
        # A parameter may answer with any errno by itself; a file that was removed is not there.
        if problem.errno in _GONE and not _is_there(entry.name, parent):
            raise _VanishedError from None
        return problem.errno or errno.EIO


def _read_folder(name: str, parent: int, inode: int | None) -> SysFolder:
    """Return a folder, all of it from one and the same; ``_VanishedError`` if that is no more."""
    descriptor = os.open(name, _OPEN_FOLDER, dir_fd=parent)
    try:
        # A folder that is removed lets nobody find anything by its descriptor, so what is read
        # this way cannot be of the one that has taken its name.
        this = os.fstat(descriptor)
        if inode not in (None, this.st_ino):
            raise _VanishedError
        with os.scandir(descriptor) as entries:
            inside = list(entries)
        found: dict[str, bytes | int | str | SysFolder] = {}
        for entry in inside:
            try:
                found[entry.name] = _read_entry(entry, descriptor)
            except _VanishedError:
                # A link goes where another module is removed, which is a matter of that one.
                if not entry.is_symlink():
                    raise
        now = os.stat(name, dir_fd=parent)
    finally:
        os.close(descriptor)
    if not os.path.samestat(this, now):
        raise _VanishedError
    return found


def _is_there(name: str, parent: int) -> bool:
    try:
        os.stat(name, dir_fd=parent, follow_symlinks=False)
    except OSError:
        return False
    return True


def _in_order(folder: SysFolder) -> SysFolder:
    return {
        name: _in_order(value) if isinstance(value, Mapping) else value
        for name, value in sorted(folder.items())
    }


def _module(name: str, folder: SysFolder) -> SysModule:
    folder = _in_order(folder)
    texts = {file: _line(value) for file, value in folder.items() if isinstance(value, bytes)}
    initsize = texts.get("initsize", "")
    paths = dict(_paths(folder))
    return SysModule(
        name=name,
        initsize=int(initsize) if initsize.isdecimal() else None,
        version=texts.get("version"),
        srcversion=texts.get("srcversion"),
        parameters={
            file: _line(value) if isinstance(value, bytes) else None
            for file, value in _inside(folder, "parameters").items()
        },
        sections=_sections(folder),
        notes={
            file: value if isinstance(value, bytes) else None
            for file, value in _inside(folder, "notes").items()
        },
        drivers=tuple(_inside(folder, "drivers")),
        attributes={file: text for file, text in texts.items() if file not in _ELSEWHERE},
        folders={
            file: _texts(value)
            for file, value in folder.items()
            if isinstance(value, Mapping) and file not in _OWN_FOLDERS
        },
        links={path: value for path, value in paths.items() if isinstance(value, str)},
        unreadable={
            path: value
            for path, value in paths.items()
            if isinstance(value, int) and path != _PASSED_OVER and not path.startswith("sections/")
        },
    )


def _paths(folder: SysFolder, prefix: str = "") -> Iterator[tuple[str, bytes | int | str]]:
    """Yield whatever is no folder, by its path, also from the folders inside."""
    for name, value in folder.items():
        if isinstance(value, Mapping):
            yield from _paths(value, f"{prefix}{name}/")
        else:
            yield prefix + name, value


def _texts(folder: SysFolder) -> SysTexts:
    return {name: _shown(value) for name, value in folder.items()}


def _shown(value: bytes | int | str | SysFolder) -> str | SysTexts | None:
    if isinstance(value, Mapping):
        return _texts(value)
    return _line(value) if isinstance(value, bytes) else None


def _sections(folder: SysFolder) -> dict[str, int | None] | None:
    if "sections" not in folder:
        return None
    return {file: _address(value) for file, value in _inside(folder, "sections").items()}


def _address(value: bytes | int | str | SysFolder) -> int | None:
    """Return the address that a section's file holds; 0 is a hidden one."""
    if not isinstance(value, bytes):
        return None
    try:
        return int(value, 16) or None
    except ValueError:
        return None


def _inside(folder: SysFolder, name: str) -> SysFolder:
    inside = folder.get(name)
    return inside if isinstance(inside, Mapping) else {}


def _line(data: bytes) -> str:
    return decode(data).removesuffix("\n")
