"""Programs of this machine, and the libraries that come with them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lkm.errors import FileError
from lkm.lab.contents.files import Files
from lkm.lab.contents.programs import (
    MissingSharedLibraryError,
    add_libraries,
    add_library,
    add_program,
    is_static,
)
from tests.conftest import missing
from tests.lab.contents.archives import entries

PYTHON = os.path.realpath(sys.executable)


def ldd(program: str) -> set[str]:
    """Return the libraries that the loader itself would take, by their real paths."""
    if shutil.which("ldd") is None:
        missing("oracle", "ldd is not there")
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    return {os.path.realpath(path) for path in re.findall(r"(/\S+) \(0x", done.stdout)}


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["python", "sh", "ls", "mount", "git", "readelf"])
def test_a_program_comes_with_the_libraries_that_ldd_tells(name: str) -> None:
    program = PYTHON if name == "python" else shutil.which(name)
    if program is None:
        missing("oracle", f"{name} is not installed")
    assert program is not None
    program = os.path.realpath(program)
    files = Files()
    add_program(files, program)

    found = {os.path.realpath(f"/{path}") for path, entry in entries(files).items() if entry.data}
    assert found - {"/etc/ld.so.cache"} == ldd(program) | {program}


def test_a_program_has_itself_and_its_libraries_for_sources() -> None:
    files = Files()
    add_program(files, PYTHON, "/usr/bin/other")

    assert PYTHON in files.sources
    assert any("/libc.so" in path for path in files.sources)
    if os.path.isfile("/etc/ld.so.cache"):
        assert "/etc/ld.so.cache" in files.sources


def test_a_program_is_cut_to_what_runs_and_may_be_executed() -> None:
    files = Files()
    add_program(files, PYTHON, "/usr/bin/other")
    program = entries(files)["usr/bin/other"]

    assert program.data.startswith(b"\x7fELF")
    assert len(program.data) <= os.path.getsize(PYTHON)
    assert program.mode & 0o777 == 0o755


def test_what_is_no_elf_file_needs_nothing(tmp_path: Path) -> None:
    for data in (b"#!/bin/sh\n", b"", b"\x7fELF", b"\x7fELF\2\1\1" + bytes(57)):
        script = tmp_path / "script"
        script.write_bytes(data)
        assert is_static(str(script))
        files = Files()
        add_program(files, str(script), "/script")
        assert set(entries(files)) == {"script"}


@pytest.mark.oracle
def test_a_static_program_needs_nothing_and_a_dynamic_one_does(tmp_path: Path) -> None:
    static = compiled(tmp_path, "-static")

    assert is_static(static)
    assert not is_static(compiled(tmp_path, "-fPIE"))
    files = Files()
    add_libraries(files, static)
    assert not entries(files)


@pytest.mark.oracle
def test_a_library_is_looked_for_where_the_program_says(tmp_path: Path) -> None:
    program, library = with_library(tmp_path)
    files = Files()
    add_program(files, program)

    assert library.lstrip("/") in entries(files)
    os.rename(f"{tmp_path}/mine", f"{tmp_path}/gone")
    with pytest.raises(MissingSharedLibraryError) as caught:
        add_program(Files(), program)
    assert (caught.value.name, caught.value.needed_by) == ("libmine.so", program)


@pytest.mark.oracle
def test_a_library_for_another_machine_is_passed_over(tmp_path: Path) -> None:
    program, library = with_library(tmp_path)
    data = bytearray(Path(library).read_bytes())
    data[18] = 22  # e_machine: S/390
    Path(library).unlink()
    Path(library).write_bytes(data)

    with pytest.raises(MissingSharedLibraryError):
        add_program(Files(), program)


@pytest.mark.oracle
def test_a_library_lies_where_it_is_wanted_and_its_own_where_they_are(tmp_path: Path) -> None:
    _program, library = with_library(tmp_path)
    files = Files()
    add_library(files, library, "/usr/lib/other.so")

    assert "usr/lib/other.so" in entries(files)
    assert any(path.endswith("/libc.so.6") for path in entries(files))


def test_a_missing_program_is_a_file_error(tmp_path: Path) -> None:
    with pytest.raises(FileError):
        add_program(Files(), str(tmp_path / "nowhere"))


def compiled(folder: Path, *options: str) -> str:
    if shutil.which("gcc") is None:
        missing("oracle", "gcc is not installed")
    source, program = folder / "main.c", folder / f"main{options[0]}"
    source.write_text("int main(void) { return 0; }\n")
    done = subprocess.run(
        ["gcc", *options, "-o", str(program), str(source)], capture_output=True, check=False
    )
    if done.returncode:
        missing("oracle", f"gcc cannot link with {options}")
    return str(program)


def with_library(folder: Path) -> tuple[str, str]:
    """Return a program, and its library in a folder beside it that its RUNPATH names."""
    if shutil.which("gcc") is None:
        missing("oracle", "gcc is not installed")
    (folder / "mine").mkdir()
    (folder / "mine.c").write_text("int mine(void) { return 0; }\n")
    (folder / "main.c").write_text("int mine(void); int main(void) { return mine(); }\n")
    library, program = f"{folder}/mine/libmine.so", f"{folder}/main"
    link = ["-L", f"{folder}/mine", "-lmine", "-Wl,-rpath,$ORIGIN/mine"]
    for words in (
        ["-shared", "-fPIC", "-Wl,--no-as-needed", "-o", library, f"{folder}/mine.c"],
        ["-o", program, f"{folder}/main.c", *link],
    ):
        subprocess.run(["gcc", *words], check=True, capture_output=True)
    return program, library
