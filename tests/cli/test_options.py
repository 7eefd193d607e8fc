"""The table-driven option reader, against what getopt_long does with the same words."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from lkm.cli.options import Option, OptionError, describe, parse
from tests.cli.running import lkm
from tests.conftest import missing

OPTIONS = (
    Option("all", "a", ("all",), "every one"),
    Option("config", "C", ("config",), "a path", argument="PATH"),
    Option("show_config", "c", ("show-config",), "show it", old=("showconfig",)),
    Option("show_exports", "", ("show-exports",), "show them"),
    Option("ignore", "i", ("ignore-install", "ignore-remove"), "both spellings"),
    Option("own", "", ("always",), "lkm's own", own=True),
)


def test_options_may_follow_arguments() -> None:
    parsed = parse(OPTIONS, ["ext4", "-a", "x=1", "--config", "/c"])

    assert parsed.arguments == ("ext4", "x=1")
    assert parsed.has("all")
    assert parsed.last("config") == "/c"


def test_without_permutation_the_first_argument_ends_the_options() -> None:
    parsed = parse(OPTIONS, ["-a", "insmod", "-c"], permute=False)

    assert parsed.arguments == ("insmod", "-c")
    assert not parsed.has("show_config")


def test_two_dashes_end_the_options() -> None:
    assert parse(OPTIONS, ["--", "-a", "--all"]).arguments == ("-a", "--all")


def test_letters_may_be_run_together_and_an_argument_may_follow_at_once() -> None:
    parsed = parse(OPTIONS, ["-acC/etc/x", "-C", "/etc/y"])

    assert parsed.has("all")
    assert parsed.has("show_config")
    assert parsed.every("config") == ("/etc/x", "/etc/y")


def test_a_long_name_may_be_shortened_while_one_option_begins_so() -> None:
    assert parse(OPTIONS, ["--show-c"]).has("show_config")
    assert parse(OPTIONS, ["--con=/x"]).last("config") == "/x"
    assert parse(OPTIONS, ["--ign"]).has("ignore")


def test_own_options_take_no_part_in_abbreviation() -> None:
    assert parse(OPTIONS, ["--al"]).has("all")
    assert parse(OPTIONS, ["--always"]).has("own")
    with pytest.raises(OptionError, match="unrecognized option '--alw'"):
        parse(OPTIONS, ["--alw"])


def test_an_old_name_is_taken_and_reported() -> None:
    parsed = parse(OPTIONS, ["--showconfig"])

    assert parsed.has("show_config")
    assert parsed.deprecated == (("showconfig", "show-config"),)


def test_a_single_dash_is_an_argument() -> None:
    assert parse(OPTIONS, ["-"]).arguments == ("-",)


def test_nothing_is_read_behind_the_last_option() -> None:
    assert parse(OPTIONS, ["-ca", "--nope"], last=("show_config",)).given == (("show_config", ""),)


WRONG = {
    "--nope": "unrecognized option '--nope'",
    "-x": "invalid option -- 'x'",
    "-C": "option requires an argument -- 'C'",
    "--config": "option '--config' requires an argument",
    "--all=1": "option '--all' doesn't allow an argument",
    "--show": "option '--show' is ambiguous; possibilities: "
    "'--showconfig' '--show-config' '--show-exports'",
}


@pytest.mark.parametrize("word", WRONG)
def test_a_wrong_option_gets_getopts_words(word: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse(OPTIONS, [word])

    assert str(caught.value) == WRONG[word]


@pytest.mark.oracle
@pytest.mark.parametrize("word", ["--nope", "-x", "-C", "--config", "--all=1"])
def test_the_words_are_those_of_getopt_1(word: str) -> None:
    getopt = shutil.which("getopt")
    if getopt is None:
        missing("oracle", "util-linux is not installed: there is no getopt")
    assert getopt is not None
    command = [getopt, "-o", "aC:ci", "-l", "all,config:,show-config,show-exports", "--", word]
    answer = subprocess.run(command, capture_output=True, text=True, check=False).stderr

    assert answer.strip() == f"{getopt}: {WRONG[word]}"


def test_the_help_names_every_option_with_its_argument() -> None:
    text = describe(OPTIONS)

    assert "  -C, --config PATH" in text
    assert "  -i, --ignore-install, --ignore-remove" in text
    assert text.count("\n") >= len(OPTIONS)


@pytest.mark.parametrize("value", ["", "1"])
def test_posixly_correct_ends_the_options_at_the_first_word(value: str) -> None:
    ran = lkm("modinfo", "nosuch", "--bad", env={"POSIXLY_CORRECT": value})
    assert ran.status == 1
    assert "unrecognized option" not in ran.err
    assert "unrecognized option" in lkm("modinfo", "nosuch", "--bad").err
