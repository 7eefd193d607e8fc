"""The Python of a guest, run here with nothing but what the archive has."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from lkm._version import __version__
from lkm.errors import LabError
from lkm.lab.contents.files import Files, merged_usr
from lkm.lab.contents.python import SCRIPT, add_python, library_state
from tests.lab.contents.archives import entries, unpacked

BASE: dict[str, str | int] = {"installed_base": sys.base_prefix, "base": sys.base_prefix}
LIBRARY = sysconfig.get_path("stdlib", vars=BASE)
PROGRAM = os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)


@pytest.fixture(scope="module")
def files() -> Files:
    made = merged_usr()
    add_python(made)
    return made


@pytest.fixture(scope="module")
def root(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(files, tmp_path_factory.mktemp("python") / "root")


def run(root: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run *code* with the archive's library, and no other."""
    library = f"{root}{LIBRARY}"
    paths = [library, f"{library}/lib-dynload"]
    start = f"import sys; sys.path[:] = {paths!r}; sys.dont_write_bytecode = True\n"
    return subprocess.run(
        [PROGRAM, "-I", "-S", "-c", start + code], capture_output=True, text=True, check=False
    )


def test_lkm_runs_from_what_the_archive_has(root: Path) -> None:
    done = run(
        root,
        "import lkm\n"
        "assert lkm.__file__.startswith(sys.path[0]), lkm.__file__\n"
        "from lkm.cli.main import main\n"
        "sys.exit(main(['lkm', '--version']))\n",
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, f"lkm {__version__}\n", "")


@pytest.mark.parametrize("command", ["lsmod", "modprobe", "sandbox", "tour", "lab", "kconfig"])
def test_every_command_starts_there(root: Path, command: str) -> None:
    code = f"from lkm.cli.main import main\nsys.exit(main(['lkm', '{command}', '--help']))\n"
    done = run(root, code)

    assert (done.returncode, done.stderr) == (0, "")
    assert command in done.stdout


def test_the_usual_library_is_there(root: Path) -> None:
    names = "argparse ctypes dataclasses decimal hashlib json lzma re sqlite3 ssl subprocess zlib"
    done = run(
        root,
        f"import importlib\n"
        f"for name in {names.split()!r}:\n"
        "    module = importlib.import_module(name)\n"
        "    place = getattr(module, '__file__', None)\n"
        "    assert place is None or place.startswith(sys.path[0]), place\n",
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_library_lies_where_the_interpreter_looks(files: Files) -> None:
    found = entries(files)

    assert found[PROGRAM.lstrip("/").removeprefix("bin/")].data.startswith(b"\x7fELF")
    assert found["usr/bin/python3"].data.decode() == PROGRAM
    assert f"{LIBRARY.lstrip('/')}/os.pyc" in found
    assert f"{LIBRARY.lstrip('/')}/lkm/cli/main.pyc" in found


def test_the_script_starts_that_interpreter_and_nothing_of_the_user(files: Files) -> None:
    script = entries(files)[SCRIPT.lstrip("/")]

    assert script.data.startswith(f"#!{PROGRAM} -SsE\n".encode())
    assert stat.S_IMODE(script.mode) == 0o755


def test_what_is_for_tests_and_screens_is_left_out(files: Files) -> None:
    below = [
        path.removeprefix(f"{LIBRARY.lstrip('/')}/")
        for path in entries(files)
        if path.startswith(f"{LIBRARY.lstrip('/')}/")
    ]
    first = {path.partition("/")[0] for path in below}

    assert {"os.pyc", "json", "lkm"} <= first
    assert not first & {"test", "idlelib", "tkinter", "ensurepip", "site-packages", "__pycache__"}
    assert not [path for path in below if path.endswith(".py")]
    # What is no code but is read: the kernel of the lesson, the schemas, the agent.
    assert {"lkm/lab/agent.sh", "lkm/report/schemas/lab.1.json"} <= set(below)
    assert [path for path in below if path.startswith("lkm/teaching/")]


def test_what_it_is_made_of_is_told_by_words_that_stay(tmp_path: Path) -> None:
    assert library_state() == library_state()
    assert str(sys.version) in library_state()
    assert tmp_path.is_dir()


def test_a_python_within_another_program_cannot_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)

    with pytest.raises(LabError, match="part of another program"):
        add_python(Files())
