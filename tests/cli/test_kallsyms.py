"""lkm kallsyms, on the sandbox, a snapshot and an image."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lkm.cli.kallsyms import printable_diff, printable_lines
from lkm.kallsyms.diff import compare
from lkm.report.documents.kallsyms import diff_document
from lkm.teaching import RELEASE, teaching_root
from tests.builders.kallsyms import a_kernel
from tests.builders.vmlinux import BASE
from tests.cli.running import lkm
from tests.kallsyms.tables import a_table


@pytest.fixture
def taught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Boot the teaching kernel in a sandbox; return a folder for files."""
    monkeypatch.setenv("LKM_STATE", str(tmp_path / "sandbox"))
    assert lkm("sandbox", "boot", "--root", teaching_root()).status == 0
    return tmp_path


def kallsyms(*words: str) -> tuple[int, list[str], str]:
    ran = lkm("--on", "sandbox", "kallsyms", *words)
    return ran.status, ran.out.splitlines(), ran.err


@pytest.mark.usefixtures("taught")
def test_a_modules_symbols_come_and_go_with_it() -> None:
    assert kallsyms("--module", "fat") == (1, [], "lkm kallsyms: NOTICE: no symbol matches\n")

    lkm("--on", "sandbox", "modprobe", "fat")
    status, lines, _ = kallsyms("--module", "fat")

    assert status == 0
    assert all(line.endswith("\t[fat]") for line in lines)
    assert lines == [
        line
        for line in lkm("sandbox", "cat", "/proc/kallsyms").out.splitlines()
        if line.endswith("[fat]")
    ]


@pytest.mark.usefixtures("taught")
def test_a_pattern_is_matched_against_the_whole_name() -> None:
    status, lines, _ = kallsyms("_printk")
    assert (status, [line.split()[2] for line in lines]) == (0, ["_printk"])
    assert kallsyms("printk_that_is_not_there")[0] == 1
    assert "_printk" in [line.split()[2] for line in kallsyms("*print*")[1]]


@pytest.mark.usefixtures("taught")
def test_an_address_leads_to_the_symbol_it_lies_in() -> None:
    address = int(kallsyms("_printk")[1][0].split()[0], 16)

    assert kallsyms("--address", f"{address:x}") == (0, ["_printk+0x0"], "")
    assert kallsyms("--address", hex(address + 3)) == (0, ["_printk+0x3"], "")
    assert kallsyms("--address", "7fff00000000")[0] == 1
    assert kallsyms("--address", "zzz")[0] == 2


def test_a_snapshot_compares_with_now_and_with_another(taught: Path) -> None:
    before, after = str(taught / "before"), str(taught / "after")
    assert kallsyms("save", before) == (0, [], "")
    assert kallsyms("diff", before)[0] == 0

    lkm("--on", "sandbox", "modprobe", "vfat")
    kallsyms("save", after)
    status, lines, _ = kallsyms("diff", before, after)

    assert status == 1
    assert lines[0].startswith(f"before: {RELEASE}, ")
    came = {line.split()[0] for line in lines if "(came)" in line}
    assert {"[vfat]", "[fat]"} <= came
    assert len([line for line in lines if line.startswith("+ ")]) > 10
    assert kallsyms("diff", before, after, "--counts")[1] == [
        line for line in lines if not line.startswith("+ ")
    ]
    assert kallsyms("diff", after, before)[0] == 1


def test_the_document_of_a_difference_names_modules_and_numbers(taught: Path) -> None:
    before = str(taught / "before")
    kallsyms("save", before)
    lkm("--on", "sandbox", "modprobe", "fat")

    document = json.loads(lkm("--on", "sandbox", "kallsyms", "diff", before, "--json").out)

    (fat,) = document["modules"]
    assert (fat["module"], fat["came"]) == ("fat", True)
    assert fat["counts"]["added"] == len(fat["added"]) > 0


def test_a_copy_of_proc_kallsyms_is_as_good_as_a_snapshot(taught: Path) -> None:
    copy = taught / "copy"
    copy.write_text(lkm("sandbox", "cat", "/proc/kallsyms").out)

    assert kallsyms("diff", str(copy))[0] == 0


def test_a_file_that_is_neither_is_an_error(taught: Path) -> None:
    wrong = taught / "wrong"
    wrong.write_bytes(b"\x7fELF" + bytes(100))

    status, lines, err = kallsyms("diff", str(wrong))

    assert (status, lines) == (3, [])
    assert str(wrong) in err
    assert len(err.splitlines()) == 1
    assert kallsyms("diff", str(taught / "missing"))[0] == 3


