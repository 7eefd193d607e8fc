"""Several modules in a row: what one leaves behind for the next."""

from __future__ import annotations

from tests.outcomes.case import MODS, TAINT, Case, debian, delete, load, tiny
from tests.outcomes.patching import crc, header, modinfo, renamed, struct_name, vermagic

OK = tiny("tm_ok")

CASES = (
    Case(
        id="row-refused-taints",
        what="modules that are refused leave their taints; where they stop decides which",
        files={
            "a": tiny("tm_ok", header("type", 2)),
            "b": tiny("tm_ok", vermagic(lambda _magic: "x")),
            "c": tiny("tm_missing", modinfo("staging", "Y")),
            "d": tiny("tm_missing", modinfo("license", "X")),
            "e": tiny("tm_missing", modinfo("test", "Y")),
            "f": tiny("tm_ok"),
        },
        steps=(*[step for name in "abcdef" for step in (load(name), TAINT)], MODS),
    ),
    Case(
        id="row-proprietary-refused",
        what="a proprietary module that is refused taints the kernel, and lock debugging ends once",
        files={
            "a": tiny("tm_missing", modinfo("license", "X")),
            "b": tiny("tm_missing", modinfo("vermagic", None)),
            "c": tiny("tm_prop"),
            "d": tiny("tm_noexit"),
        },
        steps=(load("a"), TAINT, load("b"), TAINT, load("c"), TAINT, MODS),
    ),
    Case(
        id="row-forced-once",
        what="what forcing says is said once",
        files={
            "a": tiny("tm_ok", renamed("__versions", "__versionx")),
            "b": tiny("tm_static", renamed("__versions", "__versionx")),
            "c": tiny("tm_meta", modinfo("vermagic", None)),
        },
        steps=(load("a"), load("b"), load("c"), MODS, TAINT),
    ),
    Case(
        id="row-own-and-foreign",
        what="the distribution's modules, unsigned ones between them",
        files={"a": debian("crc8"), "b": OK, "c": debian("crc7"), "d": debian("crc8")},
        steps=(load("a"), load("b"), load("c"), load("d"), MODS, TAINT),
    ),
    Case(
        id="row-again-after-failure",
        what="what failed for its symbols loads once they are there",
        files={"e": tiny("tm_exp"), "d": tiny("tm_dep"), "d2": tiny("tm_dep2")},
        steps=(load("d2"), load("d"), load("e"), load("d2"), load("d"), load("d2"), MODS),
    ),
    Case(
        id="row-exporter-replaced",
        what="an exporter with other CRCs takes the place of the one a user was built for",
        files={
            "e": tiny("tm_exp"),
            "x": tiny("tm_exp", struct_name("tm_exq")),
            "d": tiny("tm_dep"),
            "c": tiny("tm_dep", crc("tm_exp_plain", lambda old: old + 1)),
        },
        steps=(
            load("e"),
            load("x"),
            load("d"),
            delete("tm_dep"),
            delete("tm_exp"),
            load("x"),
            load("d"),
            load("c"),
            MODS,
        ),
    ),
    Case(
        id="row-same-name-after-removal",
        what="a name is free again when its module is gone",
        files={"m": OK, "x": tiny("tm_static", struct_name("tm_ok"))},
        steps=(load("m"), load("x"), delete("tm_ok"), load("x"), MODS, load("m"), MODS),
    ),
    Case(
        id="row-many",
        what="many modules, removed in another order than they came",
        files={
            name: tiny(f"tm_{name}") for name in ("ok", "static", "meta", "percpu", "exp", "dep")
        },
        steps=(
            *[load(name) for name in ("ok", "static", "meta", "percpu", "exp", "dep")],
            MODS,
            delete("tm_static"),
            delete("tm_ok"),
            delete("tm_exp"),
            delete("tm_percpu"),
            MODS,
            load("static"),
            load("percpu"),
            MODS,
            TAINT,
        ),
    ),
)
