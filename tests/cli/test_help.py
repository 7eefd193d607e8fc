"""The help texts: for a terminal of 80 columns, and for somebody who has never seen the command."""

from __future__ import annotations

import pytest

from lkm.cli.definitions import definition
from lkm.cli.main import DROP_INS, VERBS
from lkm.cli.options import OptionError, parse
from tests.cli.running import lkm


@pytest.mark.parametrize("name", DROP_INS)
def test_a_drop_ins_help_fits_a_terminal(name: str) -> None:
    ran = lkm(name, "--help")

    assert ran.status == 0
    assert max(map(len, ran.out.splitlines())) <= 80
    words = " ".join(ran.out.split())
    for option in definition(name).options:
        assert " ".join(option.help.split()) in words


@pytest.mark.parametrize("name", VERBS)
def test_a_verbs_definition_is_what_its_parser_takes(name: str) -> None:
    text = lkm(name, "--help").out
    command = definition(name)

    for option in command.options:
        assert all(f"--{each}" in text for each in option.names)
    assert all(action.name in text for action in command.actions)


@pytest.mark.parametrize("name", DROP_INS)
def test_no_abbreviation_reaches_an_own_option(name: str) -> None:
    options = definition(name).options
    own = {option.key: option.names[0] for option in options if option.own}

    for long_name in own.values():
        for size in range(1, len(long_name)):
            try:
                given = parse(options, [f"--{long_name[:size]}", "x"]).given
            except OptionError:
                continue
            assert given[0][0] not in own
