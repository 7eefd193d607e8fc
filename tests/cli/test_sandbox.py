"""lkm sandbox: boot with an image, without one, and the teaching kernel."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lkm.teaching import RELEASE as TEACHING
from tests.cli.running import Ran, lkm
from tests.kernel.images import saved_facts
from tests.kernel.trees import RELEASE, a_root


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LKM_STATE", str(tmp_path / "state"))


@pytest.fixture
def known_root(tmp_path: Path) -> Path:
    root = a_root(tmp_path / "root")
    (tmp_path / "facts").write_bytes(saved_facts())
    return root


def rows(ran: Ran) -> dict[str, str]:
    assert ran.status == 0, ran.err
    return {
        name: value.strip()
        for name, _colon, value in (line.partition(":") for line in ran.out.splitlines())
    }


def test_boot_tells_where_what_it_knows_comes_from(known_root: Path, tmp_path: Path) -> None:
    facts = str(tmp_path / "facts")

    shown = rows(lkm("sandbox", "boot", "--root", str(known_root), "--vmlinux", facts))

    assert (shown["release"], shown["image"]) == (RELEASE, facts)
    assert shown["vermagic"].endswith("(the image's)")
    assert shown["exports"] == f"4, from {facts}"
    assert shown["options"].startswith("MODULES MODULE_UNLOAD")
    assert "; off: MODULE_SIG_FORCE LOCK_DOWN_" in shown["options"]
    assert "assumed" not in shown
    assert "not known" not in shown


def test_without_an_image_what_is_assumed_is_named(known_root: Path) -> None:
    shown = rows(lkm("sandbox", "boot", "--root", str(known_root)))

    assert shown["image"] == "none read"
    assert shown["vermagic"].endswith("(that of most of its modules)")
    assert "assumed" in shown["exports"]
    assert shown["assumed"].startswith("MODULE_FORCE_LOAD, ")
    assert shown["not known"] == "image: there is no kernel image beside its modules"


def test_the_json_document_says_the_same(known_root: Path) -> None:
    lkm("sandbox", "boot", "--root", str(known_root))

    document = json.loads(lkm("sandbox", "status", "--json").out)

    assert document["image"] is None
    assert document["vermagic_assumed"] is True
    assert document["options"]["MODULE_UNLOAD"] is True
    assert "MODULE_FORCE_LOAD" in document["options_assumed"]
    assert len(document["not_known"]) == 1


def test_an_image_of_another_release_is_wrong_usage(known_root: Path, tmp_path: Path) -> None:
    (tmp_path / "facts").write_bytes(saved_facts(release="9.9.9"))
    words = ("--root", str(known_root), "--vmlinux", str(tmp_path / "facts"))

    ran = lkm("sandbox", "boot", "--release", RELEASE, *words)

    assert ran.status == 2
    assert "9.9.9" in ran.err


def test_the_teaching_kernel_can_be_asked_for(known_root: Path) -> None:
    lkm("sandbox", "boot", "--root", str(known_root))

    shown = rows(lkm("sandbox", "boot", "--teaching"))
    both = lkm("sandbox", "boot", "--teaching", "--release", RELEASE)

    assert shown["release"] == TEACHING
    assert both.status == 2


def test_status_of_a_sandbox_that_was_never_booted_boots_and_says_so() -> None:
    first = lkm("sandbox", "status")
    second = lkm("sandbox", "cat", "/proc/sys/kernel/osrelease")

    assert rows(first)["release"] == TEACHING
    assert "NOTICE: no kernel was booted" in first.err
    assert (second.out, second.err) == (f"{TEACHING}\n", "")


def test_symbols_come_and_go_with_modprobe() -> None:
    lkm("sandbox", "boot", "--teaching")
    assert lkm("--on", "sandbox", "modprobe", "vfat").status == 0
    assert "\t[vfat]\n" in lkm("sandbox", "cat", "/proc/kallsyms").out
    assert lkm("--on", "sandbox", "modprobe", "-r", "vfat").status == 0
    assert "\t[vfat]\n" not in lkm("sandbox", "cat", "/proc/kallsyms").out


def test_status_names_the_modules_in_doubt(known_root: Path) -> None:
    lkm("sandbox", "boot", "--root", str(known_root))  # without an image nobody knows its keys
    (file,) = known_root.rglob("base.ko")

    loaded = lkm("--on", "sandbox", "insmod", str(file))
    shown = rows(lkm("sandbox", "status"))
    document = json.loads(lkm("sandbox", "status", "--json").out)

    assert "NOTICE: could not tell (signature)" in loaded.err
    assert shown["in doubt"].startswith("base (signature): ")
    assert [each["module"] for each in document["doubts"]] == ["base"]
