"""What a user says that code of modules does: what init returns, who holds what, and writing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lkm.kernel.sandbox import Sandbox
from tests.builders.elf import AnExport, a_module
from tests.cli.running import lkm
from tests.kernel.trees import RELEASE, VERMAGIC, a_root
from tests.loader.parameter_modules import a_parameter_module
from tests.report.validating import validate

ON = ("--on", "sandbox")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Boot a kernel with "owner", "user" of it, and "tiny" with parameters; return their folder."""
    monkeypatch.setenv("LKM_STATE", str(tmp_path / "state"))
    export = AnExport(name="owned")
    modules = {
        "owner": a_module(name="owner", exports=(export,), vermagic=VERMAGIC),
        "user": a_module(name="user", imports=("owned",), depends="owner", vermagic=VERMAGIC),
        "tiny": a_parameter_module(vermagic=VERMAGIC),
    }
    root = a_root(tmp_path / "root", modules)
    assert lkm("depmod", "-b", str(root), RELEASE).status == 0
    assert lkm("sandbox", "boot", "--root", str(root)).status == 0
    return root / "lib/modules" / RELEASE / "kernel"


def loaded() -> list[tuple[str, str, int | None]]:
    return [(each.name, each.state, each.refcnt) for each in Sandbox().modules()]


def test_insmod_fails_as_init_is_said_to(folder: Path) -> None:
    ran = lkm(*ON, "insmod", "--init-returns", "-19", str(folder / "owner.ko"))

    assert ran.status == 1
    assert f"could not insert module {folder}/owner.ko: No such device\n" in ran.err
    assert loaded() == []


@pytest.mark.usefixtures("folder")
def test_modprobes_answer_is_for_the_module_asked_for_alone() -> None:
    ran = lkm(*ON, "modprobe", "--init-returns=-5", "user")

    assert ran.status == 1
    assert "could not insert 'user': Input/output error" in ran.err
    assert loaded() == [("owner", "live", 0)], "its dependency came to be"


def test_an_init_that_never_returns_can_be_finished(folder: Path) -> None:
    ran = lkm(*ON, "insmod", "--init-returns", "never", str(folder / "owner.ko"))
    coming = loaded()
    ended = lkm("sandbox", "finish", "owner")

    assert (ran.status, coming) == (0, [("owner", "coming", 1)])
    assert "lkm sandbox finish owner" in ran.err
    assert (ended.out, loaded()) == ("owner is live\n", [("owner", "live", 0)])


def test_finish_takes_a_negative_number_as_what_it_is(folder: Path) -> None:
    lkm(*ON, "insmod", "--init-returns", "never", str(folder / "owner.ko"))

    ran = lkm("sandbox", "finish", "owner", "-19")

    assert (ran.status, ran.out, loaded()) == (0, "owner is gone\n", [])


def test_what_is_in_transit_is_said_in_kmods_words(folder: Path) -> None:
    file = str(folder / "owner.ko")
    lkm(*ON, "insmod", "--init-returns", "never", file)
    again = lkm(*ON, "insmod", file)
    early = lkm(*ON, "rmmod", "owner")
    lkm("sandbox", "finish", "owner")
    going = lkm(*ON, "rmmod", "--exit-returns", "never", "owner")
    there = loaded()
    twice = lkm(*ON, "rmmod", "owner")
    forced = lkm(*ON, "rmmod", "-f", "owner")
    ended = lkm("sandbox", "finish", "owner")

    assert f"could not insert module {file}: Device or resource busy" in again.err
    assert "Module owner is in use" in early.err
    assert (going.status, there) == (0, [("owner", "going", -1)])
    assert (twice.status, "Module owner is in use" in twice.err) == (1, True)
    assert "lkm sandbox finish owner" in twice.err
    assert "could not remove module owner: Device or resource busy" in forced.err
    assert (ended.out, loaded()) == ("owner is gone\n", [])


