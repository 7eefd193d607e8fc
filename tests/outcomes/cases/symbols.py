"""What a module needs of the kernel and of other modules, and what it offers."""

from __future__ import annotations

from tests.outcomes.case import MODS, TAINT, Case, Step, delete, do, load, shown, single, tiny
from tests.outcomes.patching import crc, modinfo, no_crc, renamed, symbol

EXP = tiny("tm_exp")
USED = do("cat /sys/module/tm_exp/refcnt", "sys tm_exp/holders")


def _other(old: int) -> int:
    return old ^ 0x5A5A


CASES = (
    Case(
        id="dependants",
        what="an exporter, a user, a user of both; references, holders, the order of removal",
        files={"e": EXP, "d": tiny("tm_dep"), "d2": tiny("tm_dep2")},
        steps=(
            load("e"),
            load("d"),
            load("d2"),
            MODS,
            *do("sys tm_exp", "sys tm_dep", "sys tm_dep2", "syms tm_exp", "syms tm_dep2"),
            delete("tm_exp"),
            delete("tm_dep"),
            delete("tm_exp", "0"),
            delete("tm_exp", "0x200"),
            TAINT,
            delete("tm_dep2"),
            MODS,
            delete("tm_dep"),
            MODS,
            delete("tm_exp"),
            MODS,
        ),
    ),
    Case(
        id="chain",
        what="four levels, of which the last needs the first and the third",
        files={f"l{level}": tiny(f"tm_level{level}") for level in (1, 2, 3, 4)},
        steps=(
            load("l2"),
            *[load(f"l{level}") for level in (1, 2, 3, 4)],
            MODS,
            delete("tm_level1"),
            delete("tm_level3"),
            delete("tm_level4"),
            load("l4"),
            MODS,
            *[delete(f"tm_level{level}") for level in (4, 3, 2, 1)],
            MODS,
        ),
    ),
    single("dependency-missing", "a user without its exporters", tiny("tm_dep2")),
    single("symbol-missing", "two symbols nobody exports, and a weak one", tiny("tm_missing")),
    single("symbol-weak", "a weak symbol that nobody exports", tiny("tm_weakok")),
    Case(
        id="symbol-weak-found",
        what="a weak symbol that a module exports makes a reference",
        files={"e": EXP, "w": tiny("tm_weakexp")},
        steps=(load("w", init=-2), load("e"), load("w", init=0), MODS, delete("tm_exp"), *USED),
    ),
    Case(
        id="symbol-weak-crc",
        what="the CRC of a weak symbol that is found differs: not forgiven",
        files={"e": EXP, "w": tiny("tm_weakexp", crc("tm_exp_plain", _other))},
        steps=(load("e"), load("w"), MODS),
    ),
    Case(
        id="gpl-only",
        what="a proprietary module uses a GPL-only symbol: it is not to be seen",
        files={"e": EXP, "g": tiny("tm_usegpl", modinfo("license", "PRO")), "f": tiny("tm_usegpl")},
        steps=(load("e"), load("g"), MODS, TAINT, load("f"), MODS),
    ),
    Case(
        id="gpl-only-kernel",
        what="a GPL-only symbol of the kernel itself, used by a proprietary module",
        files={"m": tiny("tm_hold", modinfo("license", "Proprietary")), "s": tiny("tm_symget")},
        steps=(load("m"), MODS, load("s", init=-2), TAINT),
    ),
    Case(
        id="namespace",
        what="a symbol of a namespace: not imported, imported, another imported",
        files={
            "e": EXP,
            "n": tiny("tm_usensno"),
            "i": tiny("tm_usens"),
            "o": tiny("tm_usens", modinfo("import_ns", "TM_NS2")),
        },
        steps=(load("e"), load("n"), load("o"), MODS, TAINT, load("i"), MODS, *USED),
    ),
    Case(
        id="namespace-one-of-two",
        what="two namespaces, of which one is imported; GPL-only ones",
        files={
            "e": tiny("tm_expns"),
            "u": tiny("tm_useexpns"),
            "p": tiny("tm_useexpns", modinfo("license", "X")),
        },
        steps=(load("e"), load("u"), load("p"), MODS, TAINT),
    ),
    single(
        "crc-kernel",
        "the CRC of a symbol of the kernel differs",
        tiny("tm_params", crc("param_ops_int", _other)),
    ),
    single("crc-kernel-none", "it is not there", tiny("tm_params", no_crc("param_ops_int"))),
    Case(
        id="crc-module",
        what="the CRC of a module's symbol differs, or is missing",
        files={
            "e": EXP,
            "d": tiny("tm_dep", crc("tm_exp_plain", _other)),
            "n": tiny("tm_dep", no_crc("tm_exp_plain")),
        },
        steps=(load("e"), load("d"), load("n"), MODS, TAINT),
    ),
    Case(
        id="crc-owner-none",
        what="an exporter without CRCs: whoever uses it is not asked",
        files={
            "e": tiny("tm_exp", renamed("__kcrctab", "__kcrctax")),
            "d": tiny("tm_dep", crc("tm_exp_plain", _other)),
        },
        steps=(load("e"), load("d"), MODS, TAINT),
    ),
    Case(
        id="crc-owner-gpl-none",
        what="the same of its GPL-only exports",
        files={
            "e": tiny("tm_exp", renamed("__kcrctab_gpl", "__kcrctab_gpx")),
            "d": tiny("tm_usegpl", crc("tm_exp_gpl", _other)),
        },
        steps=(load("e"), load("d"), MODS, TAINT),
    ),
    Case(
        id="crc-forced-by-no-versions",
        what="no __versions, and a module's symbol: one line, not one for each",
        files={"e": EXP, "d": tiny("tm_dep", renamed("__versions", "__versionx"))},
        steps=(load("e"), load("d"), MODS, TAINT),
    ),
    Case(
        id="duplicate-export",
        what="an export that another module has",
        files={"e": EXP, "d": tiny("tm_dupexp")},
        steps=(load("e"), load("d"), MODS, TAINT, delete("tm_exp"), load("d"), load("e"), MODS),
    ),
    Case(
        id="circular",
        what="two modules that need each other",
        files={"a": tiny("tm_circ_a"), "b": tiny("tm_circ_b")},
        steps=(load("a"), load("b"), load("a"), MODS),
    ),
    Case(
        id="symbol_get",
        what="a reference that names nobody",
        files={"e": EXP, "s": tiny("tm_symget")},
        steps=(
            load("s", init=-2),
            load("e"),
            Step(op="load /ko/s.ko 0", init=0, held="tm_exp", holds=1),
            MODS,
            *USED,
            delete("tm_exp"),
            Step(op="del tm_symget 0x800", held="tm_exp", holds=-1),
            MODS,
            delete("tm_exp"),
        ),
    ),
    Case(
        id="inherit-taint",
        what="a free module that uses a proprietary one becomes one itself",
        files={"p": tiny("tm_prop"), "u": tiny("tm_useprop"), "m": tiny("tm_ok")},
        steps=(load("p"), load("u"), load("m"), MODS, TAINT),
    ),
    Case(
        id="inherit-refused",
        what="the same with a GPL-only symbol besides, in both orders of the symbol table",
        files={
            "p": tiny("tm_prop"),
            "e": EXP,
            "u": tiny("tm_useprop_gpl"),
            "l": tiny("tm_useprop_late"),
        },
        steps=(load("p"), load("e"), load("u"), load("l"), MODS, TAINT),
    ),
    Case(
        id="inherit-through",
        what="what was inherited is inherited again",
        files={
            "p": tiny("tm_prop", modinfo("license", "X")),
            "e": tiny("tm_exp", modinfo("license", "Y")),
            "d": tiny("tm_dep"),
            "d2": tiny("tm_dep2"),
        },
        steps=(load("p"), load("e"), load("d"), load("d2"), MODS, TAINT),
    ),
    single(
        "symbol-undefined-local",
        "a symbol of its own that is made undefined, and is no export of anybody",
        tiny("tm_static", symbol("cleanup_module", "shndx", 0)),
    ),
    Case(
        id="user-gone-again",
        what="a user that is refused leaves no reference behind",
        files={"e": EXP, "b": tiny("tm_dep2")},
        steps=(load("e"), load("b"), MODS, *USED, delete("tm_exp"), MODS),
    ),
    Case(
        id="user-init-fails",
        what="a user whose init fails leaves none either",
        files={"e": EXP, "u": tiny("tm_weakexp")},
        steps=(load("e"), load("u", init=0), delete("tm_weakexp"), *USED, delete("tm_exp")),
    ),
    Case(
        id="exporter-of-every-kind",
        what="all that is seen of plain, GPL-only and namespaced exports",
        files={"e": EXP, "n": tiny("tm_expns")},
        steps=(load("e"), *shown("tm_exp"), load("n"), *shown("tm_expns")),
    ),
)
