from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import pytest

from lkm.errors import FileError, LkmError, NotBootedError, StateFileError
from lkm.kernel.sandbox import Sandbox
from lkm.kernel.store import FORMAT, Store, state_path
from tests.kernel.trees import RELEASE, a_root, a_sandbox, module_file


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        ({"LKM_STATE": "/a/b", "XDG_STATE_HOME": "/x"}, "/a/b"),
        ({"XDG_STATE_HOME": "/x"}, "/x/lkm/sandbox.sqlite"),
        ({"XDG_STATE_HOME": "relative"}, str(Path.home() / ".local/state/lkm/sandbox.sqlite")),
        ({}, str(Path.home() / ".local/state/lkm/sandbox.sqlite")),
    ],
)
def test_the_state_lies_where_the_environment_says(environment: dict[str, str], path: str) -> None:
    assert state_path(environment) == path


def test_the_folder_is_made_when_a_kernel_is_booted(tmp_path: Path) -> None:
    path = tmp_path / "deep/in/state.sqlite"

    Sandbox(str(path)).boot(RELEASE, str(a_root(tmp_path / "root")))

    assert path.is_file()


def questions(path: Path) -> tuple[object, ...]:
    """Ask everything of a state file; whatever is wrong must be an LkmError."""
    with Sandbox(str(path)) as sandbox:
        status = sandbox.status()
        files = sandbox.read("/proc/modules"), sandbox.read("/sys/module/base/holders")
        return status.release, status.exports, sandbox.log(), files


