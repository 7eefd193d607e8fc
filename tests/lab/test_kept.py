from __future__ import annotations

import os
from pathlib import Path

import pytest

from lkm.lab.kept import Made, kept, kept_path, key_of, key_of_file


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache/lab"


def never() -> bytes:
    raise AssertionError("it is there")


def names(folder: Path) -> list[str]:
    """Return what is kept; each whole file, and no other, has what tells its length beside it."""
    found = {path.name for path in folder.iterdir()}
    sums = {name.removesuffix(".sum") for name in found if name.endswith(".sum")}
    assert sums <= found
    return sorted(name for name in found if not name.endswith(".sum"))


def test_what_is_kept_is_made_once(folder: Path) -> None:
    assert kept("a", lambda: b"first") == b"first"
    assert kept("a", never) == b"first"
    assert kept_path("a", never) == str(folder / "a")
    assert names(folder) == ["a"]


def test_the_eight_that_were_used_last_stay(folder: Path) -> None:
    for number in range(8):
        kept(f"n{number}", lambda: b"x")
        os.utime(folder / f"n{number}", (number, number))
    kept("n0", never)  # used again
    kept("n8", lambda: b"x")

    assert set(names(folder)) == {"n0", *(f"n{n}" for n in range(2, 9))}


def test_what_killed_processes_left_goes_and_what_is_being_written_stays(folder: Path) -> None:
    kept("a", lambda: b"x")
    dead = _a_number_of_nobody()
    for name in (f"b.{dead}.partial", f"c.{os.getpid()}.partial", "d.x.partial"):
        (folder / name).write_bytes(b"half")
    kept("e", lambda: b"x")

    assert set(names(folder)) == {"a", "e", f"c.{os.getpid()}.partial"}


def test_half_written_files_push_no_whole_one_out(folder: Path) -> None:
    kept("n0", lambda: b"x")
    for number in range(8):
        (folder / f"n{number}.{os.getpid()}.partial").write_bytes(b"half")
    kept("n1", lambda: b"x")

    assert kept("n0", never) == b"x"


@pytest.mark.parametrize("cache", ["off", "/dev/null/nowhere"])
def test_without_a_folder_it_is_made_each_time(cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LKM_CACHE", cache)
    made: list[int] = []

    def make() -> bytes:
        made.append(1)
        return b"x"

    assert (kept_path("a", make), len(made)) == (b"x", 1)
    assert (kept("a", make), kept("a", make), len(made)) == (b"x", b"x", 3)


def test_a_folder_that_others_may_write_is_not_believed(folder: Path) -> None:
    kept("a", lambda: b"x")
    folder.chmod(0o777)

    assert kept_path("a", lambda: b"mine") == b"mine"
    assert kept("a", lambda: b"mine") == b"mine"


def test_where_it_cannot_be_written_it_is_still_given(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept("a", lambda: b"x")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)

    assert kept("b", lambda: b"y") == b"y"
    assert names(folder) == ["a"]


def test_a_failure_keeps_nothing(folder: Path) -> None:
    def fail() -> bytes:
        raise LookupError

    with pytest.raises(LookupError):
        kept("a", fail)
    assert kept("a", lambda: b"x") == b"x"
    assert folder.is_dir()


def test_a_key_changes_with_the_file_and_with_each_word(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"1")
    keys = {key_of_file(str(file)), key_of_file(str(file), "word"), key_of(["word"])}
    file.write_bytes(b"22")
    keys |= {key_of_file(str(file)), key_of_file(str(tmp_path / "none"))}

    assert len(keys) == 5
    assert key_of(["ab", "c"]) != key_of(["a", "bc"])
    assert all(key.isalnum() for key in keys)


@pytest.mark.parametrize("damage", ["cut", "longer", "empty", "no sum", "bad sum", "cut sum"])
def test_a_file_that_is_not_whole_is_made_anew(folder: Path, damage: str) -> None:
    file, beside = folder / "a", folder / "a.sum"
    for again in (kept, kept_path):
        kept("a", lambda: b"first")
        if damage == "no sum":
            beside.unlink()
        elif damage.endswith("sum"):
            beside.write_bytes(b"\xff \0" if damage == "bad sum" else beside.read_bytes()[:9])
        else:
            file.write_bytes({"cut": b"firs", "longer": b"first!", "empty": b""}[damage])
        again("a", lambda: b"again")

        assert (file.read_bytes(), kept("a", never)) == (b"again", b"again")
        file.unlink()


def test_a_byte_that_changed_is_seen_when_the_bytes_are_read(folder: Path) -> None:
    kept("a", lambda: b"first")
    (folder / "a").write_bytes(b"f1rst")

    assert kept_path("a", never) == str(folder / "a")
    assert kept("a", lambda: b"again") == b"again"


def test_a_source_that_changed_has_it_made_anew(folder: Path, tmp_path: Path) -> None:
    sources = [tmp_path / "one", tmp_path / "two\udcff"]
    for source in sources:
        source.write_bytes(b"1")
    kept("a", lambda: Made(b"first", tuple(map(str, sources))))
    assert kept("a", never) == b"first"
    sources[1].write_bytes(b"22")

    assert kept("a", lambda: Made(b"again", tuple(map(str, sources)))) == b"again"
    sources[0].unlink()
    assert kept_path("a", lambda: b"third") == str(folder / "a")


def test_what_is_interrupted_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        kept("a", lambda: b"x")

    assert names(folder) == []


def _a_number_of_nobody() -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid
