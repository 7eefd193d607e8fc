"""The lesson, told on the kernel in the package and on a real one; and told where it is not so."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from lkm.teaching import RELEASE, teaching_root
from lkm.tour.basics import BASICS
from lkm.tour.events import Ran, Scene, Step, Tell, Telling, Verify
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

    assert ran.status == 1
    assert "[y/N]" in ran.out
    assert "$ lkm" not in ran.out


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
)


def one_step(scene: Scene) -> Telling:
    yield Tell("Look at\nthis.")
    ran = yield scene.lkm("lsmod")
    yield Verify("it holds", ran.lists("fat"))
    yield Verify("it does not", ran.lists("ext4"))


def told(*, colour: bool) -> tuple[str, list[bool]]:
    import io

    out = io.StringIO()
    runner_words: list[tuple[str, ...]] = []

    def runner(words: tuple[str, ...]) -> Ran:
        runner_words.append(words)
        return Ran(0, "Module\n" + "fat 1\n" * 40, "a warning\n")

    steps = (Step("One", one_step),)
    checked = tell(steps, SCENE, runner, out, Style(colour=colour), pause=lambda: None)
    assert runner_words == [("--on", "sandbox", "lsmod")]
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
