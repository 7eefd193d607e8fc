"""The lesson, told on the kernel in the package and on a real one; and told where it is not so."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lkm.teaching import RELEASE, teaching_root
from lkm.tour.basics import BASICS
from lkm.tour.events import Ran, Run, Scene, Step, Tell, Telling, Verify
from lkm.tour.loading import LOADING
from lkm.tour.telling import Style, summary, tell
from tests.cli.running import lkm


def test_every_claim_holds_on_the_kernel_in_the_package() -> None:
    ran = lkm("tour")

    assert (ran.status, ran.err) == (0, "")
    claims = ran.out.count("  ok  ")
    assert claims > 30
    assert "  NOT " not in ran.out
    for name in ("btrfs", "libcrc32c", "zlib_deflate"):
        assert f"rmmod {name}" in ran.out
    assert "vfat: Unknown symbol fat_" in ran.out
    for step in (*BASICS, *LOADING):
        assert step.title in ran.out


def test_the_users_own_sandbox_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LKM_STATE", str(tmp_path / "mine"))
    before = sorted(os.listdir(tmp_path))

    lkm("tour", "--json")

    assert sorted(os.listdir(tmp_path)) == before
    assert os.environ["LKM_STATE"] == str(tmp_path / "mine")


def test_as_a_document_it_lists_every_claim() -> None:
    document = json.loads(lkm("tour", "--json").out)

    assert (document["schema"], document["release"]) == ("lkm.tour/1", RELEASE)
    assert len(document["claims"]) > 30
    assert all(claim["holds"] for claim in document["claims"])


@pytest.fixture
def a_copy(tmp_path: Path) -> Path:
    """Return a copy of the teaching kernel's root."""
    return Path(shutil.copytree(teaching_root(), tmp_path / "root"))


def test_with_an_export_missing_the_step_that_needs_it_fails(a_copy: Path) -> None:
    # The symbol is there no longer under the name that btrfs asks for.
    (file,) = a_copy.rglob("libcrc32c.ko")
    data = file.read_bytes()
    assert data.count(b"\0crc32c\0")
    file.write_bytes(data.replace(b"\0crc32c\0", b"\0crc32d\0"))

    ran = lkm("tour", "--root", str(a_copy), "--json")

    assert ran.status == 1
    failed = {claim["step"] for claim in json.loads(ran.out)["claims"] if not claim["holds"]}
    assert failed == {"Loading, and what it drags in", "The exercise"}


def test_a_kernel_without_the_lessons_modules_is_refused(a_copy: Path) -> None:
    index = a_copy / "lib/modules" / RELEASE
    for path in index.rglob("*vfat*"):
        path.unlink()
    lkm("depmod", "-b", str(a_copy), RELEASE)

    ran = lkm("tour", "--root", str(a_copy))

    assert ran.status == 2
    assert "vfat" in ran.err


def test_the_running_kernel_is_not_touched_without_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull, encoding="utf-8") as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        ran = lkm("tour", "--on", "live")

    assert "$ lkm" not in ran.out
    if Path("/proc/modules").exists():
        assert ran.status == 1
        assert "[y/N]" in ran.out
    else:
        assert ran.status == 3
        assert "no support for loadable modules" in ran.err


def test_a_document_needs_no_reader_and_asks_nobody() -> None:
    for words in (("--step",), ("--on", "live")):
        ran = lkm("tour", "--json", *words)
        assert ran.status == 2
        assert json.loads(ran.out)["schema"] == "lkm.error/1"


def a_tour_in_steps(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "lkm", "tour", "--step"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    )


@pytest.mark.parametrize(("number", "status"), [(2, 130), (15, 143), (1, 129)])
@pytest.mark.parametrize("pages", [0, 1, 7])
def test_a_signal_ends_it_at_once_and_leaves_nothing(
    tmp_path: Path, number: int, status: int, pages: int
) -> None:
    with a_tour_in_steps(tmp_path) as telling:
        assert telling.stdin is not None
        assert telling.stdout is not None
        assert telling.stdout.readline().startswith("Loadable kernel modules")
        telling.stdin.write("\n" * pages)  # the last page may be under way, or done
        telling.stdin.flush()
        telling.send_signal(number)
        out, err = telling.communicate(timeout=60)

    assert telling.returncode == status, err
    assert err == ""
    assert "What was verified" not in out
    assert os.listdir(tmp_path) == []