@pytest.mark.parametrize(
    "contents", [b"text\n", b"SQLite format 3\0 and no more", b"\0" * 4096, b"\x7fELF" * 4000]
)
def test_a_file_of_another_kind_is_left_as_it_is(tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "state"
    path.write_bytes(contents)
    root = a_root(tmp_path / "root")

    with pytest.raises(StateFileError) as caught:
        questions(path)
    with pytest.raises(StateFileError):
        Sandbox(str(path)).boot(RELEASE, str(root))
    with pytest.raises(StateFileError):
        Sandbox(str(path)).reset()

    assert caught.value.remedy
    assert path.read_bytes() == contents


def test_another_programs_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE kernel (key, value)")
    connection.close()
    before = path.read_bytes()

    with pytest.raises(StateFileError, match="another program"):
        questions(path)
    with pytest.raises(StateFileError, match="another program"):
        Sandbox(str(path)).boot(RELEASE, str(a_root(tmp_path / "root")))

    assert path.read_bytes() == before


def test_a_newer_lkms_file_is_left_as_it_is(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    sandbox.close()
    with sqlite3.connect(sandbox.path) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    connection.close()

    with pytest.raises(StateFileError, match="newer lkm"):
        sandbox.modules()
    with pytest.raises(StateFileError, match="newer lkm"):
        sandbox.boot(RELEASE, str(root))


@pytest.mark.parametrize("key", ["machine", "percpu_end", "tainted", "tree_modules", "unreadable"])
def test_a_number_that_no_kernel_has_is_told_as_damage(tmp_path: Path, key: str) -> None:
    sandbox, _root = a_sandbox(tmp_path)
    sandbox.close()
    with sqlite3.connect(sandbox.path) as connection:
        connection.execute("UPDATE kernel SET value = ? WHERE key = ?", (b"9" * 5000, key))
    connection.close()

    with pytest.raises(StateFileError, match="damaged"):
        sandbox.status()


def test_an_empty_file_is_a_sandbox_that_was_never_booted(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.touch()

    with pytest.raises(NotBootedError):
        questions(path)
    Sandbox(str(path)).boot(RELEASE, str(a_root(tmp_path / "root")))
    Sandbox(str(path)).status()


@pytest.mark.parametrize("at", ["file", "schema"])
def test_a_damaged_state_of_its_own_is_replaced_at_boot_and_reset(tmp_path: Path, at: str) -> None:
    sandbox, root = a_sandbox(tmp_path)
    sandbox.close()
    data = bytearray(Path(sandbox.path).read_bytes())
    start = 100 if at == "schema" else 4096
    data[start : start + 3000] = b"\xff" * 3000
    Path(sandbox.path).write_bytes(data)

    with pytest.raises(StateFileError, match="damaged"):
        questions(Path(sandbox.path))
    sandbox.boot(RELEASE, str(root))
    sandbox.insert(module_file(root, "base"))
    assert len(sandbox.modules()) == 1
    sandbox.close()
    Path(sandbox.path).write_bytes(data)
    sandbox.reset()

    with pytest.raises(NotBootedError):
        sandbox.modules()


def test_a_file_that_is_not_its_own_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"text\n")

    with pytest.raises(StateFileError):
        Sandbox(str(path)).boot(RELEASE, str(tmp_path / "there is no tree"))


def test_a_device_or_a_pipe_is_never_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # to open it waits for a writer, for ever

    for path in (Path("/dev/null"), pipe):
        with pytest.raises(StateFileError, match="regular"):
            questions(path)
        with pytest.raises(StateFileError, match="regular"):
            Sandbox(str(path)).boot(RELEASE, str(tmp_path))


def test_a_folder_in_its_place_is_a_file_error(tmp_path: Path) -> None:
    with pytest.raises(FileError):
        questions(tmp_path)


def test_a_file_cut_anywhere_is_an_error_or_a_whole_answer(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    sandbox.insert(module_file(root, "base"))
    sandbox.close()
    whole = Path(sandbox.path).read_bytes()
    cut = tmp_path / "cut"
    answer = questions(Path(sandbox.path))

    for size in [*range(0, 600, 7), *range(600, len(whole), 509)]:
        cut.write_bytes(whole[:size])
        try:
            # A page that no question needs may be missing.
            assert questions(cut) == answer
        except LkmError:
            continue
        assert size > len(whole) // 2


def test_a_byte_that_fell_over_is_an_error_or_an_answer(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    sandbox.insert(module_file(root, "base"))
    sandbox.close()
    whole = Path(sandbox.path).read_bytes()
    bent = tmp_path / "bent"

    answers = 0
    for place in range(100, len(whole), 97):
        data = bytearray(whole)
        data[place] ^= 0xFF
        bent.write_bytes(data)
        try:
            questions(bent)
            answers += 1
        except LkmError:
            pass

    assert answers, "most of the file is empty space"


LOAD_AND_UNLOAD = """
import sys
from lkm.errors import AlreadyLoadedError, NotLoadedError
from lkm.kernel.sandbox import Sandbox
from lkm.module.file import read_image
from lkm.names import ModuleName
for turn in range(20):
    with Sandbox(sys.argv[1]) as sandbox:
        try:
            sandbox.insert(read_image(sys.argv[2]))
            sandbox.remove(ModuleName("base"))
        except (AlreadyLoadedError, NotLoadedError):
            pass
"""


def test_commands_at_the_same_time_take_turns(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    sandbox.close()
    image = module_file(root, "base").path
    command = [sys.executable, "-c", LOAD_AND_UNLOAD, sandbox.path, image]

    running = [subprocess.Popen(command, stderr=subprocess.PIPE) for _each in range(3)]
    errors = [process.communicate()[1] for process in running]

    assert errors == [b""] * 3
    assert sandbox.modules() == ()


def test_a_load_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    image = module_file(root, "base")
    sandbox.close()
    # Exports cannot be written any more, halfway through the load.
    with sqlite3.connect(sandbox.path) as connection:
        connection.execute(
            "CREATE TRIGGER t BEFORE INSERT ON export BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    connection.close()

    with pytest.raises(StateFileError):
        sandbox.insert(image)

    assert sandbox.modules() == ()
    assert sandbox.read("/sys/module") == b""


def an_older_file(path: Path) -> None:
    """Write a state file as format 1 had it, with a kernel booted in it."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE kernel (key TEXT PRIMARY KEY, value BLOB NOT NULL)")
        connection.execute("CREATE TABLE log (number INTEGER PRIMARY KEY AUTOINCREMENT, text BLOB)")
        connection.execute("CREATE INDEX log_text ON log (text)")
        connection.execute("INSERT INTO log (text) VALUES (x'61')")
        connection.execute("INSERT INTO kernel VALUES ('release', x'61')")
        connection.execute(f"PRAGMA application_id = {0x6C6B6D53}")
        connection.execute("PRAGMA user_version = 1")
    connection.close()


def test_an_older_lkms_file_is_not_guessed_at_but_booted_anew(tmp_path: Path) -> None:
    path = tmp_path / "state"
    an_older_file(path)
    an_older_file(tmp_path / "older")
    sandbox = Sandbox(str(path))

    with pytest.raises(StateFileError, match="older lkm") as caught:
        sandbox.modules()
    with pytest.raises(StateFileError, match="older lkm"):
        Sandbox.open(str(path)).status()
    root = a_root(tmp_path / "root")
    sandbox.boot(RELEASE, str(root))
    sandbox.insert(module_file(root, "base"))

    with pytest.raises(StateFileError, match="older lkm"):
        Sandbox.open(str(tmp_path / "older"))

    assert "lkm sandbox boot --release" in caught.value.remedy
    assert (sandbox.release(), sandbox.log()) == (RELEASE, ())


def test_packed_symbols_that_are_damaged_are_an_error(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    sandbox.insert(module_file(root, "base"))
    sandbox.close()
    for broken in (b"", b"x", zlib.compress(b"a" * 100)[:-5], "a text"):
        with sqlite3.connect(sandbox.path) as connection:
            connection.execute("UPDATE module SET kallsyms = ?", (broken,))
        connection.close()

        with pytest.raises(StateFileError, match="damaged"):
            sandbox.read("/proc/kallsyms")
        sandbox.close()


def test_it_may_be_closed_in_another_thread(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "state"))
    with store.starting() as connection:
        connection.execute("SELECT 1")
    failed: list[object] = []

    def close() -> None:
        try:
            store.close()
        except sqlite3.ProgrammingError as error:
            failed.append(error)

    thread = threading.Thread(target=close)
    thread.start()
    thread.join()

    assert not failed
