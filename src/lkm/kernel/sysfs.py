"""What ``/sys/module`` shows: of each loaded module, and of parts of the kernel itself.

A module has a folder with a file for each fact, and with folders for its parameters, sections,
notes, holders and drivers. A part of the kernel that has parameters or a version has a folder too.

Source: kernel/module/sysfs.c, kernel/module/main.c (module_attr), kernel/params.c.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lkm._text import decode

SysFolder = Mapping[str, "bytes | int | SysFolder"]
"""A folder's entries by name: a file's contents, the errno of reading it, or a folder."""

# Written to, not read; and what /proc/modules tells too, or another field.
_PASSED_OVER = "uevent"
_ELSEWHERE = frozenset(
    {"coresize", "initsize", "initstate", "refcnt", "taint", "version", "srcversion"}
)
_OF_LOADED = ("initstate", "coresize")
_OWN_FOLDERS = frozenset({"holders", "parameters", "sections", "notes", "drivers"})
_GONE = (errno.ENOENT, errno.ENODEV)


@dataclass(frozen=True, slots=True, kw_only=True)
class SysModule:
    """One folder of ``/sys/module``.

    *initsize* is in bytes. A parameter that cannot be read is None, and so is the address of a
    section that the kernel hides or only root may read; *sections* itself is None where the kernel
    shows none. *drivers* are ``BUS:NAME``. *attributes* are the files, and *folders* the folders,
    that are none of the others. *unreadable* has the errno of each other file by its path in the
    folder.
    """

    name: str
    initsize: int | None
    version: str | None
    srcversion: str | None
    parameters: Mapping[str, str | None]
    sections: Mapping[str, int | None] | None
    notes: tuple[str, ...]
    drivers: tuple[str, ...]
    attributes: Mapping[str, str]
    folders: Mapping[str, tuple[str, ...]]
    unreadable: Mapping[str, int]


def read_folders(directory: str) -> SysFolder | None:
    """Return the folder at *directory*, a ``/sys/module``; None where there is none.

    A module whose folder vanishes while it is read is left out. Links are folders without entries,
    the contents of notes are not read.
    """
    return _read_folder(directory)


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


def _read_folder(path: str) -> SysFolder | None:
    """Return the folder at *path*; None where it is gone, at the beginning or meanwhile."""
    try:
        with os.scandir(path) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
    except OSError as problem:
        return None if problem.errno in (*_GONE, errno.ENOTDIR) else {}
    found: dict[str, bytes | int | SysFolder] = {}
    for entry in inside:
        value = _read_entry(entry)
        if (value is None or value in _GONE) and not os.path.isdir(path):
            return None
        if value is not None:
            found[entry.name] = value
    return found


def _read_entry(entry: os.DirEntry[str]) -> bytes | int | SysFolder | None:
    if entry.is_symlink():
        return {}
    if entry.is_dir():
        return _read_folder(entry.path)
    if entry.name == _PASSED_OVER:
        return None
    if os.path.basename(os.path.dirname(entry.path)) == "notes":
        return b""
    try:
        descriptor = os.open(entry.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            return file.read()
    except OSError as problem:
        return problem.errno or errno.EIO


def _module(name: str, folder: SysFolder) -> SysModule:
    unreadable: dict[str, int] = {}
    texts: dict[str, str] = {}
    for file, value in folder.items():
        if isinstance(value, bytes):
            texts[file] = _line(value)
        elif isinstance(value, int) and file != _PASSED_OVER:
            unreadable[file] = value
    parameters = _inside(folder, "parameters")
    for file, value in parameters.items():
        if isinstance(value, int):
            unreadable[f"parameters/{file}"] = value
    initsize = texts.get("initsize", "")
    return SysModule(
        name=name,
        initsize=int(initsize) if initsize.isdecimal() else None,
        version=texts.get("version"),
        srcversion=texts.get("srcversion"),
        parameters={
            file: _line(value) if isinstance(value, bytes) else None
            for file, value in parameters.items()
        },
        sections=_sections(folder),
        notes=tuple(_inside(folder, "notes")),
        drivers=tuple(_inside(folder, "drivers")),
        attributes={file: text for file, text in texts.items() if file not in _ELSEWHERE},
        folders={
            file: tuple(value)
            for file, value in folder.items()
            if isinstance(value, Mapping) and file not in _OWN_FOLDERS
        },
        unreadable=unreadable,
    )


def _sections(folder: SysFolder) -> dict[str, int | None] | None:
    if "sections" not in folder:
        return None
    return {file: _address(value) for file, value in _inside(folder, "sections").items()}


def _address(value: bytes | int | SysFolder) -> int | None:
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
