"""The drop-in commands start light: what each imports is listed and bounded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.tree import RELEASE

SOURCE = Path(__file__).parents[2] / "src"
HEAVY = frozenset(
    {
        "argparse",
        "collections",
        "ctypes",
        "dataclasses",
        "enum",
        "functools",
        "importlib.metadata",
        "json",
        "multiprocessing",
        "pathlib",
        "re",
        "rich",
        "shutil",
        "sqlite3",
        "subprocess",
        "tempfile",
        "typing",
    }
)
# sys.modules before and after, in an interpreter that has run no site customisation.
PROGRAM = f"""
import sys
sys.path.insert(0, {str(SOURCE)!r})
before = set(sys.modules)
from lkm.cli.main import main
main(sys.argv[1:])
sys.stdout.flush()
sys.stderr.write("IMPORTED " + " ".join(sorted(set(sys.modules) - before)))
"""


def imported_by(*words: str) -> frozenset[str]:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROGRAM, *words],
        capture_output=True,
        text=True,
        check=True,
    )
    return frozenset(done.stderr.rpartition("IMPORTED ")[2].split())


COMMANDS = {
    "lsmod": (),
    "modinfo": ("-b", "{root}", "-k", RELEASE, "vfat"),
    "modprobe": ("-d", "{root}", "-S", RELEASE, "-D", "vfat"),
    "insmod": ("/nowhere/x.ko",),
    "rmmod": ("nothing",),
    "depmod": ("-b", "{root}", RELEASE),
    "kmod": ("list",),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_drop_in_imports_nothing_heavy(name: str, root: Path) -> None:
    words = [word.format(root=root) for word in COMMANDS[name]]

    imported = imported_by("lkm", name, *words)

    assert f"lkm.cli.{name}" in imported
    assert not imported & HEAVY


def test_the_library_front_door_imports_nothing_until_it_is_used() -> None:
    program = f"import sys; sys.path.insert(0, {str(SOURCE)!r}); import lkm; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True
    )

    assert [name for name in done.stdout.split() if name.startswith("lkm")] == ["lkm"]


# What each of them is for, others do without.
NEEDLESS = {
    "lsmod": {"lkm.tree", "lkm.config", "lkm.elf", "struct"},
    "modinfo": {"lkm._fork", "lkm.module.quick_modinfo"},
    "depmod": {
        "lkm.tree.scan.reading",
        "lkm.tree.depmod.indexes",
        "lkm.config",
        "lkm.elf",
        "lkm._fork",
    },
}


def test_what_a_drop_in_does_not_need_it_does_not_import(root: Path) -> None:
    file = next(path for path in root.rglob("*.ko"))
    words = {
        "lsmod": [],
        "modinfo": [str(file)],
        "depmod": ["-A", "-b", str(root), RELEASE],
    }

    for name, needless in NEEDLESS.items():
        imported = imported_by("lkm", name, *words[name])
        assert f"lkm.cli.{name}" in imported
        assert not imported & needless, name
