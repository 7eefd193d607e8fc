"""What applying a relocation comes to: bytes written, or a finding."""

from __future__ import annotations

import errno

from lkm.loader.findings import DAMAGED, Finding, LogLine
from lkm.loader.relocations.tables import WORD, Entry, Table

CHECK = "relocation"


class Memory:
    """The bytes of one section while its relocations are applied.

    *contents* are the file's: all of them, or none of a section that begins as zeros.
    """

    def __init__(self, contents: bytes) -> None:
        self._bytes = bytearray(contents)
        self._behind: dict[int, int] = {}

    def read(self, offset: int, width: int) -> bytes:
        """Return *width* bytes at *offset*."""
        if offset + width <= len(self._bytes):
            return bytes(self._bytes[offset : offset + width])
        return bytes([self._behind.get(at, 0) for at in range(offset, offset + width)])

    def write(self, offset: int, data: bytes) -> None:
        """Put *data* at *offset*."""
        if offset + len(data) <= len(self._bytes):
            self._bytes[offset : offset + len(data)] = data
        else:
            self._behind.update(enumerate(data, offset))


def signed(value: int) -> int:
    """Return a number of 64 bits as the signed one with the same bits."""
    value %= WORD
    return value - WORD if value >> 63 else value


def refused(name: str, evidence: str, *texts: str) -> Finding:
    """Return the refusal of *name*, which the kernel tells by *texts*, a line each."""
    return Finding(
        check=CHECK,
        errno=errno.ENOEXEC,
        log=tuple([LogLine(3, text) for text in texts]),
        evidence=f"{name}: {evidence}",
        remedy=DAMAGED,
    )


def doubt(evidence: str) -> Finding:
    """Return the finding of what lkm cannot tell, as *evidence* says."""
    return Finding(check=CHECK, evidence=evidence, could_not_tell=True)


def where(entry: Entry, table: Table) -> str:
    """Return in words which relocation *entry* is."""
    place = f"{table.target.name}+{entry.offset:#x}"
    return f"the relocation of type {entry.type} at {place}"


def outside(entry: Entry, table: Table, what: str) -> Finding:
    """Return the refusal of *entry*, at which a kernel would leave the module's own memory."""
    return Finding(
        check=CHECK,
        errno=errno.ENOEXEC,
        evidence=(
            f"{where(entry, table)} {what}; the kernel does not look, takes what lies there and "
            "may oops: lkm refuses instead"
        ),
        remedy="take the module file as its kernel's build made it; never load this one",
    )
