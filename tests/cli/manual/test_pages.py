"""The manual pages: complete, sound, and put where man finds them."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lkm.cli.definitions import definition
from lkm.cli.kmod import TOOLS
from lkm.cli.main import DROP_INS, VERBS
from lkm.cli.manual.mdoc import escaped, synopsis
from lkm.cli.manual.page import page, page_file, page_names
from lkm.config import depmod_d, modprobe_d
from lkm.config.directives import Complaint
from tests.cli.running import lkm
from tests.conftest import missing

COMMANDS = ("lkm", *DROP_INS, *VERBS)
# A manual of other people's, which need not be installed here.
FOREIGN = re.compile(r"referenced manual not found: Xr (?!lkm)")


def mandoc(*words: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("mandoc")
    if program is None:
        missing("oracle", "mandoc is not installed")
    assert program is not None
    return subprocess.run([program, *words], capture_output=True, text=True, check=False)


def shown(name: str, tmp_path: Path) -> str:
    """Return the page as a terminal shows it, on one line."""
    file = tmp_path / page_file(name)
    file.write_text(page(name))
    done = mandoc("-Tascii", "-O", "width=200", str(file))
    assert done.returncode == 0
    # Bold is a letter, a backspace and the letter again; underlined is a line and the letter.
    return " ".join(re.sub(".\b", "", done.stdout).split())


@pytest.mark.oracle
def test_the_pages_are_clean_and_refer_to_pages_that_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = lkm("man", "--to", str(tmp_path)).out.splitlines()
    monkeypatch.setenv("MANPATH", str(tmp_path))

    done = mandoc("-Tlint", "-Wstyle", *files)

    complaints = [
        line
        for line in done.stdout.splitlines() + done.stderr.splitlines()
        if "mandoc.db lacks" not in line and not FOREIGN.search(line)
    ]
    assert complaints == []


@pytest.mark.parametrize("name", VERBS)
def test_a_verbs_page_tells_every_exit_status(name: str) -> None:
    status = page(name).partition(".Sh EXIT STATUS\n")[2].partition("\n.Sh")[0]

    assert {"0", "2", "3"} <= set(re.findall(r"\b\d\b", status))


def test_the_page_of_lab_tells_its_action_and_its_own_statuses() -> None:
    source = page("lab")

    assert ".Nm lkm lab get\n" in source
    assert "\n.Ss get SOURCE\n" in source
    told = source.partition(".Ss get")[2]
    assert ".It Fl -update\n" in told
    assert ".It Fl -json\n" in told  # it is no option that the two have in common
    status = source.partition(".Sh EXIT STATUS\n")[2].partition("\n.Sh")[0]
    assert {"2", "124", "125", "126"} <= set(re.findall(r"\b\d+\b", status))


@pytest.mark.parametrize("variable", ["MODPROBE_OPTIONS", "MODPROBE_MODULE", "KMOD_LOG"])
def test_what_modprobe_reads_and_sets_of_the_environment_is_told(variable: str) -> None:
    assert f".It Ev {variable}\n" in page("modprobe")


def test_the_pages_of_the_configuration_tell_its_commands() -> None:
    told = {
        name: re.findall(r"^\.It Ic (\w+)", page(name), re.MULTILINE)
        for name in ("modprobe.d", "depmod.d")
    }

    assert sorted(told["modprobe.d"]) == (
        ["alias", "blacklist", "install", "options", "remove", "softdep", "weakdep"]
    )
    assert sorted(told["depmod.d"]) == ["exclude", "external", "override", "search"]
    for command in told["modprobe.d"]:
        assert not isinstance(modprobe_d.parse(f"{command} a b c\n", "")[0], Complaint)
    for command in told["depmod.d"]:
        assert not isinstance(depmod_d.parse(f"{command} a * c\n", "")[0], Complaint)


@pytest.mark.oracle
@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_stands_in_its_page(name: str, tmp_path: Path) -> None:
    text = shown(name, tmp_path)
    command = definition(name)

    for one in (command, *command.actions):
        for option in one.options:
            forms = [f"-{option.short}"] if option.short else []
            forms += [f"--{each}" for each in option.names]
            argument = option.argument
            if argument.startswith("{"):
                argument = argument.strip("{}").replace(",", " | ")
            assert f"{', '.join(forms)} {argument}".strip() in text
            assert all(f"--{old}" in text for old in option.old)
            assert " ".join(option.help.split())[1:] in text


def test_a_page_has_what_a_page_has() -> None:
    for name in page_names():
        source = page(name)
        headings = [line[4:] for line in source.splitlines() if line.startswith(".Sh ")]

        assert "SEE ALSO" in headings
        if name in COMMANDS:
            assert headings[:3] == ["NAME", "SYNOPSIS", "DESCRIPTION"]
            assert "EXIT STATUS" in headings
        else:
            assert headings[:3] == ["NAME", "DESCRIPTION", "FILES"]
        assert len(set(headings)) == len(headings)


def test_pages_written_by_hand_belong_to_a_command() -> None:
    folder = Path(sys.modules["lkm.cli.manual"].__path__[0]) / "pages"
    files = {file.stem for file in folder.glob("*.mdoc")}

    assert files
    assert files <= set(page_names())


def test_the_commands_stand_in_lkms_own_page_and_kmods_in_its() -> None:
    assert all(f".It Cm {name}\n" in page("lkm") for name in (*DROP_INS, *VERBS))
    assert all(f"{name} " in page("kmod") for name in TOOLS)


def test_usage_lines_become_macros() -> None:
    assert synopsis("[--more X [X ...]] [-- COMMAND...]") == [
        ".Op Fl -more Ar X ...",
        ".Op Fl - Ar COMMAND ...",
    ]
    assert synopsis("[--on {live,sandbox}] [WORD ...] DIR -a X...") == [
        ".Op Fl -on Cm live | Cm sandbox",
        ".Op Ar WORD ...",
        ".Ar DIR",
        ".Fl a",
        ".Ar X ...",
    ]


def test_text_cannot_become_a_macro() -> None:
    assert escaped(".conf and \\x") == "\\&.conf and \\ex"
    assert escaped("with --on or -v, not snd-pcm") == "with \\-\\-on or \\-v, not snd-pcm"


def test_a_page_is_printed_where_no_terminal_is() -> None:
    ran = lkm("man", "modprobe")

    assert (ran.status, ran.err) == (0, "")
    assert ran.out == page("modprobe")
    assert lkm("man").out == page("lkm")


def test_a_page_that_there_is_not_is_wrong_usage() -> None:
    ran = lkm("man", "nosuch")

    assert ran.status == 2
    assert "no page for 'nosuch'" in ran.err


def test_all_pages_are_written(tmp_path: Path) -> None:
    ran = lkm("man", "--to", str(tmp_path / "new"))

    written = {path for path in (tmp_path / "new").rglob("*") if path.is_file()}
    assert ran.status == 0
    assert {str(path) for path in written} == set(ran.out.splitlines())
    assert {path.name for path in written} == {page_file(name) for name in page_names()}
    assert all(path.parent.name == f"man{path.suffix[1:]}" for path in written)
    told = json.loads(lkm("man", "--to", str(tmp_path / "new"), "--json").out)["pages"]
    assert {one["path"] for one in told} == {str(path) for path in written}
    assert {one["file"] for one in told} == {path.name for path in written}


def test_pages_that_cannot_be_written_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "man1").write_text("")

    ran = lkm("man", "--to", str(tmp_path))

    assert ran.status == 3
    assert str(tmp_path) in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["man1"]


@pytest.mark.oracle
def test_in_a_terminal_man_shows_it(tmp_path: Path) -> None:
    man = tmp_path / "man"
    man.write_text('#!/bin/sh\n[ "$1" = -l ] && echo "SHOWN ${2##*/}: $(wc -l <"$2")"\n')
    man.chmod(0o755)
    main_side, terminal = pty.openpty()
    program = "import sys; from lkm.cli.main import main; sys.exit(main())"

    done = subprocess.run(
        [sys.executable, "-c", program, "man", "tour"],
        stdout=terminal,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=False,
    )

    os.close(terminal)
    text = os.read(main_side, 1000).decode()
    os.close(main_side)
    assert done.returncode == 0
    assert text.strip() == f"SHOWN lkm-tour.1: {page('tour').count(chr(10))}"
