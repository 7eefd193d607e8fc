"""Read what a kernel exports, from the tables in its image.

    __ksymtab[_gpl ...]   entries, in one of these layouts; where the namespace field is missing
                          the kernel is older than 5.4
        relative          i32 value, i32 name [, i32 namespace], each counted from its own place
                          (machines with PREL32 relocations, since 4.19)
        absolute          word value, word name [, word namespace]
    __kcrctab[_gpl ...]   one CRC an entry: u32, or a word (before 4.10), or (4.10 to 5.18, some
                          machines) i32, counted from its own place, that leads to the u32
    __kflagstab           since 7.1: one byte an entry of __ksymtab, bit 0 of it GPL-only
    __ksymtab_strings     the names and namespaces

Nothing in the image says which layout it has, but only one of them makes every name of a table a
text in ``__ksymtab_strings``; that is the one. Source: include/asm-generic/export.h,
include/linux/export.h, include/linux/export-internal.h, kernel/module/main.c of Linux 2.6 to 7.1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lkm import _text
from lkm.elf.file import Section
from lkm.errors import FormatError
from lkm.module.symbols import EXPORT_SECTIONS
from lkm.vmlinux.answers import LayoutNotKnown
from lkm.vmlinux.image import KernelImage

_STRINGS = "__ksymtab_strings"
_GPL_ONLY_FLAG = 1
_MOST_ENTRIES = 1 << 20
# So few numbers could lead into the image by chance.
_FEW_CRCS = 8


class KernelExport(NamedTuple):
    """A symbol that the kernel itself offers to modules.

    *crc* is None without modversions; *gpl_only* means that only modules of a GPL-compatible
    licence may use it; *namespace* is empty for none. *address* is where the kernel was linked
    to have it, None where it is not known, as from a Module.symvers.
    """

    name: str
    crc: int | None = None
    gpl_only: bool = False
    namespace: str = ""
    address: int | None = None


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a table's entries are made: of *fields* numbers, relative to their places or not."""

    relative: bool
    fields: int


# Tried in this order. At most one can fit a table: the others take a value for a name.
_LAYOUTS = (_Layout(True, 3), _Layout(True, 2), _Layout(False, 3), _Layout(False, 2))


@dataclass(frozen=True, slots=True)
class _Table:
    """An export table: where it is, its bytes, its name's suffix, and the bytes of the strings."""

    section: Section
    data: bytes
    suffix: str
    strings_at: int
    strings: bytes


def read_exports(image: KernelImage) -> tuple[KernelExport, ...] | LayoutNotKnown:
    """Return what the kernel in *image* exports, in the order of its tables.

    That is the order in which the kernel looks: plain symbols, then GPL-only ones, each sorted by
    name. An empty answer is a kernel that exports nothing.

    Raises ``FormatError`` for tables that reach past the end of the file.
    """
    if image.elf is None or not image.sections:
        return LayoutNotKnown("the image has no section table, so its export tables are not found")
    if image.section(".text") is None:
        return LayoutNotKnown("the image's sections are not those of a kernel")
    found: list[KernelExport] = []
    for table in _tables(image):
        entries = _entries(table, image)
        if isinstance(entries, LayoutNotKnown):
            return entries
        crcs = _crcs(table, image, len(entries))
        if isinstance(crcs, LayoutNotKnown):
            return crcs
        flags = _gpl_only(table, image, len(entries))
        if isinstance(flags, LayoutNotKnown):
            return flags
        found += [
            KernelExport(name, crc, gpl_only, namespace, address)
            for (name, namespace, address), crc, gpl_only in zip(entries, crcs, flags, strict=True)
        ]
    return tuple(found)


def _tables(image: KernelImage) -> Iterator[_Table]:
    strings = image.section(_STRINGS)
    texts = image.section_data(_STRINGS) or b""
    for name in EXPORT_SECTIONS:
        section = image.section(name)
        if section is not None and section.size:
            at = strings.address if strings else 0
            data = image.section_data(name) or b""
            yield _Table(section, data, name.removeprefix("__ksymtab"), at, texts)


