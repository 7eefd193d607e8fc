"""Module files as a case declares them."""

from __future__ import annotations

import gzip
import lzma
import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import TypedDict

from tests.builders.elf import AnExport, ASection, a_module, an_elf
from tests.oracle.signatures import signature

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


class Spec(TypedDict, total=False):
    """What a TOML table says of one module file; all of it is optional.

    By default a module ``a`` exports ``use_a``. *needs* names the modules whose symbol it uses,
    *weak* likewise but weakly; *imports* are other symbols; *exports* replaces its own. *build_id*
    is true or a number of bytes. *sections*, pairs of name and contents, are all that the file has
    instead. *signed* is a kind of ``signatures.py``. The suffix of the path says how the file is
    compressed, unless *compress* does, a word of the table below. *cut* leaves so many bytes of it,
    and *tail* is put behind; *text* is its whole content instead, *symlink* where the path leads.
    """

    name: str
    needs: Sequence[str]
    weak: Sequence[str]
    imports: Sequence[str]
    exports: Sequence[str]
    modinfo: Sequence[str]
    versions: Mapping[str, int]
    crc: int
    bits: int
    order: str
    vermagic: str
    license: str
    signed: str
    build_id: bool | int
    sections: Sequence[Sequence[str]]
    cut: int
    tail: str
    text: str
    compress: str
    symlink: str


def _in_two(packed: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda data: packed(data[:99]) + packed(data[99:])


def _without_size(data: bytes) -> bytes:
    packer = zstd.ZstdCompressor()
    return packer.compress(data[:99]) + packer.compress(data[99:]) + packer.flush()


_PACKED: Mapping[str, Callable[[bytes], bytes]] = {
    "gz": lambda data: gzip.compress(data, mtime=0),
    "xz": lzma.compress,
    "zst": zstd.compress,
    "gz twice": _in_two(lambda data: gzip.compress(data, mtime=0)),
    "xz twice": _in_two(lzma.compress),
    "zst twice": _in_two(zstd.compress),
    "zst without size": _without_size,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "": bytes,
}


def module_bytes(path: str, spec: Spec) -> bytes:
    """Return the file at *path* in the tree as *spec* has it."""
    if "text" in spec:
        return as_bytes(spec["text"])
    file = PurePath(path).name
    stem, _, suffix = file.partition(".ko")
    data = _image(spec.get("name", stem.replace("-", "_")), spec)
    data += signature(spec.get("signed", ""))
    data = _PACKED[spec.get("compress", suffix.lstrip("."))](data)
    return data[: spec.get("cut", len(data))] + as_bytes(spec.get("tail", ""))


def as_bytes(text: str) -> bytes:
    """Return a text of a case as bytes; behind ``hex:`` they stand in hexadecimal."""
    return bytes.fromhex(text[4:]) if text.startswith("hex:") else text.encode()


def _image(name: str, spec: Spec) -> bytes:
    bits, order = spec.get("bits", 64), spec.get("order", "<")
    if "sections" in spec:
        sections = [ASection(section, as_bytes(data)) for section, data in spec["sections"]]
        return an_elf(sections, bits=bits, order=order)
    needs = spec.get("needs", ())
    imports = [f"use_{each}" for each in needs] + list(spec.get("imports", ()))
    return a_module(
        name=name,
        modinfo=[as_bytes(entry) for entry in spec.get("modinfo", ())],
        exports=[
            AnExport(name=symbol, crc=spec.get("crc", 0x1234))
            for symbol in spec.get("exports", [f"use_{name}"])
        ],
        imports=imports,
        weak_imports=[f"use_{each}" for each in spec.get("weak", ())],
        versions=spec.get("versions"),
        depends=",".join(needs),
        license=spec.get("license", "GPL"),
        vermagic=spec.get("vermagic", "6.1.0-test SMP preempt mod_unload modversions "),
        bits=bits,
        order=order,
        extra=[_build_id(order, spec["build_id"])] if "build_id" in spec else (),
    )


def _build_id(order: str, size: bool | int) -> ASection:
    size = 20 if size is True else size
    note = struct.pack(order + "III", 4, size, 3) + b"GNU\0" + bytes(range(size))
    return ASection(".note.gnu.build-id", note, 7)
