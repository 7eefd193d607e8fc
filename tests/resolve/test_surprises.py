"""What the configuration says in vain is told, and only that."""

from __future__ import annotations

import pytest

from lkm.config.cmdline import parse_command_line
from lkm.config.modprobe_d import parse
from lkm.config.settings import Settings
from lkm.names import ModuleName
from lkm.resolve.plan import Insert, Plan, Remove
from lkm.resolve.surprises import surprises

LONE = ModuleName("lone")
LOADING = Plan("lone", "load", (Insert(LONE, "/m/lone.ko"),))
UNLOADING = Plan("lone", "unload", (Remove(LONE),))


def told(text: str, *, plan: Plan = LOADING, command_line: str = "") -> list[str]:
    settings = Settings((*parse(text, "a.conf"), *parse_command_line(command_line)))
    return list(surprises(plan, settings))


@pytest.mark.parametrize(
    ("word", "first", "second"),
    [
        ("softdep", "pre: a", "post: b"),
        ("weakdep", "a", "b"),
        ("install", "/bin/true", "/bin/false"),
    ],
)
def test_a_line_behind_the_first_one_is_named(word: str, first: str, second: str) -> None:
    lines = f"{word} lone {first}\n{word} other {second}\n{word} l* {second}\n"

    assert told(lines) == [
        f"of the {word} lines for lone the first one counts, a.conf:1: a.conf:3 has no effect"
    ]


def test_several_are_named_in_one_line() -> None:
    lines = "softdep lone pre: a\nsoftdep lone pre: b\nsoftdep lone pre: c\n"

    assert told(lines) == [
        "of the softdep lines for lone the first one counts, a.conf:1: a.conf:2, a.conf:3 have no "
        "effect"
    ]


def test_a_remove_command_matters_to_unloading_and_an_install_command_to_loading() -> None:
    lines = "install lone a\ninstall lone b\nremove lone a\nremove lone b\n"

    assert [text.split()[2] for text in told(lines)] == ["install"]
    assert [text.split()[2] for text in told(lines, plan=UNLOADING)] == ["remove"]


@pytest.mark.parametrize(
    "lines",
    [
        "softdep lone pre: a\nsoftdep lone pre: a\n",
        "softdep lone pre: a\nsoftdep other pre: b\n",
        "options lone a=1\noptions lone b=1\nalias x lone\nalias x other\n",
        "blacklist lone\nblacklist lone\n",
    ],
)
def test_what_changes_nothing_or_counts_is_no_surprise(lines: str) -> None:
    assert told(lines) == []


def test_a_softdep_that_names_nothing_is_told() -> None:
    assert told("softdep lone a b\n") == [
        "the softdep line for lone, a.conf:1, has no effect: no module stands behind pre: or post:"
    ]


def test_a_dash_in_the_command_lines_blacklist_is_told() -> None:
    plan = Plan("x", "load", (Insert(ModuleName("snd_pcsp"), "/m/snd-pcsp.ko"),))
    in_vain = (
        "modprobe.blacklist=snd-pcsp on the kernel's command line has no effect: "
        "the module's name is snd_pcsp"
    )

    assert told("", plan=plan, command_line="modprobe.blacklist=a,snd-pcsp") == [in_vain]
    assert told("", plan=plan, command_line="modprobe.blacklist=snd_pcsp,snd-pcsp") == []
    assert told("blacklist snd-pcsp\n", plan=plan, command_line="modprobe.blacklist=a-b") == []
