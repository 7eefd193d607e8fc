"""Change a module file's bytes where no compiler would: each function takes and returns a file.

Written on the ELF specification alone, for 64-bit little-endian files, so that what is tested is
not also what makes the test. Contents that grow are put behind the file, which nobody minds.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import reduce

Patch = Callable[[bytes], bytes]

_HEADER = {"type": (16, "H"), "machine": (18, "H"), "shoff": (40, "Q"), "shentsize": (58, "H")}
_HEADER |= {"shnum": (60, "H"), "shstrndx": (62, "H"), "class": (4, "B"), "data": (5, "B")}
_HEADER |= {"magic": (0, "B"), "version": (20, "I"), "ehsize": (52, "H")}
_SECTION = {"name": (0, "I"), "type": (4, "I"), "flags": (8, "Q"), "addr": (16, "Q")}
_SECTION |= {"offset": (24, "Q"), "size": (32, "Q"), "link": (40, "I"), "info": (44, "I")}
_SECTION |= {"align": (48, "Q"), "entsize": (56, "Q")}
_SYMBOL = {"name": (0, "I"), "info": (4, "B"), "shndx": (6, "H"), "value": (8, "Q")}
_MAGIC = b"~Module signature appended~\n"
_NAME_AT = 24  # struct module: state, list, name
_VERSION = struct.Struct("<Q56s")


def patched(data: bytes, *patches: Patch) -> bytes:
    """Return *data* after one patch and the next."""
    return reduce(lambda done, patch: patch(done), patches, data)


def header(field: str, value: int) -> Patch:
    """Set a field of the ELF header, named as the specification has it without ``e_``."""

    def patch(data: bytes) -> bytes:
        offset, code = _HEADER[field]
        return _put(data, offset, code, value)

    return patch


def section(name: str | int, field: str, value: int) -> Patch:
    """Set a field of a section's header; *name* may be its index."""

    def patch(data: bytes) -> bytes:
        offset, code = _SECTION[field]
        return _put(data, _header_of(data, name) + offset, code, value)

    return patch


def symbol(name: str, field: str, value: int) -> Patch:
    """Set a field of the first symbol of that name; ``shndx`` may be a section's name's index."""

    def patch(data: bytes) -> bytes:
        offset, code = _SYMBOL[field]
        return _put(data, _symbol_of(data, name) + offset, code, value)

    return patch


def symbol_name(name: str, new: str) -> Patch:
    """Give the first symbol of that name another one."""

    def patch(data: bytes) -> bytes:
        place = _field(data, ".strtab", "size")
        at = _symbol_of(data, name)
        grown = contents(".strtab", lambda old: old + new.encode() + b"\0")(data)
        return _put(grown, at, "I", place)

    return patch


def renamed(name: str, new: str) -> Patch:
    """Give a section another name."""

    def patch(data: bytes) -> bytes:
        names = _names_index(data)
        place = _field(data, names, "size")
        grown = contents(names, lambda old: old + new.encode() + b"\0")(data)
        return section(_index(data, name), "name", place)(grown)

    return patch


def contents(name: str | int, change: Callable[[bytes], bytes]) -> Patch:
    """Change what is in a section; it moves behind the file where it gets longer."""

    def patch(data: bytes) -> bytes:
        offset, size = _field(data, name, "offset"), _field(data, name, "size")
        new = change(data[offset : offset + size])
        if len(new) <= size:
            data = data[:offset] + new + data[offset + len(new) :]
        else:
            data += bytes(-len(data) % 64)
            data = section(name, "offset", len(data))(data) + new
        return section(name, "size", len(new))(data)

    return patch


def modinfo(key: str, value: str | None) -> Patch:
    """Set the first entry *key* of the modinfo, or add it; None takes all of that key out."""

    def change(old: bytes) -> bytes:
        entries = [entry for entry in old.split(b"\0") if entry]
        start = key.encode() + b"="
        kept = [entry for entry in entries if not entry.startswith(start)]
        if value is None:
            return b"".join([entry + b"\0" for entry in kept])
        found = [at for at, entry in enumerate(entries) if entry.startswith(start)]
        if found:
            entries[found[0]] = start + value.encode()
        else:
            entries.append(start + value.encode())
        return b"".join([entry + b"\0" for entry in entries])

    return contents(".modinfo", change)


