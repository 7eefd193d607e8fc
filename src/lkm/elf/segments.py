"""Cut an ELF file down to what is mapped into memory when it runs.

    header     e_phoff and e_phnum say where the program headers lie, e_shoff, e_shnum and
               e_shstrndx the section table, which nothing needs to run
    segment    p_offset and p_filesz of each program header; debug information lies behind them all

Source: System V ABI, chapter 5.
"""

from __future__ import annotations

import struct

from lkm.elf.constants import ELFCLASS64, ELFDATA2MSB, MAGIC

_HEADERS = {True: ("QQ", 32, 64, "IIQQQQ", 56), False: ("II", 28, 52, "IIIII", 32)}
_COUNTS_AT = {True: 54, False: 42}
_SECTIONS_AT = {True: (40, 8, 58), False: (32, 4, 46)}


def mapped_part(data: bytes) -> bytes:
    """Return *data* without what follows its last segment, and without its section table.

    What is no ELF file, or has no program headers inside itself, comes back as it is.
    """
    is_64bit = data[4:5] == bytes([ELFCLASS64])
    order = ">" if data[5:6] == bytes([ELFDATA2MSB]) else "<"
    offsets, at, size, code, entry = _HEADERS[is_64bit]
    if data[:4] != MAGIC or len(data) < size:
        return data
    start, _sections = struct.unpack_from(order + offsets, data, at)
    entry_size, count = struct.unpack_from(order + "HH", data, _COUNTS_AT[is_64bit])
    end = start + entry_size * count
    if entry_size != entry or not count or end > len(data):
        return data
    for number in range(count):
        fields = struct.unpack_from(order + code, data, start + number * entry)
        offset, length = (fields[2], fields[5]) if is_64bit else (fields[1], fields[4])
        end = max(end, offset + length)
    if end > len(data):
        return data
    cut = bytearray(data[:end])
    place, width, counts = _SECTIONS_AT[is_64bit]
    cut[place : place + width] = bytes(width)
    # e_shentsize stays; e_shnum and e_shstrndx stand behind it.
    cut[counts + 2 : counts + 6] = bytes(4)
    return bytes(cut)
