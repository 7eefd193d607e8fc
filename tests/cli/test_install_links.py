"""lkm install-links: six symlinks, and nothing of anybody else's lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lkm.cli.install_links import TOOLS
from lkm.cli.main import DROP_INS
from tests.cli.running import lkm
from tests.report.validating import validate

PROGRAM = Path(sys.executable).parent / "lkm"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Return a stand-in for lkm that tells by which name it was called."""
    made = tmp_path / "usr/bin/lkm"
    made.parent.mkdir(parents=True)
    made.write_text('#!/bin/sh\necho "${0##*/} $*"\n')
    made.chmod(0o755)
    return made


def install(program: Path, *words: str) -> tuple[int, str]:
    ran = lkm("install-links", "--program", str(program), *words)
    return ran.status, ran.err


def test_the_tools_are_kmods_six() -> None:
    assert {*TOOLS, "kmod"} == DROP_INS.keys()


def test_the_links_are_made_with_their_folder(program: Path, tmp_path: Path) -> None:
    folder = tmp_path / "usr/local/sbin"

    assert install(program, str(folder)) == (0, "")

    assert {path.name for path in folder.iterdir()} == set(TOOLS)
    for name in TOOLS:
        assert os.readlink(folder / name) == str(program)
        done = subprocess.run([folder / name, "-x"], capture_output=True, text=True, check=True)
        assert done.stdout == f"{name} -x\n"


def test_relative_links_can_move_with_the_whole_file_system(program: Path, tmp_path: Path) -> None:
    assert install(program, "--relative", str(tmp_path / "usr/sbin")) == (0, "")
    assert install(program, "--relative", str(tmp_path / "usr/bin")) == (0, "")

    assert os.readlink(tmp_path / "usr/sbin/rmmod") == "../bin/lkm"
    assert os.readlink(tmp_path / "usr/bin/rmmod") == "lkm"
    moved = tmp_path / "moved"
    (tmp_path / "usr").rename(moved)
    assert (moved / "sbin/rmmod").exists()


def test_links_to_another_lkm_are_renewed_and_the_same_ones_kept(
    program: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "sbin"
    folder.mkdir()
    (folder / "depmod").symlink_to("/old/venv/bin/lkm")
    (folder / "insmod").symlink_to(program)

    ran = lkm("install-links", "--program", str(program), "--json", str(folder))

    links = {link["name"]: link["action"] for link in json.loads(ran.out)["links"]}
    assert (links["depmod"], links["insmod"], links["lsmod"]) == ("replaced", "kept", "made")
    assert os.readlink(folder / "depmod") == str(program)


def test_what_is_in_the_way_stops_all_of_it(program: Path, tmp_path: Path) -> None:
    (tmp_path / "modinfo").write_text("mine")
    (tmp_path / "rmmod").symlink_to("/bin/kmod")
    before = sorted(tmp_path.iterdir())

    status, err = install(program, str(tmp_path))

    assert status == 1
    assert "modinfo is there and no link to lkm; --force replaces it" in err
    assert "rmmod is there" in err
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "modinfo").read_text() == "mine"


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_of_links_that_another_stopped_none_is_told_as_made(
    program: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    (tmp_path / "modinfo").write_text("mine")
    (tmp_path / "insmod").symlink_to(program)
    (tmp_path / "depmod").symlink_to("/old/lkm")

    ran = lkm("install-links", "--program", str(program), "--json", *options, str(tmp_path))

    links = {link["name"]: link["action"] for link in validate_links(ran.out)}
    assert ran.status == 1
    assert links.pop("modinfo") == "refused"
    assert links.pop("insmod") == "kept"
    assert set(links.values()) == {"left"}
    assert os.readlink(tmp_path / "depmod") == "/old/lkm"


def validate_links(document: str) -> list[dict[str, str]]:
    validate(document)
    links: list[dict[str, str]] = json.loads(document)["links"]
    return links


def test_force_replaces_files_but_no_folder(program: Path, tmp_path: Path) -> None:
    (tmp_path / "modinfo").write_text("mine")
    (tmp_path / "rmmod").symlink_to("/bin/kmod")
    (tmp_path / "lsmod").mkdir()

    status, err = install(program, "--force", str(tmp_path))
    assert status == 1
    assert "lsmod is a folder" in err
    assert (tmp_path / "modinfo").read_text() == "mine"

    (tmp_path / "lsmod").rmdir()
    assert install(program, "--force", str(tmp_path)) == (0, "")
    assert all(os.readlink(tmp_path / name) == str(program) for name in TOOLS)


def test_a_dry_run_changes_nothing(program: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new"

    ran = lkm("install-links", "--program", str(program), "--dry-run", str(folder))

    assert ran.status == 0
    assert f"{folder}/modprobe -> {program}: would be made" in ran.out
    assert not folder.exists()


def test_a_folder_that_cannot_be_made_is_an_error(program: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    status, err = install(program, str(tmp_path / "file/sbin"))

    assert status == 3
    assert "cannot make" in err


def test_a_program_that_does_not_run_is_wrong_usage(tmp_path: Path) -> None:
    assert install(tmp_path / "nosuch", str(tmp_path))[0] == 2
    assert list(tmp_path.iterdir()) == []


def test_without_a_name_it_is_the_program_that_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(PROGRAM), "install-links", str(tmp_path)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert os.readlink(tmp_path / "lsmod") == str(PROGRAM)
    version = subprocess.run([tmp_path / "lsmod", "-V"], capture_output=True, text=True, check=True)
    assert version.stdout.startswith("kmod version")