def vermagic(change: Callable[[str], str]) -> Patch:
    """Change the vermagic."""

    def patch(data: bytes) -> bytes:
        offset, size = _field(data, ".modinfo", "offset"), _field(data, ".modinfo", "size")
        entries = data[offset : offset + size].split(b"\0")
        (found,) = [entry for entry in entries if entry.startswith(b"vermagic=")]
        return modinfo("vermagic", change(found[9:].decode()))(data)

    return patch


def crc(name: str, change: Callable[[int], int]) -> Patch:
    """Change the CRC that the module states for a symbol."""

    def each(entry: bytes) -> bytes:
        number, text = _VERSION.unpack(entry)
        return _VERSION.pack(change(number), text) if _text(text) == name else entry

    return contents("__versions", lambda old: b"".join([each(part) for part in _versions(old)]))


def no_crc(name: str) -> Patch:
    """Take the CRC of a symbol out of ``__versions``."""

    def change(old: bytes) -> bytes:
        kept = [part for part in _versions(old) if _text(part[8:]) != name]
        return b"".join(kept)

    return contents("__versions", change)


def struct_name(name: str) -> Patch:
    """Set the name in struct module, which is the one that counts."""

    def change(old: bytes) -> bytes:
        return old[:_NAME_AT] + name.encode().ljust(56, b"\0") + old[_NAME_AT + 56 :]

    return contents(".gnu.linkonce.this_module", change)


def cut_signature(data: bytes) -> bytes:
    """Cut off the signature that is appended to the file."""
    if not data.endswith(_MAGIC):
        return data
    (size,) = struct.unpack(">I", data[-len(_MAGIC) - 4 : -len(_MAGIC)])
    return data[: -len(_MAGIC) - 12 - size]


def flipped(offset: int) -> Patch:
    """Turn one bit of the byte at *offset*, counted from the end where it is negative."""

    def patch(data: bytes) -> bytes:
        at = offset % len(data)
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    return patch


def text_flipped(data: bytes) -> bytes:
    """Turn one bit of the first code that has bytes."""
    for name in (".text", ".init.text", ".exit.text"):
        try:
            offset, size = _field(data, name, "offset"), _field(data, name, "size")
        except KeyError:
            continue
        if size:
            return flipped(offset)(data)
    raise KeyError("no code")


def appended(tail: bytes) -> Patch:
    """Put bytes behind the file."""
    return lambda data: data + tail


def cut(size: int) -> Patch:
    """Keep the first *size* bytes; a negative number takes as many from the end."""
    return lambda data: data[:size]


def relocation(name: str, number: int, *, kind: int | None = None, at: int | None = None) -> Patch:
    """Change the type or the offset of a relocation of the section *name*."""

    def patch(data: bytes) -> bytes:
        place = _field(data, f".rela{name}", "offset") + 24 * number
        if kind is not None:
            data = _put(data, place + 8, "I", kind)
        return data if at is None else _put(data, place, "Q", at)

    return patch


def relocation_symbol(name: str, number: int, index: int) -> Patch:
    """Let a relocation of the section *name* point at the symbol of that index."""
    return lambda data: _put(
        data, _field(data, f".rela{name}", "offset") + 24 * number + 12, "I", index
    )


def target_bytes(name: str, number: int, value: bytes) -> Patch:
    """Put bytes where a relocation of the section *name* will write."""

    def patch(data: bytes) -> bytes:
        place = _field(data, f".rela{name}", "offset") + 24 * number
        (offset,) = struct.unpack_from("<Q", data, place)
        at = _field(data, name, "offset") + offset
        return data[:at] + value + data[at + len(value) :]

    return patch


