"""What init returns, and modules that are on their way in or out."""

from __future__ import annotations

from tests.outcomes.case import (
    FORCE,
    MODS,
    NEVER,
    TAINT,
    Case,
    Step,
    delete,
    do,
    iload,
    load,
    shown,
    tiny,
)

SLOW = tiny("tm_slow")


def _bgload(name: str, params: str) -> Step:
    return Step(op=f"bgload /ko/{name}.ko 0 {params}".rstrip(" "), init=NEVER)


def _bgdel(name: str) -> Step:
    return Step(op=f"bgdel {name} 0x800", exit=NEVER)


def _wait(*ends: tuple[str, int]) -> Step:
    return Step(op="wait", ends=ends)


SLEEP = Step(op="sleep 400")

CASES = (
    Case(
        id="init-errors",
        what="what init returns is the answer, as it is",
        files={"m": tiny("tm_ret")},
        steps=(
            *tuple(
                [
                    step
                    for number in (-19, -12, -17, -1, -2, -8, -16, -11, -4095, 0)
                    for step in (load("m", f"ret={number}", init=number), MODS)
                ]
            ),
            TAINT,
        ),
    ),
    Case(
        id="init-error-by-init_module",
        what="the same by init_module(2)",
        files={"m": tiny("tm_ret")},
        steps=(iload("m", "ret=-19", init=-19), iload("m", "ret=-17", init=-17), MODS),
    ),
    Case(
        id="init-positive",
        what="a positive answer is taken, with a warning",
        files={"m": tiny("tm_initpos")},
        steps=(load("m", init=5), MODS, delete("tm_initpos")),
    ),
    Case(
        id="init-fails-after-taint",
        what="a module that taints and then fails leaves the taint",
        files={"m": tiny("tm_ret"), "s": tiny("tm_static")},
        steps=(load("m", "ret=-5", init=-5), TAINT, load("s"), MODS),
    ),
    Case(
        id="loading",
        what="a module that is being loaded, seen from outside",
        files={"s": SLOW},
        steps=(
            _bgload("s", "ms_in=2500"),
            SLEEP,
            *shown("tm_slow"),
            delete("tm_slow"),
            delete("tm_slow", FORCE),
            _wait(("tm_slow", 0)),
            MODS,
            delete("tm_slow"),
        ),
    ),
    Case(
        id="loading-used",
        what="a user of its symbols waits for it",
        files={"s": SLOW, "u": tiny("tm_useslow")},
        steps=(
            _bgload("s", "ms_in=1500"),
            SLEEP,
            MODS,
            _wait(("tm_slow", 0)),
            load("u"),
            MODS,
            delete("tm_useslow"),
            delete("tm_slow"),
        ),
    ),
    Case(
        id="loading-fails",
        what="it fails in the end",
        files={"s": SLOW},
        steps=(
            _bgload("s", "ms_in=1200 ret=-19"),
            SLEEP,
            *do("cat /sys/module/tm_slow/initstate", "cat /sys/module/tm_slow/refcnt"),
            _wait(("tm_slow", -19)),
            MODS,
            TAINT,
        ),
    ),
    Case(
        id="unloading",
        what="a module that is being removed, and what is asked of it meanwhile",
        files={"s": SLOW, "u": tiny("tm_useslow")},
        steps=(
            load("s", "ms_in=1 ms_out=2500"),
            _bgdel("tm_slow"),
            SLEEP,
            MODS,
            *do("cat /sys/module/tm_slow/initstate", "cat /sys/module/tm_slow/refcnt"),
            *do("cat /sys/module/tm_slow/taint", "syms tm_slow"),
            delete("tm_slow"),
            load("s"),
            load("u"),
            _wait(("tm_slow", 0)),
            MODS,
        ),
    ),
    Case(
        id="loading-beside",
        what="another module comes and goes meanwhile",
        files={"s": SLOW, "m": tiny("tm_ok")},
        steps=(
            _bgload("s", "ms_in=1500"),
            SLEEP,
            load("m"),
            MODS,
            delete("tm_ok"),
            MODS,
            _wait(("tm_slow", 0)),
            MODS,
        ),
    ),
)
