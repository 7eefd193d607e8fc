"""Parse and write the text files of a modules directory.

Parsers take the file's bytes, pass over comments and lines that say nothing, and never fail: these
files are also edited by hand. Writers return a whole file's bytes, as depmod writes it.

Source: modules.dep(5); kmod, tools/depmod.c, output_*.
"""

from __future__ import annotations

from lkm import _text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    DeviceNode = tuple[str, str, str, int, int]

ALIAS_TITLE = "# Aliases extracted from modules themselves.\n"
SOFTDEP_TITLE = "# Soft dependencies extracted from modules themselves.\n"
WEAKDEP_TITLE = "# Weak dependencies extracted from modules themselves.\n"
SYMBOLS_TITLE = "# Aliases for symbols, used by symbol_request().\n"
DEVNAME_TITLE = "# Device nodes to trigger on-demand module loading.\n"

_LARGEST = 0xFFFF_FFFF_FFFF_FFFF  # of an unsigned long: scanf takes all beyond it for it
_DIGITS = 21  # one more than that has


def parse_dep(data: bytes) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return (path, paths of all its dependencies) of each line of a modules.dep.

    Paths are as written: relative to the directory, or absolute in trees made before kmod. The
    last dependency is to be loaded first.
    """
    found = []
    # Linux 2.4's depmod continued long lines with a backslash.
    for line in _text.decode(data).replace("\\\n", "").split("\n"):
        path, colon, rest = line.partition(":")
        if colon and path and path[0] != "#":
            found.append((path.strip(), tuple(rest.split())))
    return tuple(found)


def parse_aliases(data: bytes) -> tuple[tuple[str, str], ...]:
    """Return (alias as written, module) of each line of a modules.alias or modules.symbols."""
    found = []
    for line in _text.decode(data).split("\n"):
        if line.startswith("alias "):
            alias, _, module = line[6:].strip().rpartition(" ")
            if alias:
                found.append((alias.rstrip(), module))
    return tuple(found)


def parse_devname(data: bytes) -> tuple[DeviceNode, ...]:
    """Return (module, device name, ``c`` or ``b``, major, minor) of each line of a modules.devname.

    Source: kmod, tools/static-nodes.c.
    """
    return tuple([node for _, node in devname_lines(data) if node is not None])


def devname_lines(data: bytes) -> tuple[tuple[str, DeviceNode | None], ...]:
    """Return each line of a modules.devname with what it says; None where it says nothing.

    Comments are left out. As in kmod any white space parts the words, and what follows the minor
    number is passed over.
    """
    lines = _text.decode(data).split("\n")
    if lines[-1] == "":
        lines.pop()
    return tuple([(line, _device_node(line)) for line in lines if line[:1] != "#"])


def _device_node(line: str) -> DeviceNode | None:
    words = line.split(maxsplit=2)
    if len(words) < 3 or words[2][0] not in ("c", "b"):
        return None
    module, device, numbers = words
    major, rest = _leading_number(numbers[1:])
    if major is None or rest[:1] != ":":
        return None
    minor, _ = _leading_number(rest[1:])
    return None if minor is None else (module, device, numbers[0], major, minor)


def _leading_number(text: str) -> tuple[int | None, str]:
    """Return the unsigned number that *text* begins with, as scanf reads it, and what follows.

    It may have a sign, below zero it is counted from 2^32 down, and of what is larger than an
    unsigned int the low bits count.
    """
    text = text.lstrip()
    unsigned = text[1:] if text[:1] in ("+", "-") else text
    rest = unsigned.lstrip("0123456789")
    digits = unsigned[: len(unsigned) - len(rest)]
    if not digits:
        return None, rest
    # Python turns no more than some thousand digits into a number.
    number = int(digits.lstrip("0")[:_DIGITS] or "0")
    if number > _LARGEST:
        number = _LARGEST
    elif text[0] == "-":
        number = -number
    return number & 0xFFFF_FFFF, rest


def parse_paths(data: bytes) -> tuple[str, ...]:
    """Return the paths of a modules.order or modules.builtin, one a line."""
    return tuple([line for line in _text.decode(data).split("\n") if line])


def dep_text(lines: Iterable[str]) -> bytes:
    """Return modules.dep; *lines* are its lines without their newlines."""
    return _text.encode("".join([line + "\n" for line in lines]))


def alias_lines(aliases: Sequence[str], module: str) -> bytes:
    """Return the lines of modules.alias, or of modules.symbols, that lead to *module*."""
    if not aliases:
        return b""
    between = f" {module}\nalias "
    return _text.encode(f"alias {between.join(aliases)} {module}\n")


def softdep_text(softdeps: Iterable[tuple[str, str]]) -> bytes:
    """Return modules.softdep of (module, text)."""
    return _text.encode(
        SOFTDEP_TITLE + "".join([f"softdep {name} {text}\n" for name, text in softdeps])
    )


def weakdep_text(weakdeps: Iterable[tuple[str, str]]) -> bytes:
    """Return modules.weakdep of (module, text)."""
    return _text.encode(
        WEAKDEP_TITLE + "".join([f"weakdep {name} {text}\n" for name, text in weakdeps])
    )


def devname_text(nodes: Iterable[tuple[str, str, str, int, int]]) -> bytes:
    """Return modules.devname of what ``parse_devname`` gives; without any the file is empty."""
    lines = [
        f"{module} {device} {kind}{major}:{minor}\n" for module, device, kind, major, minor in nodes
    ]
    return _text.encode(DEVNAME_TITLE + "".join(lines)) if lines else b""
