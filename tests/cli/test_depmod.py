"""lkm depmod beyond kmod's words: what it adds for people, and where it looks."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.cli.running import lkm
from tests.tree.trees import RELEASE, a_tree, chained


def test_a_missing_tree_names_those_that_are_there(tmp_path: Path) -> None:
    a_tree(tmp_path, {})

    ran = lkm("depmod", "-b", str(tmp_path), "9.9", "--json")

    assert ran.status == 1
    assert f"in {tmp_path}/lib/modules there are: {RELEASE}" in ran.out


def test_a_file_in_the_releases_place_tells_what_was_meant(tmp_path: Path) -> None:
    path = a_tree(tmp_path, chained({"a": []})) / "kernel/a.ko"

    ran = lkm("depmod", str(path), "--json")

    assert ran.status == 1
    assert "depmod RELEASE MODULEFILE...: the kernel's release comes first" in ran.out


def test_a_root_may_have_its_modules_below_usr_alone(tmp_path: Path) -> None:
    directory = a_tree(tmp_path, chained({"a": []}))
    (tmp_path / "usr/lib").mkdir(parents=True)
    shutil.move(tmp_path / "lib/modules", tmp_path / "usr/lib")

    assert lkm("depmod", "-b", str(tmp_path), RELEASE).status == 0

    assert not directory.exists()
    assert (tmp_path / "usr/lib/modules" / RELEASE / "modules.dep.bin").stat().st_size > 12


def test_cycles_are_an_error_and_tell_what_was_done(tmp_path: Path) -> None:
    directory = a_tree(tmp_path, chained({"p": ["q"], "q": ["p"], "lone": []}))

    ran = lkm("depmod", "-b", str(tmp_path), RELEASE, "--json")

    assert ran.status == 1
    assert "the modules of a cycle cannot be loaded; all else is indexed as ever" in ran.out
    assert (directory / "modules.dep").read_text().count("\n") == 3
    shown = lkm("depmod", "-n", "-b", str(tmp_path), RELEASE)
    assert shown.status == 1
    assert shown.out.startswith((directory / "modules.dep").read_text())


def test_remarks_about_the_configuration_need_two_v(tmp_path: Path) -> None:
    a_tree(tmp_path, {})
    config = tmp_path / "conf"
    config.write_text("include x\noverride a 7 b\nexternal 7 c\nexclude d\n")
    words = ("depmod", "-n", "-b", str(tmp_path), "-C", str(config), RELEASE)

    assert lkm(*words, "-v").err == ""
    assert lkm(*words, "-vv").err.splitlines() == [
        f"depmod: INFO: {config}:1: command include not implemented yet",
        f"depmod: INFO: {config}:2: override kernel did not match 7",
        f"depmod: INFO: {config}:3: external directory did not match 7",
    ]
