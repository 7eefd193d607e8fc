from __future__ import annotations

import gzip
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from lkm.errors import FileError, FormatError
from lkm.module.facts import Module
from lkm.module.file import FileSlices, image_from_bytes
from lkm.module.modinfo import Parameter
from lkm.module.symbols import Export
from tests.builders.elf import SHT_NOTE, AnExport, ASection, a_module, an_elf
from tests.module.modules import a_pkcs7, a_record

BUILD_ID = bytes(range(20))
MODINFO = (
    "version=1.2",
    "author=Somebody",
    "license=GPL v2",
    "alias=pci:v1*",
    "alias=net-pf-1",
    "firmware=a.bin",
    "softdep=pre: b post: c",
    "weakdep=d",
    "import_ns=NS",
    "srcversion=ABCDEF",
    "depends=dm-mod,crc16",
    "parmtype=debug:int",
    "parm=debug:How much",
)
DATA = a_module(
    modinfo=MODINFO,
    exports=[AnExport(name="offered", crc=5, namespace="NS")],
    imports=["printk"],
    versions={"printk": 6},
    extra=[
        ASection(
            ".note.gnu.build-id", struct.pack("<III4s", 4, 20, 3, b"GNU\0") + BUILD_ID, SHT_NOTE
        )
    ],
    license=None,
    depends=None,
)
SIGNED = DATA + a_record(signature=a_pkcs7())


def read_all(module: Module) -> tuple[object, ...]:
    return (
        module.elf.sections,
        module.modinfo,
        module.exports,
        module.imports,
        module.versions,
        module.build_id,
        module.signature,
        module.parameters,
        module.size_bytes,
    )


def test_every_fact_of_a_module_is_there(tmp_path: Path) -> None:
    path = tmp_path / "the-module.ko"
    path.write_bytes(SIGNED)

    with Module.open(str(path)) as module:
        assert (module.name, module.path, module.compression) == ("the_module", str(path), "")
        assert (module.license, module.version, module.srcversion) == ("GPL v2", "1.2", "ABCDEF")
        assert module.vermagic == "6.1.0-test SMP preempt mod_unload modversions "
        assert module.aliases == ("pci:v1*", "net-pf-1")
        assert (module.firmware, module.softdeps) == (("a.bin",), ("pre: b post: c",))
        assert (module.weakdeps, module.import_namespaces) == (("d",), ("NS",))
        assert module.depends == ("dm_mod", "crc16")
        assert module.parameters == (Parameter("debug", "int", "How much"),)
        assert module.exports == (Export("offered", 5, namespace="NS"),)
        assert [(each.name, each.crc) for each in module.imports] == [("printk", 6)]
        assert [(each.name, each.crc) for each in module.versions] == [("printk", 6)]
        assert module.build_id == BUILD_ID
        assert module.signature is not None
        assert module.signature.signer == "The key"
        assert module.size_bytes == len(SIGNED)
        assert (module.value("author"), module.value("nothing")) == ("Somebody", None)
        assert module.values("alias") == module.aliases
        assert repr(module) == f"Module({str(path)!r})"


def test_a_wrapped_module_has_the_same_facts(tmp_path: Path) -> None:
    plain, wrapped = tmp_path / "m.ko", tmp_path / "m.ko.gz"
    plain.write_bytes(SIGNED)
    wrapped.write_bytes(gzip.compress(SIGNED))

    with Module.open(str(plain)) as one, Module.open(str(wrapped)) as other:
        assert other.compression == "gzip"
        assert read_all(other) == read_all(one)


def test_a_module_without_anything_has_no_facts() -> None:
    module = Module(image_from_bytes(an_elf(), name="empty"))

    assert (module.modinfo, module.exports, module.imports, module.versions) == ((), (), (), ())
    assert (module.license, module.vermagic, module.build_id) == (None, None, None)
    assert (module.depends, module.signature, module.parameters) == ((), None, ())


def test_what_was_read_stays_readable_when_the_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "m.ko"
    path.write_bytes(DATA)

    with Module.open(str(path)) as module:
        assert module.license == "GPL v2"
    assert module.version == "1.2"
    with pytest.raises(FileError):
        _ = module.exports


def test_one_value_of_a_large_module_reads_a_few_kilobytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.ko"
    path.write_bytes(a_module(extra=[ASection(".data", bytes(4 << 20))]))
    read = 0
    slice_of = FileSlices.__getitem__

    def counted(slices: FileSlices, key: slice[int | None, int | None, int | None]) -> bytes:
        nonlocal read
        data = slice_of(slices, key)
        read += len(data)
        return data

    monkeypatch.setattr(FileSlices, "__getitem__", counted)
    with Module.open(str(path)) as module:
        assert module.license == "GPL"
    assert read < 4096


def test_a_module_cut_anywhere_is_a_format_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cut.ko"
    for size in range(0, len(DATA), 7):
        path.write_bytes(DATA[:size])
        with pytest.raises(FormatError) as caught, Module.open(str(path)) as module:
            read_all(module)
        assert caught.value.path == str(path)


def test_an_image_cut_anywhere_is_a_format_error() -> None:
    for size in range(len(DATA)):
        with pytest.raises(FormatError):
            read_all(Module(image_from_bytes(DATA[:size], name="cut")))


@pytest.mark.parametrize("value", [0x00, 0x80, 0xFF])
def test_a_module_with_any_byte_changed_is_read_or_a_format_error(value: int) -> None:
    refused = 0
    for index in range(len(SIGNED)):
        changed = bytearray(SIGNED)
        changed[index] = value
        try:
            read_all(Module(image_from_bytes(bytes(changed), name="changed")))
        except FormatError:
            refused += 1
    assert 0 < refused < len(SIGNED) // 2


def test_facts_of_a_module_import_nothing_heavy() -> None:
    code = "import sys, lkm.module.facts, lkm.module.scan; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {
        "argparse",
        "collections",
        "contextlib",
        "ctypes",
        "dataclasses",
        "enum",
        "functools",
        "json",
        "lzma",
        "pathlib",
        "re",
        "typing",
        "zlib",
    }
    plain = subprocess.run(
        [sys.executable, "-I", "-c", "import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert not heavy & (set(done.stdout.split()) - set(plain.stdout.split()))
