"""The file that the kernel is given, on its way to a module: bytes that the first checks unwrap."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from lkm.loader.facts import KernelFacts, as_native
from lkm.module.file import ModuleImage

HEADER_BYTES = {True: 64, False: 52}
"""The size of an ELF header, of 64 bit or not."""

SECTION_BYTES = {True: 64, False: 40}
"""The size of a section header."""

IGNORE_MODVERSIONS = 1
IGNORE_VERMAGIC = 2
COMPRESSED_FILE = 4


@dataclass(frozen=True, slots=True)
class Header:
    """The fields of the ELF header that the loader looks at."""

    type: int
    machine: int
    sections_at: int
    section_size: int
    section_count: int
    names_index: int


@dataclass(slots=True)
class GivenFile:
    """The bytes as the loader sees them, and how they came to it.

    *data* is what is left of the file: a check that unwraps it (decompression, signature) puts the
    rest there. *by_descriptor* tells finit_module(2) from init_module(2). *signed* tells whether a
    signature was found good.
    """

    data: bytes
    kernel: KernelFacts
    flags: int
    by_descriptor: bool
    signed: bool = False
    # The data that ``native`` was asked for last, and its answer.
    _native: tuple[bytes, bytes] | None = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, image: ModuleImage, kernel: KernelFacts, flags: int) -> GivenFile:
        """Return *image* as it is handed over: by its descriptor, unless lkm had to unwrap it."""
        return cls(image.data, kernel, flags, bool(image.path) and not image.compression)

    def header(self) -> Header:
        """Return the ELF header of the file, which must be long enough for one."""
        code = "16sHHIQQQIHHHHHH" if self.kernel.is_64bit else "16sHHIIIIIHHHHHH"
        fields = struct.unpack_from(self.kernel.order + code, self.data)
        return Header(fields[1], fields[2], fields[6], fields[11], fields[12], fields[13])

    def sections(self) -> list[tuple[int, ...]]:
        """Return the section headers: name, type, flags, addr, offset, size, link, ..."""
        header = self.header()
        wide = self.kernel.is_64bit
        code = self.kernel.order + ("IIQQQQIIQQ" if wide else "10I")
        stop = header.sections_at + header.section_count * SECTION_BYTES[wide]
        return list(struct.iter_unpack(code, self.data[header.sections_at : stop]))

    def native(self) -> bytes:
        """Return the data as this kernel takes it: of its own class and byte order.

        A section whose name lies outside of the names is nameless: before STEPWISE_ELF nobody
        looks at the names of those that take no memory.
        """
        if self._native is None or self._native[0] is not self.data:
            self._native = self.data, self._made_native()
        return self._native[1]

    def _made_native(self) -> bytes:
        data = as_native(self.data, self.kernel)
        header, sections = self.header(), self.sections()
        names_size = sections[header.names_index][5] if header.names_index < len(sections) else 0
        nameless = [place for place, section in enumerate(sections) if section[0] >= names_size]
        if not nameless:
            return data
        patched = bytearray(data)
        for place in nameless:
            at = header.sections_at + place * SECTION_BYTES[self.kernel.is_64bit]
            patched[at : at + 4] = bytes(4)
        return bytes(patched)
