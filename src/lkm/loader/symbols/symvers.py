"""Read ``Module.symvers``, the list of what a kernel build exports.

One line a symbol, fields separated by tabs::

    0xCRC  SYMBOL  OWNER  EXPORT_SYMBOL[_GPL]  [NAMESPACE]

OWNER is ``vmlinux`` or a module's path. Linux 5.4 and 5.5 had the namespace before the owner
(commit 5190044c2965, "modpost: move the namespace field in Module.symvers last"), kernels before
2.6.18 no kind of export.
Source: scripts/mod/modpost.c, write_dump; Documentation/kbuild/modules.rst.
"""

from __future__ import annotations

from collections.abc import Iterator

from lkm.errors import FormatError
from lkm.loader.facts import KernelSymbol

_WHAT = "Module.symvers"
_KERNEL = "vmlinux"


def parse_symvers(text: str) -> tuple[KernelSymbol, ...]:
    """Return what the kernel itself exports, in the order of *text*; modules' exports are left out.

    A CRC of zero, which a kernel without modversions has throughout, is one that is not known.
    Raises ``FormatError`` with the offset of the first line that is not whole.
    """
    return tuple(_symbols(text))


def _symbols(text: str) -> Iterator[KernelSymbol]:
    offset = 0
    *lines, rest = text.split("\n")
    for line in lines:
        fields = line.split("\t") if "\t" in line else line.split()
        if not 3 <= len(fields) <= 5:
            raise FormatError(_WHAT, f"a line of {len(fields)} fields", offset=offset)
        symbol = _symbol(fields, _crc(fields[0], offset))
        if symbol is not None:
            yield symbol
        offset += len(line) + 1
    if rest:
        raise FormatError(_WHAT, "cut off: a line without its end", offset=offset)


def _crc(word: str, offset: int) -> int:
    try:
        crc = int(word, 16)
    except ValueError:
        crc = -1
    if not 0 <= crc < 1 << 32:
        raise FormatError(_WHAT, f"no CRC: {word!r}", offset=offset)
    return crc


def _symbol(fields: list[str], crc: int) -> KernelSymbol | None:
    fields = [*fields, "", ""][:5]
    if fields[4].startswith("EXPORT_"):
        fields = [fields[0], fields[1], fields[3], fields[4], fields[2]]
    _crc, name, owner, kind, namespace = fields
    if owner != _KERNEL:
        return None
    return KernelSymbol(
        name=name,
        crc=crc or None,
        crc_known=bool(crc),
        gpl_only="_GPL" in kind,
        namespace=namespace.strip(),
    )
