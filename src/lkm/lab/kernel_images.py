"""The kernel as QEMU boots it soonest: unpacked where it can start that way, else as it is.

An x86 kernel with CONFIG_PVH has a note that tells its entry point (type 18 of "Xen"), by which
QEMU starts the ELF file itself. An arm64 kernel starts as the ``Image`` that it is when unpacked.
Source: arch/x86/platform/pvh/head.S; QEMU, hw/i386/x86.c.
"""

from __future__ import annotations

from dataclasses import dataclass

from lkm.elf.file import ElfFile
from lkm.elf.notes import parse_notes
from lkm.errors import FileError, FormatError, LabError
from lkm.lab.architectures import ARM64, X86_64, Architecture, architecture, of_machine
from lkm.lab.kept import kept_path, key_of_file
from lkm.vmlinux.image import KernelImage

_NOTES = ".notes"
_XEN = "Xen"
_PHYS32_ENTRY = 18
# What is kept of a kernel that QEMU takes as it is, before the name of its architecture.
_AS_IT_IS = b"as it is: "
_ARM64_MAGIC, _ARM64_MAGIC_AT = b"ARM\x64", 56
_START = 128


@dataclass(frozen=True, slots=True)
class Bootable:
    """A kernel for QEMU: the *file* that has it or its bytes, and the machine that it is for."""

    file: str | bytes
    architecture: Architecture


def bootable(path: str) -> Bootable:
    """Return the kernel image at *path* for QEMU; what had to be unpacked is kept.

    Raises ``LabError`` for a machine that there is no lab for, ``FileError``, ``FormatError``.
    """
    name = f"kernel-{key_of_file(path)}"
    file = kept_path(name, lambda: _prepared(path))
    data = _start_of(file) if isinstance(file, str) else file
    if data.startswith(_AS_IT_IS):
        return Bootable(path, architecture(data.removeprefix(_AS_IT_IS).decode("ascii")))
    found = ARM64 if data[_ARM64_MAGIC_AT:].startswith(_ARM64_MAGIC) else X86_64
    return Bootable(file, found)


def _prepared(path: str) -> bytes:
    """Return the unpacked kernel where QEMU starts that, else what says that it is as it is."""
    image = KernelImage.open(path)
    found = of_machine(image.machine)
    if found is None:
        raise LabError(f"{path} is a kernel for another machine than there is a lab for")
    starts_unpacked = image.elf is None if found is ARM64 else _has_entry_note(image.elf)
    if image.wrappers and starts_unpacked:
        return image.data
    return _AS_IT_IS + found.name.encode()


def _has_entry_note(elf: ElfFile | None) -> bool:
    data = None if elf is None else elf.section_data(_NOTES)
    if elf is None or data is None:
        return False
    try:
        notes = parse_notes(data, elf.order)
    except FormatError:
        return False
    return any(note.name == _XEN and note.type == _PHYS32_ENTRY for note in notes)


def _start_of(file: str) -> bytes:
    try:
        with open(file, "rb") as opened:
            return opened.read(_START)
    except OSError as error:
        raise FileError.from_os("read", file, error) from None