def _entries(table: _Table, image: KernelImage) -> list[tuple[str, str, int]] | LayoutNotKnown:
    """Return name, namespace and address of each entry."""
    for layout in _LAYOUTS:
        entries = _entries_as(layout, table, image)
        if entries is not None:
            return entries
    return LayoutNotKnown(f"the entries of {table.section.name} are in no layout that lkm knows")


def _entries_as(
    layout: _Layout, table: _Table, image: KernelImage
) -> list[tuple[str, str, int]] | None:
    """Return the entries of *table* read in that layout, None where one makes no sense in it."""
    word = 8 if image.is_64bit else 4
    width = 4 if layout.relative else word
    size = width * layout.fields
    count, rest = divmod(len(table.data), size)
    if rest or count > _MOST_ENTRIES:
        return None
    letter = "i" if layout.relative else "Q" if word == 8 else "I"
    numbers: Sequence[int] = struct.unpack(
        f"{image.order}{count * layout.fields}{letter}", table.data
    )
    mask = (1 << 8 * word) - 1
    found: list[tuple[str, str, int]] = []
    texts = _Texts(table)
    at = table.section.address if layout.relative else 0
    step = width if layout.relative else 0
    for start in range(0, len(numbers), layout.fields):
        place = at + start * step
        name = texts.at(place + step + numbers[start + 1])
        namespace: str | None = ""
        if layout.fields == 3 and numbers[start + 2]:  # 5.4 has 0 where there is no namespace
            namespace = texts.at(place + 2 * step + numbers[start + 2])
        if not name or namespace is None:
            return None
        found.append((name, namespace, (place + numbers[start]) & mask))
    return found


class _Texts:
    """The texts of ``__ksymtab_strings``, by address."""

    def __init__(self, table: _Table) -> None:
        self._start = table.strings_at
        self._strings = table.strings

    def at(self, address: int) -> str | None:
        """Return the text at *address*, None where none is."""
        # It need not begin after a NUL: the linker may merge one text with the tail of another.
        start = address - self._start
        if not 0 <= start < len(self._strings):
            return None
        stop = self._strings.find(b"\0", start)
        return None if stop < 0 else _text.decode(self._strings[start:stop])


def _crcs(table: _Table, image: KernelImage, count: int) -> Sequence[int | None] | LayoutNotKnown:
    """Return the CRC of each of *count* entries, None for each in a kernel without modversions."""
    name = f"__kcrctab{table.suffix}"
    section = image.section(name)
    data = image.section_data(name) or b""
    if section is None or not data:
        return [None] * count
    numbers: tuple[int, ...]
    if len(data) == 8 * count and image.is_64bit:
        numbers = struct.unpack(f"{image.order}{count}Q", data)
        if max(numbers) <= 0xFFFF_FFFF:
            return numbers
    if len(data) != 4 * count:
        return LayoutNotKnown(f"{name} has {len(data)} bytes for {count} exports")
    numbers = struct.unpack(f"{image.order}{count}I", data)
    led_to = _led_to(numbers, section.address, image)
    return numbers if led_to is None else led_to


def _led_to(numbers: Sequence[int], at: int, image: KernelImage) -> list[int] | None:
    """Return the CRCs that *numbers* lead to, None where they are CRCs themselves.

    A true CRC leads somewhere into the image once in a hundred times; all of them never do.
    """
    if len(numbers) < _FEW_CRCS:
        return None
    found: list[int] = []
    for index, number in enumerate(numbers):
        offset = number - (1 << 32) if number >> 31 else number
        try:
            data = image.read(at + 4 * index + offset, 4)
        except FormatError:
            return None
        found.append(int.from_bytes(data, "little" if image.order == "<" else "big"))
    return found


def _gpl_only(table: _Table, image: KernelImage, count: int) -> Sequence[bool] | LayoutNotKnown:
    data = b"" if table.suffix else image.section_data("__kflagstab") or b""
    if data and len(data) != count:
        return LayoutNotKnown(f"__kflagstab has {len(data)} bytes for {count} exports")
    if data:
        return [bool(flag & _GPL_ONLY_FLAG) for flag in data]
    return [EXPORT_SECTIONS[table.section.name]] * count
