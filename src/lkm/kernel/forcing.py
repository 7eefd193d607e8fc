"""Change a module's bytes so that init_module(2), which takes no flags, skips its checks.

finit_module(2) has flags for it; this is for kernels and files that it cannot be used with.
Source: kmod, libkmod-elf.c, kmod_elf_strip; kernel/module/version.c and main.c.
"""

from __future__ import annotations

import errno
import struct

from lkm.elf.file import ElfFile
from lkm.errors import BadModuleFormatError, FormatError, KernelError
from lkm.kernel.protocol import IGNORE_MODVERSIONS, IGNORE_VERMAGIC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.module.file import ModuleImage

_ALLOC = 2


def forced(image: ModuleImage, flags: int) -> bytes:
    """Return the image's bytes, changed as *flags* ask.

    IGNORE_MODVERSIONS takes the ALLOC flag off ``__versions``, so that the kernel does not find
    it; IGNORE_VERMAGIC overwrites the modinfo's vermagic by NULs. Raises ``KernelError`` (ENODATA)
    where there is no vermagic, ``BadModuleFormatError`` (ENOEXEC) for what is no ELF file.
    """
    if not flags & (IGNORE_MODVERSIONS | IGNORE_VERMAGIC):
        return image.data
    try:
        elf = ElfFile.from_bytes(image.data)
    except FormatError as error:
        raise BadModuleFormatError("insert", image.name, errno.ENOEXEC, remedy=str(error)) from None
    data = bytearray(image.data)
    if flags & IGNORE_MODVERSIONS:
        _hide_versions(elf, data)
    if flags & IGNORE_VERMAGIC and not _erase_vermagic(elf, data):
        remedy = "the module has no vermagic: load it without ignoring that"
        raise KernelError("insert", image.name, errno.ENODATA, remedy=remedy)
    return bytes(data)


def _hide_versions(elf: ElfFile, data: bytearray) -> None:
    section = elf.section("__versions")
    if section is None:
        return
    # e_shoff and e_shentsize, then sh_flags: after two 32-bit words, and as wide as an address.
    word = "Q" if elf.is_64bit else "I"
    (headers,) = struct.unpack_from(elf.order + word, data, 40 if elf.is_64bit else 32)
    (size,) = struct.unpack_from(elf.order + "H", data, 58 if elf.is_64bit else 46)
    flags_at = headers + section.index * size + 8
    struct.pack_into(elf.order + word, data, flags_at, section.flags & ~_ALLOC)


def _erase_vermagic(elf: ElfFile, data: bytearray) -> bool:
    section = elf.section(".modinfo")
    if section is None:
        return False
    entries = b"\0" + elf.contents(section)
    start = entries.find(b"\0vermagic=")
    if start < 0:
        return False
    stop = entries.find(b"\0", start + 1)
    size = (len(entries) if stop < 0 else stop) - start - 1
    data[section.offset + start : section.offset + start + size] = bytes(size)
    return True
