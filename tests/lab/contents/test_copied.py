from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from lkm.errors import FileError, LabError, UsageError
from lkm.lab.contents import copied
from lkm.lab.contents.copied import add_folder, add_named, files_named, size_of
from lkm.lab.contents.files import Files
from tests.lab.contents.archives import entries


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.ko").write_bytes(b"1")
    (tmp_path / "sub/b").write_bytes(b"2")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def named(here: Path, *command: str) -> list[str]:
    """Return the paths that come along, from *here*."""
    files = Files()
    paths = add_named(files, command)
    assert all(path.lstrip("/") in entries(files) for path in paths)
    return [os.path.relpath(path, here) for path in paths]


def test_a_file_comes_along_by_each_of_its_names(here: Path) -> None:
    assert named(here, "insmod", "./a.ko") == ["a.ko"]
    assert named(here, "insmod", str(here / "a.ko"), "x=1") == ["a.ko"]
    assert named(here, "sh", "sub/../a.ko", "sub/b", "a.ko") == ["a.ko", "sub/b"]
    os.chdir(here / "sub")
    assert named(here, "../a.ko") == ["a.ko"]


def test_what_is_no_file_does_not(here: Path) -> None:
    assert named(here, "", "sub", ".", "/", "nowhere", "-v", "/dev/null", "//proc/version") == []


def test_what_cannot_be_read_or_is_large_does_not(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copied, "_LARGEST_BY_NAME", 1)
    (here / "large").write_bytes(b"22")
    assert named(here, "large", "a.ko") == ["a.ko"]

    monkeypatch.setattr(os, "access", lambda *_: False)
    assert named(here, "a.ko") == []


def test_a_program_brings_its_libraries(here: Path) -> None:
    files = Files()
    add_named(files, ["/bin/ls", str(here / "a.ko")])

    assert any(".so" in path for path in entries(files))


def test_what_the_guest_has_at_a_path_stays(here: Path) -> None:
    files = Files(frozenset({str(here / "a.ko").lstrip("/")}))

    assert add_named(files, ["a.ko"]) == ()


def test_a_folder_comes_with_all_in_it_and_a_file_alone(here: Path) -> None:
    files = Files()
    add_folder(files, "sub")
    add_folder(files, "a.ko")

    found = entries(files)
    assert found[f"{str(here).lstrip('/')}/sub/b"].data == b"2"
    assert found[f"{str(here).lstrip('/')}/a.ko"].data == b"1"


@pytest.mark.parametrize("folder", ["/", "/proc", "/sys/kernel", "/dev", "//", "/usr/..", "//proc"])
def test_what_is_no_folder_of_files_is_refused(folder: str) -> None:
    with pytest.raises(LabError, match="cannot be copied"):
        add_folder(Files(), folder)


def test_neither_is_a_link_to_one_or_a_fifo(here: Path) -> None:
    (here / "whole").symlink_to("/")
    (here / "kernel").symlink_to("/proc")
    os.mkfifo(here / "fifo")

    for name in ("whole", "kernel", "fifo"):
        with pytest.raises(LabError, match="cannot be copied"):
            add_folder(Files(), name)


def test_a_missing_folder_is_a_file_error(here: Path) -> None:
    with pytest.raises(FileError):
        add_folder(Files(), str(here / "nowhere"))


def test_without_a_name_nothing_is_copied(here: Path) -> None:
    with pytest.raises(UsageError):
        add_folder(Files(), "")
    assert here.is_dir()


def test_a_size_is_of_all_files_below_and_counts_holes(here: Path) -> None:
    (here / "sub/link").symlink_to("b")
    with open(here / "sub/holes", "wb") as file:
        file.truncate(1 << 40)

    assert size_of("a.ko") == 1
    assert size_of(str(here)) == 2 + (1 << 40)
    with pytest.raises(FileError):
        size_of("nowhere")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("insmod ./a.ko && dmesg", ["a.ko"]),
        ("insmod a.ko;lsmod", ["a.ko"]),
        ('cat sub/b|wc -l; echo \'"sub/b"\' "sub/b"', ["sub/b"]),
        ("(cat sub/plain) >out", ["sub/plain"]),
        ("cat plain", []),
        ("insmod a.ko 'and no end", []),
        ("my file", ["my file"]),
    ],
)
def test_files_are_found_in_what_a_shell_is_given(here: Path, line: str, found: list[str]) -> None:
    for name in ("plain", "sub/plain", "my file"):
        (here / name).write_bytes(b"1")

    assert files_named(["sh", "-c", line]) == tuple(str(here / name) for name in found)
    assert named(here, "sh", "-c", line) == found


def a_script(path: Path, first: str) -> str:
    path.write_text(f"{first}\necho\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("by_name", [True, False])
def test_a_script_brings_what_runs_it(
    here: Path, monkeypatch: pytest.MonkeyPatch, *, by_name: bool
) -> None:
    mine = shutil.copy("/bin/ls", here / "mine")
    monkeypatch.setenv("PATH", str(here))
    for first, path in (
        (f"#!{mine}", mine),
        (f"#! {mine} -x", mine),
        ("#!/usr/bin/env mine", "/usr/bin/mine"),
        ("#!/usr/bin/env -S A=1 mine -x", "/usr/bin/mine"),
    ):
        files = Files()
        script = a_script(here / "script", first)
        if by_name:
            add_named(files, [script])
        else:
            add_folder(files, script)

        assert str(path) in files
        assert any(".so" in name for name in entries(files))


@pytest.mark.parametrize(
    "first",
    ["#!", "#!/nowhere", "#!/usr/bin/env", "#!/usr/bin/env nosuch", "#!/bin/sh", "!#/bin/ls"],
)
def test_what_the_guest_has_or_nobody_has_does_not_come(here: Path, first: str) -> None:
    files = Files(frozenset({"usr/bin/sh", "usr/bin/env"}))
    script = a_script(here / "script", first)
    add_named(files, [script])

    assert [name for name, each in entries(files).items() if each.data] == [script.lstrip("/")]


def test_what_env_finds_in_the_guest_stays(here: Path) -> None:
    files = Files(frozenset({"usr/bin/env", "usr/sbin/ls"}))
    add_named(files, [a_script(here / "script", "#!/usr/bin/env ls")])

    assert "/usr/bin/ls" not in files
