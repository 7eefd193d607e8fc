"""Copy programs of the host into a guest, with the shared libraries that they need.

A library is looked for as the dynamic loader does: in the folders that the file which needs it
names, in those of ``/etc/ld.so.conf``, then in the usual ones. What is not for the same machine is
passed over. Source: ld.so(8).
"""

from __future__ import annotations

import glob
import mmap
import os

from lkm.elf.dynamic import Dynamic, read_dynamic
from lkm.elf.file import ElfFile
from lkm.elf.segments import mapped_part
from lkm.errors import FileError, FormatError, LabError
from lkm.lab.contents.files import Files

_USUAL = ("/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib")
# What the loader keeps of where libraries lie, which it looks into first.
_LOADERS_OWN = "/etc/ld.so.cache"


class MissingSharedLibraryError(LabError):
    """A program of the host needs a library that is not where the loader looks."""

    def __init__(self, library: str, needed_by: str) -> None:
        self.name = library
        self.needed_by = needed_by
        super().__init__(f"{needed_by} needs {library}, which is not to be found here")


def add_program(files: Files, source: str, path: str = "") -> None:
    """Put the program *source* into *files*, with what it needs to run.

    Its libraries lie where they do here. Raises ``FileError``, ``MissingSharedLibraryError``.
    """
    _copy(files, source, path)
    add_libraries(files, source)


def add_libraries(files: Files, source: str) -> None:
    """Put the libraries into *files* that the program or library *source* needs."""
    if is_static(source):
        return
    if os.path.isfile(_LOADERS_OWN):
        files.copy(_LOADERS_OWN)
    todo, folders = [source], ()  # type: tuple[list[str], tuple[str, ...]]
    seen: set[str] = set()
    while todo:
        path = todo.pop()
        machine, dynamic = _read(os.path.realpath(path))
        if dynamic.interpreter and dynamic.interpreter not in seen:
            seen.add(dynamic.interpreter)
            _copy(files, dynamic.interpreter)
        own = _folders(dynamic, path)
        # A program's own are for the libraries of its libraries too (DT_RPATH).
        folders = folders or own
        for name in dynamic.needed:
            found = _find(name, (*own, *folders), machine)
            if not found:
                raise MissingSharedLibraryError(name, path)
            if found not in seen:
                seen.add(found)
                _copy(files, found)
                todo.append(found)


def add_library(files: Files, source: str, path: str) -> None:
    """Put the library *source* into *files* at *path*, with what it needs."""
    _copy(files, source, path)
    add_libraries(files, source)


def is_static(path: str) -> bool:
    """Tell whether the file at *path* needs no other to run, or is no ELF file at all."""
    try:
        _machine, dynamic = _read(os.path.realpath(path))
    except FormatError:
        return True
    return not dynamic.interpreter and not dynamic.needed


def _copy(files: Files, source: str, path: str = "") -> None:
    """Put a program or a library into *files*, without its debug information."""
    if (path or source) not in files:
        try:
            with open(source, "rb") as file:
                data = file.read()
        except OSError as error:
            raise FileError.from_os("read", source, error) from None
        files.add(path or source, mapped_part(data), 0o755, source)


def _read(path: str) -> tuple[tuple[int, bool], Dynamic]:
    """Return the machine that the file is for, and what it needs. Raises ``FormatError``."""
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
            elf = ElfFile.from_bytes(data)
            return (elf.machine, elf.is_64bit), read_dynamic(elf)
    except ValueError:
        raise FormatError("ELF file", "it is empty", path=path) from None
    except OSError as error:
        raise FileError.from_os("read", path, error) from None


def _folders(dynamic: Dynamic, path: str) -> tuple[str, ...]:
    origin = os.path.dirname(os.path.realpath(path))
    return tuple(
        folder.replace("$ORIGIN", origin).replace("${ORIGIN}", origin) for folder in dynamic.folders
    )


def _find(name: str, folders: tuple[str, ...], machine: tuple[int, bool]) -> str:
    if "/" in name:
        return name if os.path.isfile(name) else ""
    for folder in (*folders, *_configured(), *_USUAL):
        path = f"{folder}/{name}"
        try:
            if os.path.isfile(path) and _read(os.path.realpath(path))[0] == machine:
                return path
        except (FileError, FormatError):
            continue  # a linker script, say
    return ""


def _configured() -> tuple[str, ...]:
    """Return the folders of ``/etc/ld.so.conf``, and those that a distribution's loader knows."""
    return (*_lines_of("/etc/ld.so.conf"), *sorted(glob.glob("/usr/lib/*-linux-gnu*")))


def _lines_of(path: str) -> tuple[str, ...]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            lines = [line.partition("#")[0].strip() for line in file]
    except OSError:
        return ()
    found: list[str] = []
    for line in lines:
        if line.startswith("include "):
            pattern = os.path.join(os.path.dirname(path), line.removeprefix("include ").strip())
            found += [folder for one in sorted(glob.glob(pattern)) for folder in _lines_of(one)]
        elif line:
            found.append(line)
    return tuple(found)
