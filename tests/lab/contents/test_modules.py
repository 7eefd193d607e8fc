from __future__ import annotations

from pathlib import Path

import pytest

from lkm.errors import LabError, NoSuchModuleError
from lkm.lab.contents import modules
from lkm.lab.contents.files import Files
from lkm.lab.contents.modules import (
    add_modules,
    check_release,
    modules_asked_for,
    modules_named,
    needed_by_files,
)
from lkm.tree.catalog import Catalog
from lkm.tree.depmod.indexes import build_indexes
from tests.builders.elf import a_module
from tests.builders.tree import RELEASE, a_root
from tests.lab.contents.archives import entries

FAT, VFAT, NLS, LONE = (
    f"kernel/{name}.ko" for name in ("fs/fat/fat", "fs/fat/vfat", "fs/nls/nls-test", "lone")
)


@pytest.fixture
def tree(tmp_path: Path) -> str:
    root = a_root(tmp_path / "root", builtin={"kernel/fs/ext-two.ko": ["alias=fs-ext2"]})
    directory = root / "lib/modules" / RELEASE
    for name, data in build_indexes(str(directory)).files.items():
        (directory / name).write_bytes(data)
    return str(directory)


def asked_for(tree: str, *words: str) -> list[str]:
    """Return the files that come along, from the tree."""
    found = modules_asked_for(Catalog.open(tree), words)
    return [path.removeprefix(f"{tree}/") for path in found]


def test_a_module_comes_with_all_that_it_needs(tree: str) -> None:
    files = {path.name: path for path in Path(tree).rglob("*.ko")}
    nls = str(files["nls-test.ko"].relative_to(tree))

    assert set(asked_for(tree, "vfat")) == {FAT, VFAT, nls}
    assert asked_for(tree, "lone") == [LONE]
    assert asked_for(tree, "lone", "fat", "lone") == [LONE, FAT]


def test_an_alias_and_all_are_words_too_and_what_is_built_in_has_no_file(tree: str) -> None:
    assert VFAT in asked_for(tree, "fs-vfat")
    assert asked_for(tree, "ext-two") == []
    assert len(asked_for(tree, "all")) == 4


def test_one_that_there_is_not_is_an_error(tree: str) -> None:
    with pytest.raises(NoSuchModuleError):
        asked_for(tree, "lone", "nosuch")


def test_names_are_found_in_a_command_line(tree: str) -> None:
    def named(text: str) -> tuple[str, ...]:
        return modules_named(Catalog.open(tree), text)

    assert named("modprobe -v vfat debug=1") == ("vfat",)
    assert named("sh -c 'modprobe lone && rmmod lone; lsmod'") == ("lone",)
    assert named("modprobe nls-test fat,lone") == ("nls-test", "fat", "lone")
    assert named("insmod ./vfat.ko") == ("vfat",)
    assert named("lsmod vfatx xvfat all") == ()
    assert named("") == ()


@pytest.mark.parametrize(
    "text",
    [
        "modprobe fs-vfat",
        "lkm modprobe -v -- fs-vfat debug=1",
        "sh -c '/sbin/modinfo \"fs-vfat\"; lsmod'",
        "sh -c 'cd /;modprobe -a nosuch fs-vfat&&lsmod'",
    ],
)
def test_an_alias_is_found_behind_modprobe_and_modinfo(tree: str, text: str) -> None:
    assert modules_named(Catalog.open(tree), text) == ("fs-vfat",)


@pytest.mark.parametrize(
    "text",
    [
        "echo fs-vfat",
        "modprobe; echo fs-vfat",
        "sh -c 'modprobe\nfs-vfat'",
        "modprobe x=fs-vfat /fs-vfat -fs-vfat [fs-vfat all nosuch",
    ],
)
def test_elsewhere_it_is_none(tree: str, text: str) -> None:
    assert modules_named(Catalog.open(tree), text) == ()


def test_a_file_brings_what_it_depends_on(tree: str, tmp_path: Path) -> None:
    mine = tmp_path / "mine.ko"
    mine.write_bytes(a_module(name="mine", depends="fat,nosuch,nls_test"))
    bad = tmp_path / "bad.ko"
    bad.write_bytes(b"no module")

    paths = [str(bad), str(tmp_path / "nowhere.ko"), str(mine), str(mine)]
    assert needed_by_files(Catalog.open(tree), paths) == ("fat", "nls_test")


def test_the_indexes_are_of_what_is_there(tree: str) -> None:
    files = Files()
    add_modules(files, tree, RELEASE, [f"{tree}/{FAT}", f"{tree}/{LONE}"])

    found = entries(files)
    place = f"usr/lib/modules/{RELEASE}"
    assert {path for path in found if path.endswith(".ko")} == {f"{place}/{FAT}", f"{place}/{LONE}"}
    lines = found[f"{place}/modules.dep"].data.decode().splitlines()
    assert {line.partition(":")[0] for line in lines} == {FAT, LONE}
    assert found[f"{place}/modules.dep.bin"].data
    builtin = Path(tree, "modules.builtin").read_bytes()
    assert found[f"{place}/modules.builtin"].data == builtin


def test_a_tree_may_be_named_from_the_current_folder(
    tree: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(tree).parents[2])
    directory = f"./lib/modules/{RELEASE}"
    files = Files()
    add_modules(files, directory, RELEASE, modules_asked_for(Catalog.open(directory), ["lone"]))

    found = entries(files)
    assert f"usr/lib/modules/{RELEASE}/{LONE}" in found
    assert found[f"usr/lib/modules/{RELEASE}/modules.dep"].data == f"{LONE}:\n".encode()


def test_of_a_whole_tree_the_indexes_come_as_they_are(
    tree: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modules, "_FEW", 2)
    Path(tree, "modules.dep").write_text("# as it is\n")
    paths = [str(path) for path in Path(tree).rglob("*.ko")]

    def dep() -> bytes:
        files = Files()
        add_modules(files, tree, RELEASE, paths)
        return entries(files)[f"usr/lib/modules/{RELEASE}/modules.dep"].data

    assert dep() == b"# as it is\n"
    # One that has not all of them gets new ones.
    Path(tree, "modules.dep.bin").unlink()
    assert b"kernel/lone.ko:" in dep()


def test_a_guest_without_modules_has_a_tree_with_nothing_in_it(tree: str) -> None:
    files = Files()
    add_modules(files, tree, RELEASE, [])

    assert entries(files)[f"usr/lib/modules/{RELEASE}/modules.dep"].data == b""


def test_a_tree_of_another_kernel_is_told(tree: str) -> None:
    check_release([], "9.9")
    check_release([f"{tree}/{LONE}"], RELEASE)
    with pytest.raises(LabError, match=rf"lone.ko is a module of {RELEASE}, .* is 9.9"):
        check_release([f"{tree}/{LONE}"], "9.9")


def test_a_soft_dependency_that_there_is_not_keeps_nobody_out(tmp_path: Path) -> None:
    soft = a_module(name="soft", modinfo=["softdep=pre: nosuch"])
    root = a_root(tmp_path / "root", {"kernel/soft.ko": soft})
    directory = root / "lib/modules" / RELEASE
    for name, data in build_indexes(str(directory)).files.items():
        (directory / name).write_bytes(data)

    assert asked_for(str(directory), "soft") == ["kernel/soft.ko"]
