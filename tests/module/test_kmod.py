"""What kmod says of the same module files."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

from lkm._text import decode
from lkm.module.facts import Module
from lkm.module.file import image_from_bytes
from lkm.module.scan import scan_file
from tests.builders.elf import AnExport, ASection, ASymbol, a_module
from tests.conftest import missing
from tests.module.modules import (
    COMMON_NAME,
    ORGANIZATION,
    a_name,
    a_pkcs7,
    a_record,
    an_exporter,
    an_i386_exporter,
    der,
)

pytestmark = pytest.mark.oracle


def run(kmod: Path, tool: str, *words: str) -> str:
    done = subprocess.run([kmod.parent / tool, *words], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return decode(done.stdout)


def as_modinfo(module: Module) -> str:
    """Write the facts down as modinfo does (formats.md 11), the parameters apart."""
    lines = [("filename", module.path)]
    lines += [entry for entry in module.modinfo if entry[0] not in {"parm", "parmtype"}]
    signature = module.signature
    if signature is not None:
        lines += [
            ("sig_id", signature.id_type),
            ("signer", signature.signer),
            ("sig_key", as_hex(signature.key_id)),
            ("sig_hashalgo", signature.hash_algorithm),
            ("signature", as_hex(signature.signature)),
        ]
    for parameter in reversed(module.parameters):
        text, kind = parameter.description, parameter.type
        both = f"{text} ({kind})" if text and kind else text or kind
        lines.append(("parm", f"{parameter.name}:{both}"))
    return "".join([f"{key + ':':<16}{value}\n" for key, value in lines])


def as_hex(data: bytes) -> str:
    rows = [data[start : start + 20] for start in range(0, len(data), 20)]
    return ":\n\t\t".join([row.hex(":").upper() for row in rows])


@pytest.mark.debian
def test_modprobe_shows_the_symbols_that_we_read(kmod: Path, debian_root: Path) -> None:
    paths = sorted(map(str, debian_root.glob("lib/modules/*/kernel/[nf]*/**/*.ko")))
    assert paths
    for path in paths[:: len(paths) // 60]:
        compare_symbols(kmod, path)


def compare_symbols(kmod: Path, path: str) -> None:
    scanned = scan_file(path, with_crcs=True)
    exports = zip(scanned.exports, scanned.crcs, strict=True)
    shown = "".join([f"0x{crc:08x}\t{name}\n" for name, crc in exports])
    if shown:
        assert shown == run(kmod, "modprobe", "--show-exports", path)
    with Module.open(path) as module:
        lines = [f"0x{version.crc:08x}\t{version.name}\n" for version in module.versions]
        if lines:
            assert "".join(lines) == run(kmod, "modprobe", "--show-modversions", path)
        assert sorted([(each.name, each.crc or 0) for each in module.exports]) == sorted(
            zip(scanned.exports, scanned.crcs, strict=True)
        )
        needed = [(each.name, each.crc or 0) for each in module.imports]
        assert needed == [*zip(scanned.needs, scanned.need_crcs, strict=True)][: len(needed)]


TWO = (AnExport(name="first", crc=0x1234), AnExport(name="second", crc=0xFFFF_FFFF))
LAYOUTS = {
    "today": a_module(exports=TWO, versions={"module_layout": 1, ".dotted": 2}),
    "absolute": an_exporter(TWO, bits=64),
    "data": an_exporter(TWO, bits=32, crcs="data"),
    "big": an_exporter(TWO, order=">", crcs="data", relative=True),
    "big 32": an_exporter(TWO, bits=32, order=">", namespaces=False),
    "i386": an_i386_exporter(TWO),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_modprobe_shows_the_same_symbols_of_every_layout(
    kmod: Path, tmp_path: Path, layout: str
) -> None:
    path = tmp_path / "m.ko"
    path.write_bytes(LAYOUTS[layout])

    compare_symbols(kmod, str(path))


def test_modprobe_takes_strings_where_there_are_no_crcs(kmod: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.ko"
    strings = ASection("__ksymtab_strings", b"one\0\0two\0")
    path.write_bytes(a_module(extra=[strings], extra_symbols=[ASymbol("x")]))

    scanned = scan_file(str(path), with_crcs=True)
    assert run(kmod, "modprobe", "--show-exports", str(path)) == "".join(
        [f"0x00000000\t{name}\n" for name in scanned.exports]
    )


# Digests other than the kernel's own are left out: before kmod 31 modinfo printed nothing of such a
# signature, and called ripemd160 rmd160.
SIGNATURES = {
    "pkcs7": a_record(signature=a_pkcs7()),
    "long": a_record(signature=a_pkcs7(signature=bytes(range(256)) * 2)),
    "no common name": a_record(
        signature=a_pkcs7(issuer=a_name((ORGANIZATION, b"First"), (ORGANIZATION, b"Last")))
    ),
    "common name first": a_record(
        signature=a_pkcs7(issuer=a_name((COMMON_NAME, b"Key"), (ORGANIZATION, b"Makers")))
    ),
    "two common names": a_record(
        signature=a_pkcs7(issuer=a_name((COMMON_NAME, b"One"), (COMMON_NAME, b"Two")))
    ),
    "positive serial": a_record(signature=a_pkcs7(serial=b"\0\x80\x01")),
    "negative serial": a_record(signature=a_pkcs7(serial=b"\x80\x01")),
    "sha512": a_record(signature=a_pkcs7(digest=bytes.fromhex("608648016503040203"))),
    "sm3": a_record(signature=a_pkcs7(digest=bytes.fromhex("2a811ccf55018311"))),
    "attributes": a_record(
        signature=a_pkcs7(
            attributes=der(0xA0, der(0x30, der(6, b"\x2a\x03"), der(0x31, der(4, b"x"))))
        )
    ),
    "x509": a_record(id_type=1, algorithm=1, digest=4, name=b"A: key", key=b"\1\2", signature=b"s"),
    "pgp": a_record(id_type=0, digest=8, name=b"me", key=bytes(25), signature=bytes(41)),
    "bad algorithm": a_record(algorithm=2, signature=b"x"),
    "bad hash": a_record(digest=9, signature=b"x"),
    "bad type": a_record(id_type=3, signature=b"x"),
    "empty": a_record(signature=b""),
    "too long": a_record(claimed=1 << 30, signature=b"x"),
}


@pytest.mark.parametrize("kind", SIGNATURES)
def test_modinfo_prints_every_kind_of_signature_as_we_read_it(
    kmod: Path, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "m.ko"
    path.write_bytes(a_module() + SIGNATURES[kind])

    with Module.open(str(path)) as module:
        assert as_modinfo(module) == run(kmod, "modinfo", str(path))


@pytest.mark.parametrize("tool", ["xz", "zstd"])  # Debian's kmod is built without zlib
def test_modinfo_unwraps_what_the_tools_wrapped_to_the_same_facts(
    kmod: Path, tmp_path: Path, tool: str
) -> None:
    program = shutil.which(tool)
    if program is None:
        missing("oracle", f"{tool} is not installed")
    suffix = {"xz": "xz", "zstd": "zst"}[tool]
    plain = tmp_path / "m.ko"
    plain.write_bytes(a_module(modinfo=["alias=a*", "parm=x:text", "parmtype=y:int"]))
    subprocess.run([str(program), "-q", str(plain)], check=True)
    wrapped = tmp_path / f"m.ko.{suffix}"

    with Module.open(str(wrapped)) as module:
        assert module.compression == tool
        assert as_modinfo(module) == run(kmod, "modinfo", str(wrapped))


def test_an_image_in_memory_has_the_facts_of_the_file(kmod: Path, tmp_path: Path) -> None:
    data = a_module(modinfo=["description=In memory"])
    path = tmp_path / "m.ko"
    path.write_bytes(data)

    module = Module(image_from_bytes(gzip.compress(data), path=str(path)))
    assert as_modinfo(module) == run(kmod, "modinfo", str(path))
