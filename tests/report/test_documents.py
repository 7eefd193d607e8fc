"""The JSON documents of plans: every kind of step, every field."""

from __future__ import annotations

import pytest

from lkm.config.cmdline import SOURCE as COMMAND_LINE
from lkm.config.directives import Source
from lkm.names import ModuleName
from lkm.report.documents.plans import step_facts
from lkm.resolve import plan as steps
from lkm.resolve.reasons import Origin

A, B = ModuleName("a"), ModuleName("b")
SOURCE = Source("/etc/modprobe.d/x.conf", 3)
AT = {"path": "/etc/modprobe.d/x.conf", "line": 3}
BOOT = {"path": "/proc/cmdline", "line": 0}
CASES = [
    (
        steps.Insert(
            A,
            "/m/a.ko",
            "x=1 boot y",
            "b",
            required=False,
            sources=(SOURCE,),
            origins=(Origin("x=1", SOURCE), Origin("boot", COMMAND_LINE), Origin("y", None)),
        ),
        {
            "action": "insert",
            "because": "b",
            "path": "/m/a.ko",
            "params": "x=1 boot y",
            "required": False,
            "repeated": False,
            "params_from": [
                {"text": "x=1", "from": "configuration", "source": AT},
                {"text": "boot", "from": "kernel command line", "source": BOOT},
                {"text": "y", "from": "arguments", "source": None},
            ],
            "sources": [AT],
        },
    ),
    (
        steps.RunInstall(A, "cmd", "x=1", "", required=True, source=SOURCE),
        {
            "action": "run-install",
            "because": None,
            "command": "cmd",
            "params": "x=1",
            "required": True,
            "repeated": False,
            "params_from": [],
            "sources": [AT],
        },
    ),
    (steps.Builtin(A), {"action": "builtin", "because": None}),
    (
        steps.Missing(A, "b", required=True, sources=(SOURCE,)),
        {"action": "missing", "because": "b", "required": True, "sources": [AT]},
    ),
    (steps.Skip(A, "loaded", "b"), {"action": "skip", "because": "b", "reason": "loaded"}),
    (steps.Refuse(A, SOURCE), {"action": "refuse", "because": None, "sources": [AT]}),
    (
        steps.Remove(A, "b", if_unused=True, refcnt=2),
        {"action": "remove", "because": "b", "if_unused": True, "refcnt": 2},
    ),
    (
        steps.RunRemove(A, "cmd", "", SOURCE),
        {
            "action": "run-remove",
            "because": None,
            "command": "cmd",
            "if_unused": False,
            "sources": [AT],
        },
    ),
    (
        steps.InUse(A, "", 1, (B,)),
        {"action": "in-use", "because": None, "refcnt": 1, "holders": ["b"], "required": True},
    ),
]


@pytest.mark.parametrize(("step", "facts"), CASES, ids=lambda value: type(value).__name__)
def test_a_step_shows_all_that_it_is(step: steps.Insert, facts: dict[str, object]) -> None:
    assert step_facts(step) == {"module": "a", **facts}


def test_no_kind_of_step_is_left_out() -> None:
    kinds = {type(step).__name__ for step, _facts in CASES}
    others = {"Value", "Objection", "Plan"}
    defined = {
        name
        for name, kind in vars(steps).items()
        if isinstance(kind, type) and kind.__module__ == steps.__name__
    }

    assert defined - others == kinds
