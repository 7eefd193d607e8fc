from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from lkm import cache as module
from lkm.cache import Cache, FileIdentity, default_cache, default_folder

FACTS = b"facts of a file"
MINUTE_NS = 60 * 1_000_000_000


@pytest.fixture
def file(tmp_path: Path) -> FileIdentity:
    path = tmp_path / "vmlinuz"
    path.write_bytes(b"kernel")
    found = FileIdentity.of(str(path))
    assert found is not None
    return found


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(str(tmp_path / "cache"))


def later() -> int:
    """A time at which a file that was made just now has settled."""
    return time.time_ns() + MINUTE_NS


def remembered(cache: Cache, file: FileIdentity) -> Path:
    assert cache.remember("facts", file, FACTS, looked_ns=later())
    (entry,) = Path(cache.folder).iterdir()
    return entry


def test_what_was_remembered_is_found(cache: Cache, file: FileIdentity) -> None:
    remembered(cache, file)

    assert cache.find("facts", file) == FACTS
    assert cache.find("other facts", file) is None


def test_a_mapped_entry_says_the_same(cache: Cache, file: FileIdentity) -> None:
    entry = remembered(cache, file)
    assert bytes(cache.mapped("facts", file) or b"") == FACTS
    assert cache.mapped("other facts", file) is None

    for size in range(entry.stat().st_size):
        entry.write_bytes(entry.read_bytes()[:-1])
        assert cache.mapped("facts", file) is None, size


def test_the_folder_and_the_entries_are_for_this_user_alone(
    cache: Cache, file: FileIdentity
) -> None:
    entry = remembered(cache, file)

    assert entry.stat().st_mode & 0o777 == 0o600
    assert entry.parent.stat().st_mode & 0o777 == 0o700


def test_nothing_is_found_where_nothing_was_remembered(cache: Cache, file: FileIdentity) -> None:
    assert cache.find("facts", file) is None
    assert not os.path.exists(cache.folder)


@pytest.mark.parametrize("field", ["size", "mtime_ns", "ctime_ns"])
def test_another_state_of_the_file_is_not_known(
    cache: Cache, file: FileIdentity, field: str
) -> None:
    remembered(cache, file)
    fields = {name: getattr(file, name) for name in FileIdentity.__slots__}
    fields[field] += 1

    assert cache.find("facts", FileIdentity(**fields)) is None


def test_a_newer_state_takes_the_place_of_the_older(cache: Cache, file: FileIdentity) -> None:
    remembered(cache, file)
    newer = FileIdentity(file.device, file.inode, 99, file.mtime_ns, file.ctime_ns)

    assert cache.remember("facts", newer, b"newer", looked_ns=later())
    assert cache.find("facts", newer) == b"newer"
    assert len(os.listdir(cache.folder)) == 1


def test_a_file_that_changed_just_now_is_not_remembered(cache: Cache, file: FileIdentity) -> None:
    assert not cache.remember("facts", file, FACTS, looked_ns=file.ctime_ns + 1_999_999_999)
    assert cache.remember("facts", file, FACTS, looked_ns=file.ctime_ns + 2_000_000_000)


def test_a_damaged_entry_is_not_there_and_is_written_anew(cache: Cache, file: FileIdentity) -> None:
    entry = remembered(cache, file)
    whole = entry.read_bytes()
    for size in range(len(whole)):
        entry.write_bytes(whole[:size])
        assert cache.find("facts", file) is None
    for place in range(len(whole)):
        entry.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert cache.find("facts", file) is None

    remembered(cache, file)
    assert cache.find("facts", file) == FACTS


@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_something_else_in_an_entrys_place_is_not_followed(
    cache: Cache, file: FileIdentity, kind: str, tmp_path: Path
) -> None:
    entry = remembered(cache, file)
    whole = entry.read_bytes()
    entry.unlink()
    if kind == "folder":
        entry.mkdir()
    elif kind == "pipe":
        os.mkfifo(entry)
    else:
        (tmp_path / "target").write_bytes(whole)
        entry.symlink_to(tmp_path / "target")

    assert cache.find("facts", file) is None


def test_a_folder_that_others_may_write_is_not_believed(cache: Cache, file: FileIdentity) -> None:
    entry = remembered(cache, file)
    entry.parent.chmod(0o777)

    assert cache.find("facts", file) is None
    assert not cache.remember("facts", file, FACTS, looked_ns=later())


def test_an_entry_that_others_may_write_is_not_believed(cache: Cache, file: FileIdentity) -> None:
    remembered(cache, file).chmod(0o622)

    assert cache.find("facts", file) is None


def test_another_users_folder_is_neither_read_nor_written(
    cache: Cache, file: FileIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = remembered(cache, file)
    before = entry.read_bytes()
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)

    assert cache.find("facts", file) is None
    assert not cache.remember("facts", file, b"others", looked_ns=later())
    assert entry.read_bytes() == before


