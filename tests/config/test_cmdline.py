from __future__ import annotations

import pytest

from lkm.config.cmdline import parse_command_line
from lkm.config.directives import Complaint, Options, Source
from lkm.config.settings import Settings
from lkm.report.config import config_lines
from tests.config.commandlines import CASES


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_items_become_options_and_blacklists(text: str, expected: tuple[str, ...]) -> None:
    found = tuple(config_lines(Settings(parse_command_line(text))))

    assert sorted(found) == sorted(expected)


def test_words_come_from_proc_cmdline() -> None:
    assert parse_command_line("a.b") == (Options("a", "b", Source("/proc/cmdline", 0)),)


def test_a_module_with_an_open_bracket_is_a_complaint() -> None:
    (found,) = parse_command_line("ivrs_acpihid[14:00.5]=PNP0D40 x.y=1")[:1]

    assert isinstance(found, Complaint)
    assert found.kmod_text == (
        "libkmod: ERROR: kcmdline_parse_result: Ignoring bad option on kernel command line while "
        "parsing module name: 'ivrs_acpihid[14:00'"
    )


def test_only_the_first_4095_bytes_count() -> None:
    text = "x" * 4089 + " a.b=c d.e=f"

    assert parse_command_line(text) == (Options("a", "b=c"[:3], Source("/proc/cmdline", 0)),)


def test_a_command_line_cut_anywhere_still_parses() -> None:
    for text, _ in CASES:
        for size in range(len(text)):
            for one in parse_command_line(text[:size]):
                assert one.source.path == "/proc/cmdline"


def test_white_space_is_what_c_calls_so() -> None:
    (found,) = parse_command_line("a.b=1\u00a0c.d=2")

    assert isinstance(found, Options)
    assert found.params == "b=1\u00a0c.d=2"
