"""modinfo of many files, which other processes and another way of reading have a part in."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lkm import _fork
from lkm.cli import modinfo_many
from tests.builders.elf import ASection, a_module, an_elf
from tests.builders.tree import RELEASE
from tests.cli.running import Ran, lkm
from tests.module.modules import a_pkcs7, a_record

REQUESTS = [(), ("-0",), ("-p",), ("-F", "depends"), ("-F", "signer"), ("-n",), ("-F", "name")]


@pytest.fixture
def words(root: Path, tmp_path: Path) -> list[str]:
    """Return three hundred words, of which some are no ordinary files."""
    folder = tmp_path / "files"
    folder.mkdir()
    words = []
    for number in range(300):
        path = folder / f"m-{number}.ko"
        path.write_bytes(a_file(number))
        words.append(str(path))
    packed = folder / "packed.ko.gz"
    packed.write_bytes(gzip.compress(a_file(0)))
    words[7:7] = ["vfat", str(folder / "none.ko"), "no-such-name", str(packed), str(root)]
    (folder / "is-a-folder.ko").mkdir()
    words += [str(folder / "is-a-folder.ko"), "ext_two", str(packed)]
    return ["-b", str(root), "-k", RELEASE, *words]


def a_file(number: int) -> bytes:
    """Return a module file; each hundredth is one that is complained of, in its own way."""
    odd = {
        101: b"",
        102: b"\x7fELF and no more",
        103: b"#!/bin/sh\n",
        104: an_elf([ASection(".text", b"")]),
        105: a_module(modinfo=["parm=nameless", "parm=named:Name"]),
        106: gzip.compress(a_module())[:-20],
    }
    if number in odd:
        return odd[number]
    bits = 32 if number % 50 == 0 else 64
    entries = [f"name=m_{number}", f"alias=pci:v{number}*", b"author=Andr\xe9", "parm=a:Text"]
    module = a_module(modinfo=entries, depends=f"x{number}", bits=bits)
    return module + a_record(signature=a_pkcs7(signature=bytes([number % 256]) * 64))


def one_by_one(words: list[str], monkeypatch: pytest.MonkeyPatch, *request: str) -> Ran:
    with monkeypatch.context() as patched:
        patched.setattr("lkm.cli.modinfo._MANY", 1 << 30)
        return lkm("modinfo", *request, *words)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda words: " ".join(words) or "all")
@pytest.mark.parametrize("cores", [1, 3])
def test_many_files_are_told_as_each_would_be_alone(
    words: list[str], request_: tuple[str, ...], cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = one_by_one(words, monkeypatch, *request_)
    monkeypatch.setattr(modinfo_many, "cores", lambda: cores)

    assert lkm("modinfo", *request_, *words) == alone
    assert alone.status == 1
    assert len(alone.err.splitlines()) > 3


@pytest.mark.parametrize("request_", [(), ("-F", "parm")], ids=["all", "a field"])
def test_their_document_is_the_same_too(
    words: list[str], request_: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = one_by_one(words, monkeypatch, "--json", *request_)
    monkeypatch.setattr(modinfo_many, "cores", lambda: 3)

    assert lkm("modinfo", "--json", *request_, *words) == alone
    assert len(json.loads(alone.out)["modules"]) == len(words) - 4


def test_files_named_from_the_current_folder_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"./m{number}.ko" for number in range(20)]
    for name in names:
        (tmp_path / name).write_bytes(a_module())
    monkeypatch.chdir(tmp_path)

    ran = lkm("modinfo", *names)

    shown = [line.split()[1] for line in ran.out.splitlines() if line.startswith("filename:")]
    assert shown == [f"{tmp_path}/{name}" for name in names]


def test_other_processes_are_asked_for_many_files_and_for_few_compressed_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, packed = tmp_path / "m.ko", tmp_path / "p.ko.gz"
    plain.write_bytes(a_module())
    packed.write_bytes(gzip.compress(a_module()))
    counts = []

    class Counted(_fork.Forks):
        def __init__(self, functions: tuple[object, ...], count: int) -> None:
            counts.append(count)
            super().__init__(functions, count)

    monkeypatch.setattr(_fork, "Forks", Counted)
    monkeypatch.setattr(modinfo_many, "cores", lambda: 2)
    for files in ([plain] * 199, [plain] * 200, [packed] * 8):
        assert lkm("modinfo", *map(str, files)).status == 0

    assert counts == [0, 1, 1]


def test_a_few_names_start_no_other_process(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> int:
        raise AssertionError("forked")

    monkeypatch.setattr(os, "fork", refused)
    monkeypatch.setattr(modinfo_many, "cores", lambda: 2)

    ran = lkm("modinfo", "-b", str(root), "-k", RELEASE, *["vfat", "no-such-name"] * 4)

    assert ran.status == 1
    assert ran.out.count("filename:") == 4


NAMES = ("vfat", "fat", "ext_two", "fs-ext2", "fs-vfat", "nls-iso8859-1", "nls_iso8859_1", "none")


@pytest.mark.parametrize("request_", [*REQUESTS, ("-m",), ("--json",), ("-m", "--json")], ids=str)
@pytest.mark.parametrize("index", ["whole", "damaged", "gone"])
def test_many_names_are_told_as_each_would_be_alone(
    root: Path, request_: tuple[str, ...], index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = root / "lib/modules" / RELEASE
    path = tree / "modules.dep.bin"
    if index == "gone":
        path.unlink()
    elif index == "damaged":
        data = path.read_bytes()
        path.write_bytes(data[:12] + bytes([data[12] ^ 0xFF]) + data[13 : len(data) // 2])
    odd = ["a[b", "x:y", "vfat.ko", "vfat.x", "", "v" * 5000, "symbol:none"]
    words = ["-b", str(root), "-k", RELEASE, *odd, *NAMES, *odd, *NAMES]

    alone = one_by_one(words, monkeypatch, *request_)

    assert lkm("modinfo", *request_, *words) == alone
    assert alone.status == 1


def test_a_reader_that_goes_away_ends_it_quietly(tmp_path: Path) -> None:
    path = tmp_path / "m.ko"
    path.write_bytes(a_module(modinfo=[f"alias=a{number}" for number in range(100)]))
    words = f"{path} " * 1000
    done = subprocess.run(
        [
            "/bin/bash",
            "-c",
            f'"{sys.executable}" -m lkm modinfo {words} | head -n 1; exit ${{PIPESTATUS[0]}}',
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )

    assert (done.returncode, done.stderr) == (141, "")
    assert done.stdout == f"filename:       {path}\n"
