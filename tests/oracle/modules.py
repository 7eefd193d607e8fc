"""Module files as a case declares them."""

from __future__ import annotations

import gzip
import lzma
import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import TypedDict

from tests.builders.elf import AnExport, ASection, a_module
from tests.module.modules import a_name, a_pkcs7, a_record

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


class Spec(TypedDict, total=False):
    """What a TOML table says of one module file; all of it is optional.

    By default a module ``a`` exports ``use_a``. *needs* names the modules whose symbol it uses,
    *weak* likewise but weakly; *imports* are other symbols; *exports* replaces its own. *signed*
    is a key of the table below. *cut* leaves so many bytes of the file; *text* is its whole
    content instead, *symlink* where the path leads. The suffix of the path says how it is
    compressed, unless *compress* does.
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
    build_id: bool
    cut: int
    text: str
    compress: str
    symlink: str


_PACKED: Mapping[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "xz": lzma.compress,
    "zst": zstd.compress,
    "": bytes,
}


def module_bytes(path: str, spec: Spec) -> bytes:
    """Return the file at *path* in the tree as *spec* has it."""
    if "text" in spec:
        return as_bytes(spec["text"])
    file = PurePath(path).name
    stem, _, suffix = file.partition(".ko")
    data = _image(spec.get("name", stem.replace("-", "_")), spec)
    data += _signature(spec.get("signed", ""))
    data = _PACKED[spec.get("compress", suffix.lstrip("."))](data)
    return data[: spec["cut"]] if "cut" in spec else data


def as_bytes(text: str) -> bytes:
    """Return a text of a case as bytes; behind ``hex:`` they stand in hexadecimal."""
    return bytes.fromhex(text[4:]) if text.startswith("hex:") else text.encode()


def _image(name: str, spec: Spec) -> bytes:
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
        bits=spec.get("bits", 64),
        order=spec.get("order", "<"),
        extra=[_build_id(spec.get("order", "<"))] if spec.get("build_id") else (),
    )


def _build_id(order: str) -> ASection:
    note = struct.pack(order + "III", 4, 20, 3) + b"GNU\0" + bytes(range(20))
    return ASection(".note.gnu.build-id", note, 7)


def _signature(kind: str) -> bytes:
    if not kind:
        return b""
    if kind == "pkcs7":
        return a_record(id_type=2, signature=a_pkcs7())
    if kind == "pkcs7 without name":
        return a_record(id_type=2, signature=a_pkcs7(issuer=a_name()))
    if kind == "pkcs7 broken":
        return a_record(id_type=2, signature=a_pkcs7()[:40])
    number = {"pgp": 0, "x509": 1}[kind]
    return a_record(
        id_type=number,
        algorithm=1,
        digest=4,
        name=b"A maker: key",
        key=bytes(range(20)),
        signature=bytes(range(200, 256)),
    )
