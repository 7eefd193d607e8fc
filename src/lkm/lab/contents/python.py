"""Put this Python into a guest, with lkm and what lkm uses.

The interpreter lies where it does on the host, so that it finds its library; of that comes what a
program without a screen can use, compiled beforehand: a guest's processor is slow.
"""

from __future__ import annotations

import importlib.util
import marshal
import os
import sys
import sysconfig
from importlib.machinery import EXTENSION_SUFFIXES

from lkm.errors import FileError, LabError
from lkm.lab.contents.files import Files
from lkm.lab.contents.programs import add_library, add_program

# Of the standard library: what is for its own tests, for screens, and for making Pythons.
_LEFT_OUT = frozenset(
    {
        *("__pycache__", "dist-packages", "ensurepip", "idlelib", "lib2to3", "pydoc_data"),
        *("site-packages", "test", "tests", "tkinter", "turtledemo", "turtle.py"),
    }
)
_LEFT_OUT_STARTS = ("_test", "_tkinter", "config-", "xxlimited", "_xx")
# What lkm uses where it is there. A namespace's parts are packages of their own.
_OTHERS = ("backports.zstd", "cryptography", "_cffi_backend", "cffi")
SCRIPT = "/usr/bin/lkm"


def add_python(files: Files) -> None:
    """Put Python and the ``lkm`` command into *files*.

    Raises ``LabError`` where this Python is not one that can be copied, and ``FileError``.
    """
    program = os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)
    if getattr(sys, "frozen", False) or not os.path.isfile(program):
        raise LabError("this Python is part of another program, and cannot be put into a guest")
    add_program(files, program)
    files.link("/usr/bin/python3", program)
    library = sysconfig.get_path("stdlib", vars=_base())
    _add_package(files, library, library)
    dynamic = sysconfig.get_config_var("DESTSHARED")
    if isinstance(dynamic, str) and os.path.isdir(dynamic):
        _add_package(files, dynamic, dynamic)
    # In the library itself, so that Python finds it whatever it is told to leave out.
    for name in ("lkm", *_OTHERS):
        _add_found(files, name, library)
    files.add(SCRIPT, _script(program), 0o755)


def _base() -> dict[str, str | int]:
    """Return what to put for the folders of a virtual environment: those it was made from."""
    return {"installed_base": sys.base_prefix, "base": sys.base_prefix}


def _script(program: str) -> bytes:
    # Neither the user's packages nor the environment: what is there is known.
    start = f"#!{program} -SsE\n".encode(errors="surrogateescape")
    return start + b"import sys\nfrom lkm.cli.main import main\nsys.exit(main())\n"


def _add_found(files: Files, name: str, library: str) -> None:
    """Add the package or module *name*, where there is one, to the *library*."""
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return
    if spec is None or not spec.origin:
        return
    target = f"{library}/{name.replace('.', '/')}"
    if spec.submodule_search_locations:
        _add_package(files, os.path.dirname(spec.origin), target)
    elif spec.origin.endswith(tuple(EXTENSION_SUFFIXES)):
        _add_file(files, spec.origin, os.path.join(library, os.path.basename(spec.origin)))


def _add_package(files: Files, folder: str, target: str) -> None:
    """Add the files of *folder*, which hold code or what code reads, below *target*."""
    try:
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except OSError as error:
        raise FileError.from_os("read", folder, error) from None
    for entry in entries:
        if entry.name in _LEFT_OUT or entry.name.startswith(_LEFT_OUT_STARTS):
            continue
        if entry.is_dir():
            _add_package(files, entry.path, f"{target}/{entry.name}")
        elif entry.is_file():
            _add_file(files, entry.path, f"{target}/{entry.name}")


def _add_file(files: Files, path: str, target: str) -> None:
    if path.endswith(tuple(EXTENSION_SUFFIXES)):
        add_library(files, path, target)
    elif path.endswith(".py"):
        compiled = _compiled(path, target)
        if compiled:
            files.add(f"{target}c", compiled, source=path)
    elif not path.endswith((".pyc", ".so", ".a", ".exe")):
        files.copy(path, target)


def _compiled(path: str, target: str) -> bytes:
    """Return the bytes of a ``.pyc`` file for *path*, empty for what is no Python of today's.

    It is one that goes by a hash and is not checked: times mean nothing in a guest (PEP 552).
    """
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        raise FileError.from_os("read", path, error) from None
    try:
        code = compile(source, target, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError):
        return b""
    by_hash = (1).to_bytes(4, "little")
    head = importlib.util.MAGIC_NUMBER + by_hash + importlib.util.source_hash(source)
    return head + marshal.dumps(code)


def library_state() -> tuple[str, ...]:
    """Return words that change when what ``add_python`` takes does, as far as can be told soon.

    Of the standard library that is its folder, of lkm each of its files.
    """
    words = [sys.version, _state(sysconfig.get_path("stdlib", vars=_base()))]
    for name in ("lkm", *_OTHERS):
        try:
            spec = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            spec = None
        origin = "" if spec is None or not spec.origin else spec.origin
        words += [origin, _state(origin)]
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    for folder, folders, names in os.walk(package):
        folders[:] = sorted(set(folders) - _LEFT_OUT)
        words += [f"{name} {_state(f'{folder}/{name}')}" for name in sorted(names)]
    return tuple(words)


def _state(path: str) -> str:
    try:
        found = os.stat(path)
    except OSError:
        return ""
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns}"
