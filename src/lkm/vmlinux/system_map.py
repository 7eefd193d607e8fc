"""Read a ``System.map``, the list of a kernel's symbols that its build writes.

One line a symbol: the address in 8 or 16 hexadecimal digits, a type letter of nm(1), the name.
It stands in for the image's own table where there is no image. Debian installs a stub in its place:
one such line, whose "name" is a sentence that says which package has the real one.

Source: scripts/mksysmap; Debian's linux source package, debian/rules.real.
"""

from __future__ import annotations

import re

from lkm import _text
from lkm.errors import FileError, FormatError
from lkm.vmlinux.answers import CouldNotTell
from lkm.vmlinux.kallsyms import KernelSymbols

_WHAT = "System.map"
_PREFIX = "System.map-"
_START = re.compile(rb"(?:[0-9a-f]{16}|[0-9a-f]{8}) [A-Za-z?-] ")
_LINES = {
    size: re.compile(rb"^([0-9a-f]{%d}) ([A-Za-z?-]) ([^\0- ]+)\n" % (2 * size), re.MULTILINE)
    for size in (4, 8)
}
_STUB = re.compile(rb"f+ B The real System\.map is in the (\S+) package\n")
# As many bytes as it takes to recognise one.
START_SIZE = 19
# Some eight times what a distribution's kernel has; what is larger is no System.map.
_LARGEST = 64 << 20


def is_system_map(start: bytes) -> bool:
    """Tell whether a file that begins with *start*, ``START_SIZE`` bytes, is a System.map."""
    return _START.match(start) is not None


def release_of_system_map(path: str) -> str:
    """Return the release in the file's name, ``System.map-RELEASE``; empty where it has none."""
    name = path.rpartition("/")[2]
    return name.removeprefix(_PREFIX) if name.startswith(_PREFIX) else ""


def read_system_map(path: str) -> KernelSymbols | CouldNotTell:
    """Return the symbols in the System.map at *path*, as ``parse_system_map``.

    Raises ``FileError`` and ``FormatError``.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise FileError.from_os("read", path, error) from None
    try:
        return parse_system_map(data)
    except FormatError as error:
        raise error.at(path) from None


def parse_system_map(data: bytes) -> KernelSymbols | CouldNotTell:
    """Return the symbols in *data*, in its order; could not tell for Debian's stub.

    Raises ``FormatError``, which names the first line that is none. A file that was cut between two
    lines cannot be told from a whole one.
    """
    stub = _STUB.fullmatch(data)
    if stub is not None:
        package = _text.decode(stub[1])
        return CouldNotTell(f"it is Debian's stub, and the package {package} has the real one")
    if len(data) > _LARGEST:
        raise FormatError(_WHAT, f"larger than {_LARGEST} bytes")
    size = 8 if data.find(b" ") > 8 else 4
    rows = _LINES[size].findall(data)
    # Each row took a line end, so as many rows as line ends means that every line is one.
    if not rows or len(rows) != data.count(b"\n") or not data.endswith(b"\n"):
        raise _bad_line(data, size)
    addresses, types, names = zip(*rows, strict=True)
    return KernelSymbols(
        addresses=tuple([int(address, 16) for address in addresses]),
        types=b"".join(types).decode("ascii"),
        names=tuple(_text.decode(b"\n".join(names)).split("\n")),
        address_size=size,
    )


def _bad_line(data: bytes, size: int) -> FormatError:
    """Return the error that names the first line of *data* that is no symbol."""
    offset = 0
    *lines, rest = data.split(b"\n")
    for number, line in enumerate(lines, 1):
        if _LINES[size].fullmatch(line + b"\n") is None:
            return FormatError(_WHAT, f"line {number} is no symbol", offset=offset)
        offset += len(line) + 1
    problem = f"line {len(lines) + 1} is cut off" if rest else "it is empty"
    return FormatError(_WHAT, problem, offset=offset)
