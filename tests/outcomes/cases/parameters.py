"""Parameters: what is given, what is made of it, what is said."""

from __future__ import annotations

from tests.outcomes.case import MODS, TAINT, Case, Step, delete, do, load, tiny

PARAMS, KINDS = tiny("tm_params"), tiny("tm_kinds")
SHOWN = do("sys tm_params/parameters")[0]
KINDS_SHOWN = do("sys tm_kinds/parameters")[0]


def _each(name: str, *given: str, seen: Step) -> tuple[Step, ...]:
    """Load with one text of parameters after the other, look, and remove."""
    steps: list[Step] = []
    for text in given:
        steps += [load("p", text), seen, delete(name)]
    return tuple(steps)


def _given(id: str, what: str, *given: str) -> Case:  # noqa: A002  # it is one
    return Case(id=id, what=what, files={"p": PARAMS}, steps=_each("tm_params", *given, seen=SHOWN))


CASES = (
    Case(
        id="params-default",
        what="defaults, files and modes; what is written to them",
        files={"p": PARAMS},
        steps=(
            load("p"),
            MODS,
            *do("sys tm_params", "syms tm_params", "taint"),
            *do("write /sys/module/tm_params/parameters/i 77"),
            *do("cat /sys/module/tm_params/parameters/i"),
            *do("write /sys/module/tm_params/parameters/i zz"),
            *do("write /sys/module/tm_params/parameters/i 99999999999"),
            *do("cat /sys/module/tm_params/parameters/i"),
            *do("write /sys/module/tm_params/parameters/b n"),
            *do("cat /sys/module/tm_params/parameters/b"),
            *do("write /sys/module/tm_params/parameters/u 3"),
            *do("write /sys/module/tm_params/parameters/nosuch 3"),
            SHOWN,
        ),
    ),
    _given("params-numbers", "numbers", "i=010", "i=0x10", "i=-5", "i=+7", "i=1 i=2", "by=255"),
    _given("params-numbers-bad", "no numbers", "i=abc", "i=1x", "i=", "i", "i=0x", "i=09", "i=- 1"),
    _given(
        "params-numbers-range", "out of range", "i=99999999999", "by=256", "u=-1", "i=2147483648"
    ),
    _given(
        "params-numbers-limits", "at the limits", "i=2147483647", "i=-2147483648", "u=4294967295"
    ),
    _given("params-bool", "truth values", "b", "b=1", "b=Y", "b=no", "b=on", "b=off", "b=yes"),
    _given("params-bool-bad", "none", "b=maybe", "inv=2", "b=", "inv", "b=t", "b=o", "b=true"),
    _given("params-invbool", "turned ones", "inv=0", "inv=1", "inv=n"),
    _given("params-charp", "texts", "s=x", "s=", 's=""', 's="a b"', "s", '"s=c d"', 's=a"b c"d'),
    _given("params-charp-long", "a long one", "s=" + "y" * 1024, "s=" + "y" * 1025),
    _given("params-string", "into a buffer", "str=1234567", "str=12345678", "str=", "str"),
    _given(
        "params-array", "arrays", "arr=5", "arr=1,2,3,4", "arr=1,2,3,4,5", "arr=1,x", "arr=", "arr"
    ),
    _given(
        "params-array-commas", "commas where they do not belong", "arr=1,", "arr=,1", "arr=1,,2"
    ),
    _given("params-names", "dashes are underscores", "two-words=3", "two_words=4", "renamed=5"),
    _given("params-case", "but the case counts", "I=3", "renamed_var=5"),
    _given(
        "params-unknown",
        "names that nobody declared",
        "nosuch=1",
        "nosuch",
        "nosuch=1 i=4",
        "tm_params.i=4",
        "tm_params.nosuch",
        "a.b.c=1",
    ),
    _given(
        "params-everywhere",
        "what every module takes",
        "async_probe",
        "async_probe=0",
        "dyndbg",
        "dyndbg=+p",
        "tm_params.dyndbg=+p",
    ),
    _given("params-blanks", "blanks", "i = 3", "i= 3", "  i=3  ", "i=3\tu=4", "=3", "="),
    _given(
        "params-dashes", "what follows two dashes", "i=2 -- rest of it", "--", "i=2 --", "-- i=x"
    ),
    _given("params-dashes-bad", "the same after a bad one", "i=x -- rest"),
    _given(
        "params-several-bad", "several bad ones: the last errno", "i=x by=256 u=3", "by=256 i=x"
    ),
    _given("params-hidden", "one without a file", "hidden=9", "hidden=x"),
    _given("params-quotes", "quotes", 'i="3"', '"i=3"', 'i="3', '"i"=3', "i='3'"),
    Case(
        id="params-unsafe",
        what="one that is dangerous, twice",
        files={"p": PARAMS},
        steps=(
            load("p", "danger=1"),
            MODS,
            TAINT,
            delete("tm_params"),
            load("p", "danger=2"),
            TAINT,
        ),
    ),
    Case(
        id="params-unsafe-bad",
        what="a dangerous one with a bad value taints all the same",
        files={"p": PARAMS},
        steps=(load("p", "danger=x"), MODS, TAINT),
    ),
    Case(
        id="params-kinds",
        what="the rarer kinds",
        files={"p": KINDS},
        steps=_each(
            "tm_kinds",
            "",
            "bint plain",
            "bint=0 hex=0x1f sh=-32768 ush=65535",
            "sh=-32769",
            "ush=65536",
            "hex=12 lo=-9223372036854775808 ulo=18446744073709551615",
            "lo=9223372036854775808",
            "ulo=18446744073709551616",
            "ull=0xffffffffffffffff",
            "enable_only",
            "enable_only=0",
            "words=a,b,c",
            "words=a,b,c,d",
            "bytes=1,2 flags=y,n",
            "bytes=1,300",
            "flags=y,maybe",
            "str=abc",
            "str=abcd",
            seen=KINDS_SHOWN,
        ),
    ),
    Case(
        id="params-command-line",
        what="the kernel's command line is nothing to a module that is loaded",
        files={"p": PARAMS},
        steps=(load("p"), SHOWN, *do("cat /sys/module/tm_params/parameters/i")),
        command_line="tm_params.i=33",
    ),
)
