from __future__ import annotations

import pytest

from lkm.config.directives import Source
from lkm.names import ModuleName
from lkm.resolve.plan import (
    Builtin,
    Insert,
    InUse,
    Missing,
    Plan,
    Refuse,
    Remove,
    RunInstall,
    RunRemove,
    Skip,
    as_modprobe_lines,
    modprobe_line,
)

A = ModuleName("a")
AT = Source("a.conf", 3)


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (Insert(A, "/lib/a.ko"), "insmod /lib/a.ko "),
        (Insert(A, "/lib/a.ko", "x=1 "), "insmod /lib/a.ko x=1 "),
        (
            RunInstall(A, "cmd $CMDLINE_OPTS", "x=1", "", required=True, source=AT),
            "install cmd $CMDLINE_OPTS x=1",
        ),
        (Builtin(A), "builtin a"),
        (Missing(A, "", required=True), ""),
        (Skip(A, "loaded"), ""),
        (Refuse(A, AT), ""),
        (Remove(A), "rmmod a"),
        (RunRemove(A, "cmd $CMDLINE_OPTS x", "", AT), "remove cmd  x"),
        (InUse(A, "", 1, ()), ""),
    ],
)
def test_each_step_has_its_line(step: Insert, line: str) -> None:
    assert modprobe_line(step) == line


def test_steps_without_a_line_leave_none() -> None:
    plan = Plan(
        "a", "load", (Skip(A, "loaded"), Insert(A, "/a.ko"), Missing(A, "", required=False))
    )

    assert list(as_modprobe_lines(plan)) == ["insmod /a.ko "]


def test_a_dry_run_leaves_out_dependencies_that_are_in_use_before_it() -> None:
    held = Remove(ModuleName("b"), "a", if_unused=True, refcnt=1)
    free = Remove(ModuleName("c"), "a", if_unused=True, refcnt=0)

    assert list(as_modprobe_lines(Plan("a", "unload", (Remove(A), held, free)))) == [
        "rmmod a",
        "rmmod c",
    ]
    assert modprobe_line(held) == "rmmod b"


def test_commands_get_the_parameters_where_they_ask_for_them() -> None:
    step = RunInstall(A, "x $CMDLINE_OPTS y $CMDLINE_OPTS", "p=1", "", required=True, source=AT)

    assert step.shell_command() == "x p=1 y p=1"
    assert RunRemove(A, "x $CMDLINE_OPTS", "", AT).shell_command() == "x "


def test_plans_are_values() -> None:
    one = Plan("a", "load", (Insert(A, "/a.ko", sources=(AT,)),))
    same = Plan("a", "load", (Insert(A, "/a.ko", sources=(Source("a.conf", 3),)),))

    assert one == same
    assert hash(one) == hash(same)
    assert one != Plan("a", "load", ())
    assert "a.conf" in repr(one)