@pytest.mark.debian
def test_an_images_symbols_are_found_without_running_it(
    debian_root: Path, debian_release: str
) -> None:
    words = ("kallsyms", "vfs_read", "--json", "--root", str(debian_root))
    by_release = json.loads(lkm(*words, "--release", debian_release).out)
    image = str(debian_root / "boot" / f"vmlinuz-{debian_release}")
    by_image = json.loads(lkm("kallsyms", "vfs_read", "--json", "--kernel", image).out)

    (symbol,) = by_release["symbols"]
    assert (symbol["type"], symbol["module"]) == ("T", None)
    assert by_image["symbols"] == by_release["symbols"]
    assert by_image["release"] == debian_release


@pytest.mark.debian
def test_kconfig_tells_what_debian_chose(debian_root: Path, debian_release: str) -> None:
    words = ("kconfig", "--root", str(debian_root), "--release", debian_release)
    document = json.loads(lkm(*words, "--json").out)

    values = {option["name"]: option["value"] for option in document["options"]}
    assert values["MODULES"] == "y"
    assert values["MODULE_SIG_FORCE"] == "n"
    assert values["MODULE_SIG_HASH"] == "sha256"
    text = lkm(*words).out.splitlines()
    assert "MODULE_SIG_FORCE: is not set" in text
    assert document["source"].endswith(f"config-{debian_release}")


def test_kconfig_without_any_source_cannot_tell(tmp_path: Path) -> None:
    tree = tmp_path / "lib/modules/6.9.9/kernel"
    tree.mkdir(parents=True)

    ran = lkm("kconfig", "--root", str(tmp_path), "--release", "6.9.9")

    assert (ran.status, ran.out) == (3, "")
    assert "6.9.9 has neither" in ran.err


@pytest.mark.parametrize(
    "words",
    [
        ("vfs_*", "--counts"),
        ("vfs_*", "--fold-llvm"),
        ("save", "FILE", "--counts"),
        ("save", "FILE", "--module", "fat"),
        ("save", "FILE", "--address", "0"),
        ("save", "-"),
        ("diff", "FILE", "--module", "fat"),
        ("diff", "FILE", "FILE", "--vmlinux", "FILE"),
        ("diff", "FILE", "FILE", "--kernel", "6.1"),
        ("diff", "FILE", "FILE", "--release", "6.1"),
        ("--address", "81000000", "--module", "fat"),
        ("--address", "81000000", "vfs_*"),
    ],
)
def test_options_that_would_change_nothing_are_refused(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    ran = lkm("kallsyms", *words)

    assert (ran.status, ran.out) == (2, "")
    assert list(tmp_path.iterdir()) == []


def test_a_genuine_zero_is_shown_as_an_address() -> None:
    before = a_table("81000000 T a", "81000010 t gone")
    after = a_table("81000000 T a", "0 A cpu")

    assert printable_lines(after.find("cpu")) == f"{0:016x} A cpu\n"
    diff = compare(before, after)
    assert f"+ {0:016x} A cpu\n" in printable_diff(diff, lists=True)
    document = json.dumps(diff_document(diff, lists=True))
    assert f'"address": "0x{0:016x}"' in document


def test_the_addresses_of_a_hidden_side_are_left_out() -> None:
    shown, hidden = a_table("81000000 T a"), a_table("0 t a", "0 T b")
    text = printable_diff(compare(shown, hidden), lists=True)

    assert f"+ {'?' * 16} T b\n" in text
    assert f"~ {'?' * 16} T -> t a\n" in text
    back = printable_diff(compare(hidden, shown), lists=True)
    assert f"- {'?' * 16} T b\n" in back
    assert "~ ffffffff81000000 t -> T a\n" in back


def test_an_image_needs_no_tree(tmp_path: Path) -> None:
    image = tmp_path / "boot/vmlinuz-6.9.9"
    image.parent.mkdir()
    image.write_bytes(a_kernel(((BASE, "T", "_text"), (BASE + 64, "t", "helper"))))

    ran = lkm("kallsyms", "helper", "--root", str(tmp_path), "--release", "6.9.9")

    assert (ran.status, ran.out) == (0, f"{BASE + 64:x} t helper\n")
    missing = lkm("kallsyms", "--root", str(tmp_path), "--release", "6.0")
    assert (missing.status, missing.out) == (2, "")
    assert "6.0 has no image" in missing.err