def test_in_steps_it_waits_after_each_part(tmp_path: Path) -> None:
    with a_tour_in_steps(tmp_path) as telling:
        out, _err = telling.communicate("\n" * 20, timeout=60)

    assert telling.returncode == 0
    assert out.count("[Enter]") == len(BASICS) + len(LOADING) - 1


# What is broken, and the claims that must then fail, and no others.
def _drop_modules_dep(root: Path) -> None:
    (root / "lib/modules" / RELEASE / "modules.dep").unlink()


# A module that was changed under its signature loads nowhere.
OF_VFAT = frozenset(
    {
        "insmod cannot load vfat alone: it needs unknown symbols",
        "fat, then vfat: both load",
        "vfat has put symbols into the table",
        "rmmod refuses what is in use",
        "vfat, then fat: both go",
    }
)


def _rename_the_description(root: Path) -> None:
    (file,) = root.rglob("vfat.ko")
    file.write_bytes(file.read_bytes().replace(b"description=VFAT", b"description=QQQQ"))


def _say_that_nothing_unloads(root: Path) -> None:
    config = root / "boot" / f"config-{RELEASE}"
    text = config.read_text()
    assert "CONFIG_MODULE_UNLOAD=y" in text
    config.write_text(text.replace("CONFIG_MODULE_UNLOAD=y", "# CONFIG_MODULE_UNLOAD is not set"))


@pytest.mark.parametrize(
    ("break_it", "claims"),
    [
        (
            _drop_modules_dep,
            {"its modules and their indexes are there", "modules.dep names what btrfs needs"},
        ),
        (_rename_the_description, {"vfat describes itself", *OF_VFAT}),
        (_say_that_nothing_unloads, {"and lets them be removed again"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_broken_makes_just_those_claims_fail_that_tell_of_it(
    a_copy: Path, break_it: Callable[[Path], None], claims: set[str]
) -> None:
    break_it(a_copy)

    document = json.loads(lkm("tour", "--root", str(a_copy), "--json").out)

    failed = {claim["claim"] for claim in document["claims"] if not claim["holds"]}
    assert failed == claims


@pytest.mark.debian
@pytest.mark.oracle
def test_every_claim_holds_on_debians_kernel(indexed_root: Path, debian_release: str) -> None:
    ran = lkm("tour", "--root", str(indexed_root), "--release", debian_release, "--json")

    claims = json.loads(ran.out)["claims"]
    assert [claim for claim in claims if not claim["holds"]] == []
    assert ran.status == 0
    assert len(claims) > 30


SCENE = Scene(
    on="sandbox",
    root="/r",
    release="6.1",
    directory="/r/lib/modules/6.1",
    dependencies=(),
    vfat_path="/v",
    fat_path="/f",
    folder="/tmp",
    count=2,
    kinds=(),
    lone="dummy",
)


def one_step(scene: Scene) -> Telling:
    yield Tell("Look at\nthis.")
    ran = yield scene.lkm("lsmod")
    yield Verify("it holds", ran.lists("fat"))
    yield Verify("it does not", ran.lists("ext4"))


def told(*, colour: bool) -> tuple[str, list[bool]]:
    import io

    out = io.StringIO()
    commands: list[Run] = []

    def runner(command: Run) -> Ran:
        commands.append(command)
        return Ran(0, "Module\n" + "fat 1\n" * 40, "a warning\n")

    steps = (Step("One", one_step),)
    checked = tell(steps, SCENE, runner, out, Style(colour=colour), pause=lambda: None)
    assert [command.words for command in commands] == [("--on", "sandbox", "lsmod")]
    return out.getvalue() + summary(checked, Style(colour=colour)), [one.holds for one in checked]


def test_a_claim_that_does_not_hold_is_marked_and_counted() -> None:
    text, holds = told(colour=False)

    assert holds == [True, False]
    assert "  ok  it holds\n" in text
    assert "  NOT it does not\n" in text
    assert "failed: One: it does not" in text
    assert text.endswith("1 of 2 claims hold.\n")


def test_long_output_is_cut_and_that_is_said() -> None:
    text, _holds = told(colour=False)

    assert text.count("fat 1\n") == 23
    assert "... and 17 more lines" in text
    assert "a warning" in text


def test_colour_is_used_only_where_it_is_asked_for() -> None:
    assert "\x1b[" in told(colour=True)[0]
    assert "\x1b[" not in told(colour=False)[0]
