"""Removing modules, and what keeps them."""

from __future__ import annotations

from tests.outcomes.case import FORCE, MODS, TAINT, Case, Step, delete, do, load, shown, tiny

HOLD = "write /sys/module/tm_hold/parameters/hold"


def _hold(count: int) -> Step:
    return Step(op=f"{HOLD} {1 if count > 0 else 0}", held="tm_hold", holds=count)


CASES = (
    Case(
        id="delete-names",
        what="names that are not there, to the byte",
        files={"m": tiny("tm_ok")},
        steps=(
            delete("nosuch"),
            delete("EMPTY"),
            *do("raw delnull", "raw dellong", "raw del56"),
            delete("printk"),
            delete("ext4"),
            load("m"),
            delete("tm-ok"),
            delete("TM_OK"),
            delete("tm_ok.ko"),
            MODS,
            delete("tm_ok", "0xfffffdff"),
            MODS,
            delete("tm_ok"),
        ),
    ),
    Case(
        id="delete-flags",
        what="flags: none, O_NONBLOCK, O_TRUNC, both",
        files={"m": tiny("tm_ok")},
        steps=(
            *tuple(
                [
                    step
                    for flags in ("0", "0x800", "0x200", FORCE)
                    for step in (load("m"), delete("tm_ok", flags))
                ]
            ),
            TAINT,
        ),
    ),
    Case(
        id="no-init-no-exit",
        what="neither an init nor an exit function: it may go",
        files={"m": tiny("tm_noinit")},
        steps=(load("m"), *shown("tm_noinit"), delete("tm_noinit"), MODS),
    ),
    Case(
        id="exit-only",
        what="an exit function alone",
        files={"m": tiny("tm_exitonly")},
        steps=(load("m"), *shown("tm_exitonly"), delete("tm_exitonly"), MODS),
    ),
    Case(
        id="permanent",
        what="an init function alone: it stays",
        files={"m": tiny("tm_noexit")},
        steps=(load("m"), *shown("tm_noexit"), delete("tm_noexit"), delete("tm_noexit", "0"), MODS),
        alone=True,
    ),
    Case(
        id="permanent-forced",
        what="it goes by force, once and again",
        files={"m": tiny("tm_noexit")},
        steps=(
            load("m"),
            delete("tm_noexit", FORCE),
            MODS,
            TAINT,
            load("m"),
            delete("tm_noexit", "0x200"),
            MODS,
        ),
    ),
    Case(
        id="held",
        what="references that name nobody",
        files={"h": tiny("tm_hold")},
        steps=(
            load("h"),
            _hold(1),
            _hold(1),
            MODS,
            *do("cat /sys/module/tm_hold/refcnt"),
            delete("tm_hold"),
            delete("tm_hold", "0"),
            _hold(-1),
            _hold(-1),
            delete("tm_hold"),
        ),
    ),
    Case(
        id="held-forced",
        what="by force all the same",
        files={"h": tiny("tm_hold")},
        steps=(load("h"), _hold(1), delete("tm_hold", FORCE), MODS, TAINT),
    ),
    Case(
        id="held-by-itself",
        what="a module that holds itself from its init on",
        files={"h": tiny("tm_holdself")},
        steps=(
            Step(op="load /ko/h.ko 0", held="tm_holdself", holds=1),
            MODS,
            delete("tm_holdself"),
            delete("tm_holdself", FORCE),
            MODS,
            TAINT,
        ),
    ),
    Case(
        id="holders-not-forced",
        what="holders are not overcome by force",
        files={"e": tiny("tm_exp"), "d": tiny("tm_dep")},
        steps=(load("e"), load("d"), delete("tm_exp", FORCE), MODS, TAINT, delete("tm_dep"), MODS),
    ),
    Case(
        id="order-of-users",
        what="users of one module: the newest first; one that comes again is the newest",
        files={
            "e": tiny("tm_exp"),
            "a": tiny("tm_dep"),
            "b": tiny("tm_usegpl"),
            "c": tiny("tm_usens"),
        },
        steps=(
            load("e"),
            load("a"),
            load("b"),
            load("c"),
            MODS,
            delete("tm_dep"),
            MODS,
            load("a"),
            MODS,
            *do("sys tm_exp/holders"),
        ),
    ),
    Case(
        id="order-of-modules",
        what="the newest first, in /proc/modules too",
        files={"a": tiny("tm_ok"), "b": tiny("tm_static"), "c": tiny("tm_meta")},
        steps=(load("a"), load("b"), load("c"), MODS, delete("tm_static"), load("b"), MODS),
    ),
)