def test_no_folder_is_made_in_another_users_home(
    cache: Cache, file: FileIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)

    assert not cache.remember("facts", file, FACTS, looked_ns=later())
    assert not os.path.exists(cache.folder)


def test_a_link_in_the_folders_place_is_not_followed(
    cache: Cache, file: FileIdentity, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    Path(cache.folder).symlink_to(tmp_path / "elsewhere")

    assert not cache.remember("facts", file, FACTS, looked_ns=later())
    assert os.listdir(tmp_path / "elsewhere") == []


def test_a_folder_that_cannot_be_made_is_no_error(file: FileIdentity, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    for place in (f"{tmp_path}/file/cache", "/proc/none/cache", "no\0place"):
        assert not Cache(place).remember("facts", file, FACTS, looked_ns=later())
        assert Cache(place).find("facts", file) is None


def test_the_least_used_entries_go_where_the_room_ends(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 1000)  # headers too count
    files = [FileIdentity(1, number, 0, 0, 0) for number in range(4)]
    for number, each in enumerate(files):
        assert cache.remember("facts", each, bytes(300), looked_ns=later())
        path = next(p for p in Path(cache.folder).iterdir() if p.name.endswith(f"-{number:x}.lkm"))
        os.utime(path, (number + 1, number + 1))

    assert [cache.find("facts", each) is not None for each in files] == [False, False, True, True]
    assert cache.remember("facts", files[2], bytes(300), looked_ns=later())
    assert cache.find("facts", files[3]) is not None
    assert sum(path.stat().st_size for path in Path(cache.folder).iterdir()) <= 1000


def test_an_entry_that_is_too_large_is_not_remembered(
    cache: Cache, file: FileIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LARGEST_ENTRY", 10)

    assert not cache.remember("facts", file, FACTS, looked_ns=later())


def test_what_a_killed_run_left_half_written_goes_away(cache: Cache, file: FileIdentity) -> None:
    entry = remembered(cache, file)
    killed = entry.with_name("facts-1-2.lkm.77.lkm-new")
    running = entry.with_name("facts-1-3.lkm.78.lkm-new")
    for path in (killed, running):
        path.write_bytes(b"half")
    os.utime(killed, (1, 1))

    assert cache.remember("facts", file, FACTS, looked_ns=later())
    assert {path.name for path in entry.parent.iterdir()} == {entry.name, running.name}


def test_what_somebody_else_keeps_in_the_folder_stays(
    cache: Cache, file: FileIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 100)
    remembered(cache, file)
    own = [Path(cache.folder) / name for name in ("photos.zip", "notes.tmp", "facts-1-2", "x-1-2")]
    for path in own:
        path.write_bytes(bytes(1000))
        os.utime(path, (1, 1))

    assert cache.remember("facts", file, FACTS, looked_ns=later())

    assert all(path.stat().st_size == 1000 for path in own)


def test_a_folder_in_an_entrys_place_makes_room_again(cache: Cache, file: FileIdentity) -> None:
    entry = remembered(cache, file)
    entry.unlink()
    entry.mkdir()

    assert cache.find("facts", file) is None
    assert cache.remember("facts", file, FACTS, looked_ns=later())
    assert cache.find("facts", file) == FACTS


def test_finding_an_old_entry_marks_it_as_used(cache: Cache, file: FileIdentity) -> None:
    entry = remembered(cache, file)
    os.utime(entry, (1, 1))

    assert cache.find("facts", file) == FACTS
    assert entry.stat().st_mtime > 1


def test_the_environment_tells_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_folder({"LKM_CACHE": "/a", "XDG_CACHE_HOME": "/b"}) == "/a"
    assert default_folder({"LKM_CACHE": "", "XDG_CACHE_HOME": "/b"}) == "/b/lkm"
    monkeypatch.setenv("HOME", "/home/me")
    assert default_folder({"XDG_CACHE_HOME": "relative"}) == "/home/me/.cache/lkm"
    monkeypatch.setenv("LKM_CACHE", "/there")
    assert default_cache().folder == "/there"


def test_a_file_that_is_not_there_has_no_identity(tmp_path: Path) -> None:
    assert FileIdentity.of(str(tmp_path / "none")) is None
    assert FileIdentity.of("no\0name") is None


def test_writers_at_the_same_time_leave_whole_entries(cache: Cache, file: FileIdentity) -> None:
    versions = [bytes([letter]) * 200_000 for letter in b"ab"]
    assert cache.remember("facts", file, versions[0], looked_ns=later())
    writers = []
    for facts in versions:
        pid = os.fork()
        if not pid:
            for _ in range(100):
                cache.remember("facts", file, facts, looked_ns=later())
            os._exit(0)
        writers.append(pid)

    seen = [cache.find("facts", file) for _ in range(300)]

    for pid in writers:
        os.waitpid(pid, 0)
    assert set(seen) <= {*versions, None}
    assert cache.find("facts", file) in versions
    assert len(list(Path(cache.folder).iterdir())) == 1
