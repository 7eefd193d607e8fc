"""The one command that rebuilds the teaching kernel gives what is in the repository."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lkm.module.facts import Module
from lkm.vmlinux.saved import load
from teaching.building import build
from teaching.compiling import Tools
from tests.conftest import missing

pytestmark = pytest.mark.oracle


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tools = Tools.of_environment()
    for tool in (tools.compiler, tools.linker):
        if shutil.which(tool) is None:
            missing("oracle", f"{tool} is not installed")
    folder = tmp_path_factory.mktemp("rebuilt")
    (folder / "scratch").mkdir()
    build(folder / "root", tools, folder / "scratch")
    return folder / "root"


def files_below(folder: Path) -> list[Path]:
    return sorted([path.relative_to(folder) for path in folder.rglob("*") if path.is_file()])


def compiler_of(file: Path) -> bytes | None:
    with Module.open(str(file)) as module:
        return module.elf.section_data(".comment")


def facts_of(file: Path) -> tuple[object, ...]:
    with Module.open(str(file)) as module:
        return (
            sorted(module.modinfo),
            module.parameters,
            module.exports,
            sorted([version.name for version in module.versions]),
        )


def test_a_rebuild_is_the_same(rebuilt: Path, root: Path, files: tuple[Path, ...]) -> None:
    inside = [file.relative_to(root) for file in files]
    same_compiler = compiler_of(rebuilt / inside[0]) == compiler_of(files[0])
    compared = files_below(root) if same_compiler else [*inside]

    assert files_below(rebuilt) == files_below(root)
    for path in compared:
        if path.name.startswith("facts-"):  # zlib's versions compress differently
            assert load((rebuilt / path).read_bytes()) == load((root / path).read_bytes())
        elif same_compiler:
            assert (rebuilt / path).read_bytes() == (root / path).read_bytes(), path
        else:
            assert facts_of(rebuilt / path) == facts_of(root / path), path
