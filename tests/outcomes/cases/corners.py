"""Names, symbols and versions that no build makes, and what the loader makes of them."""

from __future__ import annotations

from tests.outcomes.case import (
    MODS,
    NEVER,
    TAINT,
    Case,
    Step,
    do,
    load,
    shown,
    single,
    tiny,
)
from tests.outcomes.patching import (
    contents,
    renamed,
    section,
    struct_name,
    symbol,
    symbol_count,
    symbol_name,
)

EXP, SLOW = tiny("tm_exp"), tiny("tm_slow")


def _caught(name: str) -> Case:
    return Case(
        id=f"corner-gpl-only-{name}",
        what="a GPL-only symbol, and a free user with the name of one that was caught",
        files={"e": EXP, "m": tiny("tm_usegpl", struct_name(name))},
        steps=(load("e"), load("m"), MODS, TAINT),
    )


def _index(number: int, what: str) -> Case:
    return Case(
        id=f"corner-symbol-{number:x}",
        what=f"a symbol of the section {number:#x}: {what}",
        files={"m": tiny("tm_symbols", symbol("tm_symbols_abs", "shndx", number))},
        steps=(load("m"), MODS),
    )


def _odd_symbols(data: bytes) -> bytes:
    return section(".symtab", "size", 24 * symbol_count(data) + 8)(data)


CASES = (
    _caught("lve"),
    _caught("driverloader"),
    _caught("ndiswrapper"),
    _index(0xFF00, "the first of those that are reserved"),
    _index(0xFF20, "livepatching's"),
    _index(0xFFF0, "one that nobody has named"),
    _index(0xFFFF, "the one that says to look elsewhere"),
    single("corner-name-empty", "struct module has no name", tiny("tm_ok", struct_name(""))),
    Case(
        id="corner-params-of-a-name",
        what="two parameters of one name",
        files={
            "m": tiny(
                "tm_params",
                contents(".rodata", lambda old: old.replace(b"\0two_words\0", b"\0renamed\0\0\0")),
            )
        },
        steps=(load("m", "renamed=3"), *do("sys tm_params"), MODS, TAINT),
    ),
    single(
        "corner-offset-table",
        "the linker's own table is undefined, and another symbol",
        tiny("tm_missing", symbol_name("tm_nowhere", "_GLOBAL_OFFSET_TABLE_")),
    ),
    Case(
        id="corner-versions-extended",
        what="CRCs in the section that 6.14 looks in: none for the others, and counted",
        files={
            "c": tiny("tm_ok", renamed("__versions", "__version_ext_crcs")),
            "n": tiny("tm_static", renamed("__versions", "__version_ext_names")),
        },
        steps=(load("c"), *shown("tm_ok"), load("n"), *shown("tm_static")),
    ),
    Case(
        id="corner-symbols-odd",
        what="a symbol table whose size is no multiple of a symbol's",
        files={"m": tiny("tm_symbols", _odd_symbols)},
        steps=(load("m"), *shown("tm_symbols")),
    ),
    Case(
        id="corner-loading-again",
        what="the name of a module that is coming: waits, and EBUSY when that fails",
        files={"s": SLOW, "x": tiny("tm_slow")},
        steps=(
            Step(op="bgload /ko/s.ko 0 ms_in=1500 ret=-19", init=NEVER),
            Step(op="sleep 300"),
            Step(op="bgload /ko/x.ko 0 ms_in=1", waits=True),
            Step(op="wait", ends=(("tm_slow", -19),)),
            MODS,
            TAINT,
        ),
    ),
)
