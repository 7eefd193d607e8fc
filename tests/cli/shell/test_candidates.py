"""What is offered at the cursor, asked as a shell asks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lkm.cli.definitions import definition
from lkm.cli.main import DROP_INS, VERBS
from lkm.cli.shell.bash_line import cut_at_break, words_at
from lkm.cli.shell.kinds import KINDS
from lkm.cli.shell.offer import spelled
from lkm.errors import NotBootedError
from lkm.kernel.sandbox import Sandbox
from tests.builders.tree import RELEASE
from tests.cli.running import lkm

# Words of which nothing can be known.
FREE = {"A", "ACTION", "ARGS", "CHARACTER", "MIB", "MODALIAS", "MSEC", "N", "NAME", "SECONDS"}
FREE |= {"SYMBOL", "TEXT", "VALUE", "WORD"}


def offered(*words: str, env: dict[str, str] | None = None) -> list[str]:
    """Return what the last of *words* can be."""
    ran = lkm("complete", "zsh", str(len(words) - 1), *words, env=env)
    assert (ran.status, ran.err) == (0, "")
    return [line.partition("\t")[0] for line in ran.out.splitlines()]


def tree(root: Path) -> tuple[str, ...]:
    return ("-d", str(root), "-S", RELEASE)


def test_every_word_of_a_usage_has_a_kind() -> None:
    commands = [definition(name) for name in ("lkm", *DROP_INS, *VERBS)]
    commands += [action for command in commands for action in command.actions]
    kinds = {
        kind.removesuffix("...")
        for command in commands
        for kind in (
            *command.words,
            *[option.argument for option in command.options if option.argument],
            *[word for option in command.options for word in option.words or ()],
        )
    }

    unknown = {kind for kind in kinds if not kind.startswith("{")} - KINDS.keys() - FREE
    assert not unknown


def test_what_was_typed_stays_and_the_rest_is_spelled_alike() -> None:
    names = ["snd-hda-intel", "snd_mixed-up", "loop"]

    assert spelled(names, "snd") == ["snd-hda-intel", "snd_mixed-up"]
    assert spelled(names, "snd_") == ["snd_hda_intel", "snd_mixed_up"]
    assert spelled(names, "snd-h") == ["snd-hda-intel"]
    assert spelled(names, "snd_mixed-") == ["snd_mixed-up"]


def test_modprobe_is_offered_modules_and_then_parameters(root: Path) -> None:
    assert offered("modprobe", *tree(root), "") == ["fat", "lone", "nls-test", "vfat"]
    assert offered("modprobe", *tree(root), "vfat", "") == ["debug="]
    assert offered("modprobe", *tree(root), "vfat", "debug=") == ["debug=Y", "debug=N"]
    assert offered("modprobe", *tree(root), "vfat", "debug=1", "") == []
    assert offered("modprobe", *tree(root), "-a", "vfat", "f") == ["fat"]
    # --al means --all, and --all counts wherever it stands.
    assert offered("modprobe", *tree(root), "vfat", "--al", "f") == ["fat"]


def test_what_modprobe_options_says_counts(root: Path) -> None:
    env = {"MODPROBE_OPTIONS": " ".join(tree(root))}

    assert offered("modprobe", "lo", env=env) == ["lone"]


def test_modinfo_knows_built_in_modules_and_files_here(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "ext9.ko").touch()
    (root / "ext9.txt").touch()
    monkeypatch.chdir(root)

    found = offered("modinfo", "-b", str(root), "-k", RELEASE, "ext")

    assert found == ["ext-two", "ext9.ko"]


def test_a_tree_without_indexes_is_known_by_its_files(root: Path) -> None:
    for index in (root / "lib/modules" / RELEASE).glob("modules.*"):
        index.unlink()

    assert offered("modprobe", *tree(root), "") == ["fat", "lone", "nls-test", "vfat"]
    assert offered("modprobe", *tree(root), "vfat", "d") == ["debug="]


def test_fields_are_those_of_the_module_or_the_common_ones(root: Path) -> None:
    of_this = offered("modinfo", "-b", str(root), "-k", RELEASE, "vfat", "-F", "")
    assert {"filename", "alias", "firmware", "parm"} <= set(of_this)
    assert "vermagic" in offered("modinfo", "-F", "v")
    assert {"build-id", "file", "staging"} <= set(offered("modinfo", "-F", ""))
    assert offered("modinfo", "--fie=verm") == ["--fie=vermagic"]
    assert "firmware" not in offered("modinfo", "-b", str(root), "-k", RELEASE, "lone", "-F", "")


def test_an_argument_may_stand_in_the_options_word(root: Path) -> None:
    start = f"-d{root}"

    assert offered("modprobe", start, "-S6") == [f"-S{RELEASE}"]
    assert offered("modprobe", f"--dirname={root}/li") == [f"--dirname={root}/lib/"]
    assert offered("modprobe", start, "-vS", "6") == [RELEASE]
    assert offered("modprobe", start, f"--set-v={RELEASE[:3]}") == [f"--set-v={RELEASE}"]


def test_own_options_are_not_offered_for_kmods_own_tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "modprobe"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert offered("modprobe", "--j") == []
    assert offered("modprobe", "--dry") == ["--dry-run"]
    assert offered("lkm", "modprobe", "--j") == ["--json"]


def test_old_names_of_options_are_not_offered() -> None:
    assert offered("lkm", "modprobe", "--re") == ["--remove", "--remove-holders"]


def test_asking_boots_no_sandbox() -> None:
    assert "btrfs" in offered("lkm", "--on", "sandbox", "modprobe", "")
    assert offered("lkm", "rmmod", "--on", "sandbox", "") == []
    with pytest.raises(NotBootedError):
        Sandbox().status()


def test_the_kernel_may_stand_before_the_command(sandbox: Path) -> None:
    assert lkm("--on", "sandbox", "modprobe", "vfat").status == 0

    assert offered("lkm", "--on", "sandbox", "rmmod", "") == ["fat", "nls_test", "vfat"]
    assert offered("lkm", "--on", "sandbox", "rmmod", "vfat", "nls-") == ["nls-test"]
    assert offered("lkm", "--on", "sandbox", "rmmod", "vfat", "v") == []
    assert offered("lkm", "kallsyms", "--on", "sandbox", "--module", "f") == ["fat"]
    assert sandbox.is_dir()


def test_verbs_are_completed_from_their_parsers(root: Path) -> None:
    assert offered("lkm", "find", "--root", str(root), "va") == []
    assert offered("lkm", "find", "--root", str(root), "vf") == ["vfat"]
    assert offered("lkm", "kernels", "--on", "") == ["live", "sandbox"]
    assert offered("lkm", "sandbox", "boot", "--tea") == ["--teaching"]
    assert offered("lkm", "man", "install") == ["install-links"]
    assert offered("lkm", "schema", "lkm.lsm") == ["lkm.lsmod/1"]
    assert offered("lkm", "schema", "lsm") == ["lsmod/1"]
    assert not [each for each in offered("lkm", "schema", "") if not each.startswith("lkm.")]


def test_lab_is_offered_its_action_its_options_and_the_command_behind_them(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = ("lkm", "lab", "--root", str(root))
    monkeypatch.chdir(root)

    assert offered("lkm", "lab", "") == ["get"]
    assert offered("lkm", "lab", "get", "deb") == ["debian:6.1", "debian:6.12"]
    assert offered("lkm", "lab", "get", "--u") == ["--update"]
    assert offered("lkm", "lab", "--arch", "a") == ["arm64"]
    assert offered(*lab, "--release", "") == [RELEASE]
    assert offered(*lab, "--each", f"{RELEASE},6") == []
    assert offered(*lab, "--each", "9.9,6") == [f"9.9,{RELEASE}"]
    assert offered(*lab, "--modules", "vfat", "lo") == ["lone"]
    assert offered(*lab, "--copy", "li") == ["lib/"]
    assert offered(*lab, "") == ["--"]
    assert offered(*lab, "--memory", "") == []
    assert offered(*lab, "x") == []
    assert {"lkm", "lsmod", "modprobe"} < set(offered(*lab, "--", ""))
    assert offered(*lab, "--", "insm") == ["insmod"]
    assert offered(*lab, "--", "modprobe", "vf") == ["vfat"]
    assert offered(*lab, "--", "modprobe", "--js") == ["--json"]
    assert offered(*lab, "--", "lkm", "kcon") == ["kconfig"]
    assert offered(*lab, "--", "insmod", "li") == ["lib/"]
    assert offered(*lab, "--", "get") == []
    assert offered("lkm", "--on", "la") == ["lab"]


def test_nothing_is_loaded_in_a_guest_that_has_not_started() -> None:
    assert offered("lkm", "--on", "lab", "rmmod", "") == []


WRONG: tuple[tuple[str, ...], ...] = (
    (),
    ("bash",),
    ("bash", "x", "lkm ", ":"),
    ("zsh", "7", "lkm"),
    ("zsh", "0"),
    ("zsh", "3", "modprobe", "-d", "/nowhere", ""),
    ("fish", "2", "insmod", "/dev/null", "x"),
    ("zsh", "2", "lkm", "modinfo", "\udcff"),
)


@pytest.mark.parametrize("words", WRONG)
def test_whatever_goes_wrong_nothing_is_said(words: tuple[str, ...]) -> None:
    ran = lkm("complete", *words)

    assert (ran.status, ran.out, ran.err) == (0, "", "")


def test_a_damaged_module_has_no_parameters(root: Path) -> None:
    (root / "lib/modules" / RELEASE / "kernel/fs/fat/vfat.ko").write_bytes(b"\x7fELF\2\1")

    assert offered("modprobe", *tree(root), "vfat", "") == []


def test_a_file_whose_name_no_line_can_hold_is_left_out(tmp_path: Path) -> None:
    for name in (b"good.ko", b"bad\n.ko", b"stray\xff.ko"):
        os.close(os.open(os.fsencode(tmp_path) + b"/" + name, os.O_CREAT))

    assert offered("insmod", f"{tmp_path}/") == [f"{tmp_path}/good.ko"]


LINES = {
    "lkm mod|": (["lkm", "mod"], 1),
    "lkm |": (["lkm", ""], 1),
    "lkm m| x": (["lkm", "m", "x"], 1),
    "lkm m|ore x": (["lkm", "m", "x"], 1),
    "lkm | x": (["lkm", "", "x"], 1),
    "insmod a\\ b|": (["insmod", "a b"], 1),
    "insmod a\\ |": (["insmod", "a "], 1),
    "insmod 'a b' \"c d|": (["insmod", "a b", "c d"], 2),
    'insmod "a\'\\"|': (["insmod", "a'\""], 1),
    "m --on=|": (["m", "--on="], 1),
}


@pytest.mark.parametrize("line", LINES)
def test_bashs_line_is_cut_into_words(line: str) -> None:
    assert words_at(line.replace("|", ""), line.index("|")) == LINES[line]


def test_bash_keeps_what_stands_before_a_word_break() -> None:
    assert cut_at_break("--on=sand", " =:") == "--on="
    assert cut_at_break("--on=sand", " ") == ""
    assert cut_at_break("a:b=c", "=:") == "a:b="


@pytest.mark.debian
def test_a_real_trees_modules_and_parameters(debian_root: Path, debian_release: str) -> None:
    where = ("-d", str(debian_root), "-S", debian_release)
    files = sum(1 for _ in (debian_root / "lib/modules" / debian_release).rglob("*.ko*"))

    assert offered("modprobe", *where, "loop", "max_") == ["max_part=", "max_loop="]
    assert len(offered("modprobe", *where, "")) == files
    assert "xt-tcpudp" in offered("modprobe", *where, "xt-t")
