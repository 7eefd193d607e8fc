"""Read the entries of section ``.modinfo``: NUL-ended ``key=value`` texts.

Source: include/linux/moduleparam.h (MODULE_INFO, __MODULE_PARM_TYPE, MODULE_PARM_DESC); kmod,
libkmod-elf.c and tools/modinfo.c.
"""

from __future__ import annotations

from lkm import _text
from lkm._value import Value
from lkm.errors import FormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    Entries = tuple[tuple[str, str], ...]


_PARAMETER_KEYS = frozenset({"parm", "parmtype"})

# Of one module. Of Debian's option.ko has most: some 1,600 in 76 KB. Each entry becomes objects of
# many times its size, so that without a bound a file could ask for any time and memory.
_MOST_ENTRIES, _MOST_BYTES = 1 << 15, 1 << 20


class Parameter(Value):
    """A parameter that a module declares.

    *type* is its ``parmtype`` (``int``, ``charp``, ``array of uint``), *description* its ``parm``
    text; either may be empty.
    """

    __slots__ = ("description", "name", "type")

    def __init__(self, name: str, type: str = "", description: str = "") -> None:  # noqa: A002  # modinfo's word
        self.name: Final = name
        self.type: Final = type
        self.description: Final = description


def parse_modinfo(data: bytes) -> Entries:
    """Return the entries in *data*, the contents of ``.modinfo``, in file order.

    Extra NULs between entries are passed over, an entry without ``=`` is a key with an empty
    value, and the last entry may lack its NUL. Raises ``FormatError`` for what ``excess`` tells of.
    """
    problem = excess(data)
    if problem:
        raise FormatError("module", problem)
    return tuple(
        [
            (key, value)
            for entry in _text.decode(data).split("\0")
            if entry
            for key, _, value in (entry.partition("="),)
        ]
    )


def excess(data: bytes) -> str:
    """Return in words how *data*, the contents of ``.modinfo``, is more than any module has.

    Empty for what may be read. NULs between entries count as entries.
    """
    size = len(data)
    if size > _MOST_BYTES:
        return f".modinfo of {size} bytes, more than {_MOST_BYTES}"
    # So many entries take two bytes each: most sections are too small to be worth counting.
    if size > 2 * _MOST_ENTRIES and data.count(b"\0") > _MOST_ENTRIES:
        return f"more than {_MOST_ENTRIES} entries in .modinfo"
    return ""


def parameters(entries: Iterable[tuple[str, str]]) -> tuple[Parameter, ...]:
    """Return the parameters that *entries* declare, in the order of their first mention.

    Entries ``parm=NAME:TEXT`` and ``parmtype=NAME:TYPE`` are joined by name; of several for one
    name the last counts. One without a colon declares nothing.
    """
    return tuple(
        [
            Parameter(name, texts.get("parmtype", ""), texts.get("parm", ""))
            for name, texts in parameter_texts(entries).items()
        ]
    )


def parameter_texts(entries: Iterable[tuple[str, str]]) -> dict[str, dict[str, str]]:
    """Return by parameter what *entries* have of it: its ``parm``, its ``parmtype`` or both."""
    found: dict[str, dict[str, str]] = {}
    for key, value in entries:
        if key in _PARAMETER_KEYS:
            name, colon, text = value.partition(":")
            if colon:
                found.setdefault(name, {})[key] = text
    return found


def nameless_parameters(entries: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the entries that are to declare a parameter and lack the colon after its name."""
    return tuple(
        [f"{key}={value}" for key, value in entries if key in _PARAMETER_KEYS and ":" not in value]
    )
