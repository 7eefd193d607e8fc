"""Parameters and sections that few modules have, and what the command line says of processors."""

from __future__ import annotations

from tests.outcomes.case import (
    MODS,
    TAINT,
    Case,
    Step,
    debian,
    delete,
    do,
    load,
    single,
    tiny,
)
from tests.outcomes.patching import modinfo, renamed, section

OWN, PARAMS = tiny("tm_own"), tiny("tm_params")
_KEPT = "/sys/module/tm_own/parameters/kept"
_QUERIES = (
    "+p",
    "-pf",
    "=_",
    "p",
    "+q",
    "foo +p",
    '"foo bar +p"',
    '"func a +p"',
    '"func a func b +p"',
    '"func a +p; what"',
    '"module tm_params format x class y line 3 =pmflt"',
    '"func \'a b +p"',
    '"a b c d e f g h i +p"',
    "",
)


def _each(name: str, *given: str, seen: tuple[Step, ...]) -> tuple[Step, ...]:
    steps: list[Step] = []
    for text in given:
        steps += [load("p", text), *seen, delete(name)]
    return tuple(steps)


def _off(word: str) -> Case:
    name = word.replace("=", "-").replace(",", "-").replace(" ", "-")
    return single(
        f"retpoline-{name}",
        "no retpolines, and a kernel that does not mind",
        tiny("tm_ok", modinfo("retpoline", None)),
        command_line=word,
    )


CASES = (
    Case(
        id="params-hardware-locked",
        what="parameters of the hardware, under lockdown",
        files={"m": debian("mwave"), "mtd": debian("mtd"), "phram": debian("phram")},
        steps=(
            load("m", "mwave_3780i_irq=5"),
            load("m", "mwave_3780i_irq"),
            load("m", "mwave_3780i_irq=x mwave_debug=zz"),
            load("mtd"),
            load("phram"),
            *do("write /sys/module/phram/parameters/phram x"),
            MODS,
            TAINT,
        ),
        command_line="lockdown=integrity",
        alone=True,
    ),
    Case(
        id="params-own",
        what="a module's own kinds",
        files={"p": OWN},
        steps=_each("tm_own", "own", "own=1", "alone", "alone=1", seen=(TAINT,)),
    ),
    Case(
        id="params-enable-only",
        what="what is set and cannot be unset",
        files={"p": OWN},
        steps=(
            *_each(
                "tm_own",
                "kept=0",
                "kept=1",
                "kept=maybe",
                "kept_too=1,0",
                "kept_too=0,1",
                "kept_too=1,1",
                seen=do("sys tm_own/parameters"),
            ),
            load("p"),
            *do(f"write {_KEPT} 0", f"write {_KEPT} 1", f"cat {_KEPT}"),
            *do("write /sys/module/tm_own/parameters/kept_too 1,1"),
            *do("write /sys/module/tm_own/parameters/kept_too 1,0"),
            *do("sys tm_own/parameters"),
        ),
    ),
    Case(
        id="params-not-ascii",
        what="letters of other scripts, one with a byte that is a blank to the kernel",
        files={"p": PARAMS},
        steps=_each(
            "tm_params",
            "s=\u00e9",
            "s=\u00e0",
            "s=\u00a0",
            "s=\u00e0b i=3",
            's="\u00e0"',
            "\u00e9=1",
            "i=\u00e9",
            "i=2 -- \u00e0 x",
            seen=do("sys tm_params/parameters"),
        ),
    ),
    Case(
        id="params-dyndbg",
        what="queries for dynamic debugging, good and bad",
        files={"p": PARAMS},
        steps=_each("tm_params", *[f"dyndbg={query}" for query in _QUERIES], seen=()),
    ),
    single(
        "percpu-alignment",
        "per-CPU data on two pages",
        tiny("tm_percpu", section(".data..percpu", "align", 8192)),
    ),
    single(
        "percpu-too-large",
        "per-CPU data that is too much",
        tiny(
            "tm_percpu",
            section(".data..percpu", "size", 16384),
            section(".data..percpu", "type", 8),
        ),
    ),
    single(
        "obsolete-parameters",
        "a section of old parameters",
        tiny("tm_ok", renamed(".comment", "__obsparm"), section("__obsparm", "flags", 2)),
    ),
    single(
        "obsolete-parameters-no-memory",
        "one that takes no memory",
        tiny("tm_ok", renamed(".comment", "__obsparm")),
    ),
    single(
        "elf-symtab-link-signed",
        "a link that is printed as negative",
        tiny("tm_ok", section(".symtab", "link", 0xFFFFFFF0)),
    ),
    single(
        "elf-sec0-type-signed",
        "a type that is printed as negative",
        tiny("tm_ok", section(0, "type", 0x80000001)),
    ),
    *[_off(word) for word in ("mitigations=off", "nospectre_v2", "spectre_v2=off")],
    _off("mitigations=off mitigations=auto"),
    single(
        "memory-too-large",
        "data that no kernel has room for",
        tiny("tm_align", section(".bss", "size", 2 << 30)),
    ),
)
