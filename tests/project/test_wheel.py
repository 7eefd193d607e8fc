"""The wheel: it builds, and what it installs works apart from the checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.builders.elf import a_module

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    command = [*pip, "wheel", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_module_and_says_that_it_is_typed(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())

    sources = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src/lkm").rglob("*.py")}
    assert sources | {"lkm/py.typed"} <= packed


def test_the_wheel_holds_the_teaching_kernel_as_it_is(wheel: Path) -> None:
    packed = zipfile.ZipFile(wheel)
    root = ROOT / "src/lkm/teaching/root"
    files = [path for path in root.rglob("*") if path.is_file()]

    assert sum(path.suffix == ".ko" for path in files) > 12
    for path in files:
        assert packed.read(str(path.relative_to(ROOT / "src"))) == path.read_bytes()
    listed = {name for name in packed.namelist() if name.startswith("lkm/teaching/root/")}
    assert len(listed) == len(files)


def test_the_wheel_holds_the_schemas(wheel: Path) -> None:
    packed = zipfile.ZipFile(wheel)
    files = sorted((ROOT / "src/lkm/report/schemas").glob("*.json"))

    assert len(files) > 20
    for path in files:
        assert packed.read(str(path.relative_to(ROOT / "src"))) == path.read_bytes()


def test_the_command_works_where_the_wheel_is_installed(wheel: Path, tmp_path: Path) -> None:
    place = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    pip = [str(place / "bin/python"), "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "install", str(wheel)], check=True, capture_output=True)
    (tmp_path / "tiny.ko").write_bytes(a_module(name="tiny", modinfo=["author=A. Nobody"]))

    command = [str(place / "bin/lkm"), "modinfo", "-F", "author", "tiny.ko"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "A. Nobody\n", "")
    # The script that pip makes where a package has none of its own imports `re` at every start.
    started = [str(place / "bin/python"), "-X", "importtime", *command]
    times = subprocess.run(started, cwd=tmp_path, capture_output=True, text=True, check=True).stderr
    imported = {line.rpartition("|")[2].strip() for line in times.splitlines()}
    assert "lkm.cli.modinfo" in imported
    assert not imported & {"re", "argparse", "importlib.metadata"}
    lesson = [str(place / "bin/lkm"), "tour"]
    told = subprocess.run(lesson, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")
    assert "  NOT " not in told.stdout
