"""Putting index files into a directory."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lkm.errors import FileError
from lkm.tree.depmod.lock import LOCK_NAME, Lock
from lkm.tree.depmod.writing import write_indexes
from tests.tree.users import a_shared_folder, not_root

FILES = {"modules.dep": b"a.ko:\n", "modules.dep.bin": b"\0\1\2", "modules.devname": b""}


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def test_files_are_written_for_everybody_to_read(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        write_indexes(FILES, str(tmp_path / "new/out"))
    finally:
        os.umask(old)

    assert contents(tmp_path / "new/out") == FILES
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "new/out").iterdir()} == {0o644}


def test_old_files_are_replaced_and_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"keep")
    os.link(tmp_path / "elsewhere", tmp_path / "modules.dep")
    (tmp_path / "modules.devname").symlink_to("elsewhere")

    write_indexes(FILES, str(tmp_path))

    assert contents(tmp_path) == {**FILES, "elsewhere": b"keep"}


def test_what_a_killed_run_left_behind_is_removed(tmp_path: Path) -> None:
    (tmp_path / "modules.dep.lkm-new").write_bytes(b"half")

    write_indexes(FILES, str(tmp_path))

    assert contents(tmp_path) == FILES


def test_a_full_disk_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_indexes(FILES, str(tmp_path))
    synced: list[int] = []

    def full(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) == 2:
            raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError) as caught:
        write_indexes(dict.fromkeys(FILES, b"new"), str(tmp_path))

    assert caught.value.errno == errno.ENOSPC
    assert caught.value.path == f"{tmp_path}/modules.dep.bin"
    assert contents(tmp_path) == FILES


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_old: str, _new: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_indexes(FILES, str(tmp_path))

    assert contents(tmp_path) == {}


def test_a_file_in_place_of_the_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(FileError) as caught:
        write_indexes(FILES, str(tmp_path / "file"))
    assert caught.value.operation == "write"


def test_a_directory_in_place_of_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "modules.dep.bin").mkdir()

    with pytest.raises(FileError) as caught:
        write_indexes(FILES, str(tmp_path))

    assert caught.value.path == f"{tmp_path}/modules.dep.bin"
    assert not [path.name for path in tmp_path.iterdir() if path.name.endswith("-new")]


def test_who_may_not_write_there_is_told_what_else_there_is(tmp_path: Path) -> None:
    with a_shared_folder(tmp_path) as folder:
        folder.chmod(0o555)
        with not_root():
            for directory in (folder, folder / "new"):
                with pytest.raises(FileError) as caught:
                    write_indexes(FILES, str(directory))

                assert caught.value.errno == errno.EACCES
                assert caught.value.remedy == "write elsewhere with -o DIR, or only print with -n"
        folder.chmod(0o755)


WRITER = (
    "import sys; from lkm.tree.depmod.writing import write_indexes; "
    "write_indexes({'modules.dep': b'x'}, sys.argv[1], waiting=lambda: print('waits', flush=True))"
)


def test_a_second_run_waits_for_the_first_and_says_so(tmp_path: Path) -> None:
    with Lock(str(tmp_path)) as first:
        first.take(0)
        command = [sys.executable, "-c", WRITER, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as second:
            assert second.stdout is not None
            assert second.stdout.readline() == "waits\n"
            assert "modules.dep" not in contents(tmp_path)

            first.release()
            assert second.wait(10) == 0
    assert contents(tmp_path) == {"modules.dep": b"x"}


def test_waiting_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lkm.tree.depmod.writing._PATIENCE_S", 0)
    with Lock(str(tmp_path)) as first:
        first.take(0)
        with pytest.raises(FileError) as caught:
            write_indexes(FILES, str(tmp_path))

        assert (caught.value.path, caught.value.errno) == (str(tmp_path), errno.EBUSY)
        assert contents(tmp_path) == {LOCK_NAME: b""}  # the first one's lock is untouched
    assert contents(tmp_path) == {}


def test_nobody_else_can_hold_a_run_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lkm.tree.depmod.writing._PATIENCE_S", 0)
    # All that another user can open: the folder, and a file that is not the writer's alone.
    (tmp_path / LOCK_NAME).touch()
    (tmp_path / LOCK_NAME).chmod(0o644)
    held = [os.open(path, os.O_RDONLY) for path in (tmp_path, tmp_path / LOCK_NAME)]
    try:
        for descriptor in held:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        write_indexes(FILES, str(tmp_path))
    finally:
        for descriptor in held:
            os.close(descriptor)

    assert contents(tmp_path) == FILES


def test_the_lock_is_for_its_maker_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with Lock(str(tmp_path)) as lock:
            lock.take(0)
            assert (tmp_path / LOCK_NAME).stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(old)


def test_what_is_unfinished_is_older_than_any_module(tmp_path: Path) -> None:
    write_indexes(FILES, str(tmp_path), unfinished=True)

    assert (tmp_path / "modules.dep").stat().st_mtime == 0
    assert (tmp_path / "modules.dep.bin").stat().st_mtime > 0


def test_modules_dep_takes_its_place_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    renamed: list[str] = []
    real = os.rename

    def rename(old: str, new: str) -> None:
        renamed.append(os.path.basename(new))
        real(old, new)

    monkeypatch.setattr(os, "rename", rename)
    write_indexes(FILES, str(tmp_path))

    assert renamed == ["modules.dep.bin", "modules.devname", "modules.dep"]


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_written_to_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def no_locks(_descriptor: int, _operation: int) -> None:
        raise OSError(number, "none here")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    write_indexes(FILES, str(tmp_path))

    assert contents(tmp_path) == FILES
