"""The symbols that the kernel itself exports, as depmod -e is told them by a file.

Source: depmod(8), -E and -F; kmod, tools/depmod.c, depmod_load_symvers, depmod_load_system_map.
"""

from __future__ import annotations

import errno
import os

from lkm import _text
from lkm._value import Value
from lkm.errors import FileError
from lkm.tree.problem import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

_KERNEL = "vmlinux"
_EXPORT = "__ksymtab_"
# The loader or the linker makes them up; no file lists them.
_MADE_UP = ("__this_module", "_GLOBAL_OFFSET_TABLE_", "TOC.")


class KernelSymbols(Value):
    """What the kernel exports: *crcs* by symbol; *problems* of the file that says so.

    *has_crcs* tells whether the file knows CRCs at all, so that they can be compared.
    """

    __slots__ = ("crcs", "has_crcs", "problems")

    def __init__(
        self, crcs: Mapping[str, int], problems: tuple[Problem, ...] = (), *, has_crcs: bool
    ) -> None:
        self.crcs: Final = crcs
        self.problems: Final = problems
        self.has_crcs: Final = has_crcs


def without_prefix(symbol: str, prefix: str) -> str:
    """Return *symbol* without the one character *prefix* that some machines put before each."""
    return symbol[1:] if prefix and symbol.startswith(prefix) else symbol


def as_exported(need: str, prefix: str) -> str:
    """Return the name under which a symbol is exported that a module calls *need*."""
    return without_prefix(need.removeprefix("."), prefix)


def read_symvers(path: str, prefix: str = "") -> KernelSymbols:
    """Read a Module.symvers: CRC, symbol and owner in columns; the kernel's own lines count.

    As in kmod a line needs a fourth column. Raises ``FileError``.
    """
    crcs: dict[str, int] = {}
    problems: list[Problem] = []
    for number, line in enumerate(_lines(path), 1):
        words = [word for word in line.replace("\t", " ").split(" ") if word]
        if len(words) < 3 or words[2] != _KERNEL:
            continue
        crc = _hexadecimal(words[0])
        if crc is None:
            text = f"{path}:{number} Invalid symbol version {words[0]}: {os.strerror(errno.EINVAL)}"
            problems.append(Problem("ERROR", text, kind="bad-line", path=path))
        else:
            crcs[without_prefix(words[1], prefix)] = crc
    return KernelSymbols({**dict.fromkeys(_MADE_UP, 0), **crcs}, tuple(problems), has_crcs=True)


def read_system_map(path: str, prefix: str = "") -> KernelSymbols:
    """Read a System.map: each ``__ksymtab_NAME`` in it is an export. Raises ``FileError``."""
    crcs: dict[str, int] = {}
    problems: list[Problem] = []
    for number, line in enumerate(_lines(path), 1):
        parts = line.split(" ", 2)
        if len(parts) < 3:
            text = f"{path}:{number}: invalid line: {line}"
            problems.append(Problem("ERROR", text, kind="bad-line", path=path))
            continue
        name = without_prefix(parts[2].removesuffix("\n"), prefix)
        if name.startswith(_EXPORT):
            crcs[name.removeprefix(_EXPORT)] = 0
    return KernelSymbols({**dict.fromkeys(_MADE_UP, 0), **crcs}, tuple(problems), has_crcs=False)


def _lines(path: str) -> list[str]:
    """Return the lines of the file at *path*, each with its newline, as kmod sees them.

    It may be a pipe: a shell's ``<(zcat ...)`` is one. A folder has no lines, as in kmod.
    """
    try:
        with open(path, "rb") as file:
            text = _text.decode(file.read())
    except IsADirectoryError:
        return []
    except OSError as problem:
        raise FileError.from_os("read", path, problem) from problem
    lines = [line + "\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _hexadecimal(word: str) -> int | None:
    digits = word.lower().removeprefix("0x")
    if not digits or digits.strip("0123456789abcdef"):
        return None
    return int(digits, 16)