@pytest.mark.parametrize(
    "words",
    [
        ("insmod", "--init-returns", "0", "{folder}/owner.ko"),
        (*ON, "insmod", "--init-returns", "x", "{folder}/owner.ko"),
        (*ON, "insmod", "--init-returns", "-4096", "{folder}/owner.ko"),
        (*ON, "modprobe", "--init-returns", "", "owner"),
        ("modprobe", "--init-returns", "-1", "owner"),
        ("rmmod", "--exit-returns", "never", "owner"),
        (*ON, "rmmod", "--exit-returns", "0", "owner"),
    ],
)
def test_what_cannot_be_meant_is_said_and_nothing_done(
    folder: Path, words: tuple[str, ...]
) -> None:
    ran = lkm(*[word.format(folder=folder) for word in words])

    assert ran.status == 1
    assert "returns" in ran.err
    assert loaded() == []


def test_hold_and_release_count(folder: Path) -> None:
    lkm(*ON, "insmod", str(folder / "owner.ko"))

    held = lkm("sandbox", "hold", "owner")
    busy = lkm(*ON, "rmmod", "owner")
    freed = lkm("sandbox", "release", "owner")
    again = lkm("sandbox", "release", "owner")

    assert (held.out, freed.out) == ("owner has 1 reference\n", "owner has 0 references\n")
    assert "Module owner is in use\n" in busy.err
    assert (again.status, lkm("sandbox", "hold", "nosuch").status) == (1, 1)
    assert lkm(*ON, "rmmod", "owner").status == 0


def test_write_sets_a_parameter_or_says_why_not(folder: Path) -> None:
    lkm(*ON, "insmod", str(folder / "tiny.ko"))
    parameters = "/sys/module/tiny/parameters"

    good = lkm("sandbox", "write", f"{parameters}/num", "-7")
    bad = lkm("sandbox", "write", f"{parameters}/num", "x")
    shut = lkm("sandbox", "write", f"{parameters}/unum", "7")

    assert (good.status, bad.status, shut.status) == (0, 1, 1)
    assert lkm("sandbox", "cat", f"{parameters}/num").out == "-7\n"
    assert "Invalid argument" in bad.err
    assert "Permission denied" in shut.err


def test_what_only_the_modules_code_could_tell_is_status_3(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.loader.parameter_modules import DECLARED

    monkeypatch.setitem(DECLARED, "own", ("my_ops", 0o644, 0))
    (folder / "own.ko").write_bytes(a_parameter_module(vermagic=VERMAGIC))
    lkm(*ON, "insmod", str(folder / "own.ko"))

    ran = lkm("sandbox", "write", "/sys/module/tiny/parameters/own", "1")

    assert ran.status == 3
    assert "code of the module" in ran.err


def test_the_documents_hold_what_is_there_then(folder: Path) -> None:
    lkm(*ON, "insmod", "--init-returns", "never", str(folder / "tiny.ko"))

    finished = validate(lkm("sandbox", "finish", "tiny", "--json").out)
    written = json.loads(
        lkm("sandbox", "write", "/sys/module/tiny/parameters/secret", "1", "--json").out
    )
    removed = lkm(*ON, "rmmod", "--exit-returns", "never", "tiny", "--json").out
    gone = json.loads(lkm("sandbox", "finish", "tiny", "--json").out)

    module = finished["module"]
    assert isinstance(module, dict)
    assert (module["state"], module["refcnt"]) == ("live", 0)
    assert (written["path"].rpartition("/")[2], written["text"]) == ("secret", None)
    assert validate(removed)["removed"] == []
    assert gone["module"] is None


def test_a_record_of_two_lines_is_printed_as_two(folder: Path) -> None:
    lkm(*ON, "insmod", "--init-returns", "5", str(folder / "owner.ko"))

    assert lkm("sandbox", "log").out.endswith(
        "\ndo_init_module: 'owner'->init suspiciously returned 5, it should follow 0/-E "
        "convention\ndo_init_module: loading module anyway...\n"
    )


def test_a_wrong_answer_of_an_init_names_the_option_and_what_it_takes() -> None:
    ran = lkm("--on", "sandbox", "insmod", "--init-returns", "soon", "x.ko")

    assert ran.status == 1
    assert "--init-returns takes a number from -4095 on" in ran.err
    assert "or the word never" in ran.err