def _put(data: bytes, offset: int, code: str, value: int) -> bytes:
    packed = struct.pack("<" + code, value)
    return data[:offset] + packed + data[offset + len(packed) :]


def _names_index(data: bytes) -> int:
    (index,) = struct.unpack_from("<H", data, 62)
    return int(index)


def _header_of(data: bytes, name: str | int) -> int:
    (start,) = struct.unpack_from("<Q", data, 40)
    return int(start) + 64 * (_index(data, name) if isinstance(name, str) else name)


def _field(data: bytes, name: str | int, field: str) -> int:
    offset, code = _SECTION[field]
    (value,) = struct.unpack_from("<" + code, data, _header_of(data, name) + offset)
    return int(value)


def _index(data: bytes, name: str) -> int:
    (count,) = struct.unpack_from("<H", data, 60)
    start = _field(data, _names_index(data), "offset")
    for index in range(1, count):
        at = start + _field(data, index, "name")
        if data[at : data.index(b"\0", at)] == name.encode():
            return index
    raise KeyError(name)


def _symbol_of(data: bytes, name: str) -> int:
    start, size = _field(data, ".symtab", "offset"), _field(data, ".symtab", "size")
    strings = _field(data, _field(data, ".symtab", "link"), "offset")
    for place in range(start, start + size, 24):
        at = strings + int.from_bytes(data[place : place + 4], "little")
        if data[at : data.index(b"\0", at)] == name.encode():
            return place
    raise KeyError(name)


def _versions(data: bytes) -> list[bytes]:
    return [data[at : at + _VERSION.size] for at in range(0, len(data), _VERSION.size)]


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode()


def scratch(
    *entries: tuple[int, int | str, int, int],
    content: bytes = bytes(64),
    kind: int = 4,
    flags: int = 3,
    info: int | None = None,
    rela_flags: int = 0,
) -> Patch:
    """Add a section that nobody uses, and relocations of it: offset, symbol, type, addend.

    A symbol is a name or an index, 0 for the value 0. *kind* is SHT_RELA (4) or SHT_REL (9),
    *flags* are the section's, *info* and *rela_flags* the relocation section's.
    """

    def patch(data: bytes) -> bytes:
        index = [
            each if isinstance(each, int) else _symbol_number(data, each) for _, each, *_ in entries
        ]
        packed = b"".join(
            [
                struct.pack("<QQ", offset, number << 32 | type_)
                + (struct.pack("<q", addend) if kind == 4 else b"")
                for (offset, _symbol, type_, addend), number in zip(entries, index, strict=True)
            ]
        )
        (count,) = struct.unpack_from("<H", data, 60)
        target = count if info is None else info
        data = _added(data, ".scratch", content, (1, flags, 0, 0, 16, 0))
        link = _index(data, ".symtab")
        return _added(data, ".rela.scratch", packed, (kind, rela_flags, link, target, 8, 24))

    return patch


def symbol_count(data: bytes) -> int:
    """Return how many symbols there are, the first, nameless one among them."""
    return _field(data, ".symtab", "size") // 24


def _symbol_number(data: bytes, name: str) -> int:
    return (_symbol_of(data, name) - _field(data, ".symtab", "offset")) // 24


def _added(data: bytes, name: str, content: bytes, fields: tuple[int, ...]) -> bytes:
    """Return *data* with one section more: type, flags, link, info, alignment, entry size."""
    kind, flags, link, info, align, entry = fields
    place = _field(data, _names_index(data), "size")
    data = contents(_names_index(data), lambda old: old + name.encode() + b"\0")(data)
    (start,) = struct.unpack_from("<Q", data, 40)
    (count,) = struct.unpack_from("<H", data, 60)
    table = data[start : start + 64 * count]
    data += bytes(-len(data) % 64)
    row = (place, kind, flags, 0, len(data), len(content), link, info, align, entry)
    data += content + bytes(-len(content) % 64)
    moved = len(data)
    data += table + struct.pack("<IIQQQQIIQQ", *row)
    return header("shnum", count + 1)(header("shoff", moved)(data))
