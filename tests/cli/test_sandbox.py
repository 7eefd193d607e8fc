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
    assert shown["options"].startswith("forced load allowed; unloading allowed")
    assert (shown["loading"], shown["lockdown"]) == ("allowed", "none")
    assert shown["signatures"] == "looked at, not enforced"
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
    assert shown["in doubt"].startswith("base (")
    assert {each["module"] for each in document["doubts"]} == {"base"}
    assert "signature" in {each["check"] for each in document["doubts"]}


def test_status_tells_what_is_in_force(known_root: Path, tmp_path: Path) -> None:
    words = ("sandbox", "boot", "--root", str(known_root), "--vmlinux", str(tmp_path / "facts"))

    shown = rows(lkm(*words, "--append", "nomodule module.sig_enforce=1 lockdown=integrity"))
    document = json.loads(lkm("sandbox", "status", "--json").out)
    plain = json.loads(lkm(*words, "--json").out)

    assert shown["loading"] == "disabled: nomodule is on its command line"
    assert shown["signatures"] == "enforced: module.sig_enforce is on its command line"
    assert shown["lockdown"] == "lockdown= is on its command line"
    keys = ("modules_disabled", "signatures_enforced", "locked_down")
    assert [document[key] for key in keys] == [True] * 3
    assert [plain[key] for key in keys] == [False] * 3


def test_no_line_of_status_but_paths_is_longer_than_a_screen(known_root: Path) -> None:
    ran = lkm("sandbox", "boot", "--root", str(known_root))

    lines = [line for line in ran.out.splitlines() if "/" not in line]
    assert max(map(len, lines)) <= 100


def test_a_word_that_the_kernel_does_not_take_is_told(known_root: Path) -> None:
    words = ("sandbox", "boot", "--root", str(known_root), "--append")

    ran = lkm(*words, "lockdown=bogus module.sig_enforce=maybe module.sig_enforce=1")

    assert [line.partition(": the kernel")[0] for line in ran.err.splitlines()] == [
        "lkm sandbox: NOTICE: lockdown=bogus",
        "lkm sandbox: NOTICE: module.sig_enforce=maybe",
    ]


def test_where_no_kernel_is_the_one_that_comes_with_lkm_is_named() -> None:
    ran = lkm("sandbox", "boot", "--root", "/nosuch")

    assert ran.status == 3
    assert "lkm sandbox boot --teaching" in ran.err


def test_a_folder_can_be_told_from_a_file() -> None:
    lkm("sandbox", "boot", "--teaching")

    folder = json.loads(lkm("sandbox", "cat", "/proc", "--json").out)
    file = json.loads(lkm("sandbox", "cat", "/proc/modules", "--json").out)
    slash = lkm("sandbox", "cat", "/proc/modules/")

    assert folder["kind"] == "folder"
    assert "modules" in folder["entries"]
    assert (file["kind"], file["entries"]) == ("file", None)
    assert slash.status == 1
    assert "Not a directory" in slash.err


def test_an_error_names_the_check_and_its_evidence_in_the_document(known_root: Path) -> None:
    lkm("sandbox", "boot", "--root", str(known_root), "--append", "module_blacklist=base")
    (file,) = known_root.rglob("base.ko")

    ran = lkm("--on", "sandbox", "insmod", "--json", str(file))

    error = json.loads(ran.out)["error"]
    assert (error["check"], error["errno"], error["could_not_tell"]) == (
        "module-blacklist",
        1,
        False,
    )
    assert "names base" in error["evidence"]
    assert "boot without base in module_blacklist= (module-blacklist)" in ran.err


def test_the_sandbox_says_that_it_takes_no_other_kernel() -> None:
    ran = lkm("--on", "sandbox", "sandbox", "status")

    assert (ran.status, ran.err) == (2, "lkm sandbox: lkm sandbox takes no --on\n")


def test_hidden_addresses_are_explained() -> None:
    lkm("sandbox", "boot", "--teaching")
    lkm("--on", "sandbox", "modprobe", "fat")
    lkm("sandbox", "write", "/proc/sys/kernel/kptr_restrict", "2")

    ran = lkm("kallsyms", "--on", "sandbox", "--module", "fat")

    assert "kptr_restrict is 2" in ran.err


def test_a_file_without_a_certificate_or_exports_is_told_before_an_image_is_read(
    known_root: Path, tmp_path: Path
) -> None:
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n")
    (tmp_path / "symvers").write_bytes(b"\0garbage\n")
    image = ("--release", RELEASE, "--vmlinux", "/nowhere")
    words = ("sandbox", "boot", "--root", str(known_root), *image)

    key = lkm(*words, "--certificate", str(tmp_path / "key.pem"))
    symvers = lkm(*words, "--symvers", str(tmp_path / "symvers"))

    assert key.status == symvers.status == 3
    assert "holds no certificate (it begins BEGIN PRIVATE KEY)" in key.err
    assert "symvers" in symvers.err
    assert "/nowhere" not in key.err + symvers.err


def test_what_cannot_be_told_has_the_keys_of_an_error(known_root: Path) -> None:
    lkm("sandbox", "boot", "--root", str(known_root), "--append", "module.sig_enforce=1")
    (file,) = known_root.rglob("base.ko")

    ran = lkm("--on", "sandbox", "insmod", "--json", str(file))

    error = json.loads(ran.out)["error"]
    assert (error["kind"], error["could_not_tell"]) == ("CannotTellError", True)
    assert (error["errno"], error["log"], error["check"]) == (None, [], "signature")
    assert error["message"].startswith("cannot tell whether base loads: ")


def test_the_lesson_says_at_once_that_a_tree_has_no_indexes(known_root: Path) -> None:
    for file in known_root.rglob("modules.*.bin"):
        file.unlink()

    ran = lkm("tour", "--root", str(known_root))

    assert ran.status == 3
    assert "lkm depmod -b" in ran.err
