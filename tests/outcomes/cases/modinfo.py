"""What a module says of itself: vermagic, licence, where it comes from; and the taints of that."""

from __future__ import annotations

from tests.outcomes.case import (
    MODS,
    TAINT,
    Case,
    debian,
    delete,
    load,
    shown,
    single,
    tiny,
)
from tests.outcomes.patching import (
    crc,
    cut_signature,
    modinfo,
    no_crc,
    renamed,
    struct_name,
    vermagic,
)


def _other_release(magic: str) -> str:
    return "9.9.0-99-amd64 " + magic.partition(" ")[2]


def _licence(text: str | None) -> Case:
    return single(
        f"license-{(text or 'none').replace(' ', '-').replace('/', '-')}",
        f"the licence {text}",
        tiny("tm_ok", modinfo("license", text)),
    )


CASES = (
    single(
        "vermagic-flags",
        "the words of the vermagic differ",
        tiny("tm_ok", vermagic(lambda magic: magic.replace("mod_unload ", ""))),
    ),
    single(
        "vermagic-release",
        "the release differs, which is not looked at where there are CRCs",
        tiny("tm_ok", vermagic(_other_release)),
    ),
    single(
        "vermagic-release-forced",
        "it differs, and the flag hides the CRCs",
        tiny("tm_ok", vermagic(_other_release)),
        flags=1,
    ),
    single(
        "vermagic-release-no-versions",
        "it differs, and there are no CRCs",
        tiny("tm_ok", vermagic(_other_release), renamed("__versions", "__versionx")),
    ),
    single("vermagic-none", "no vermagic", tiny("tm_ok", modinfo("vermagic", None))),
    single("vermagic-empty", "an empty vermagic", tiny("tm_ok", modinfo("vermagic", ""))),
    single(
        "vermagic-ignored",
        "a vermagic that differs, with the flag to ignore it",
        tiny("tm_ok", vermagic(lambda _magic: "nonsense")),
        flags=2,
    ),
    Case(
        id="forced-both",
        what="both flags on a clean module; its __versions then take memory",
        files={"m": tiny("tm_ok")},
        steps=(load("m", flags=3), *shown("tm_ok")),
    ),
    Case(
        id="forced-crcs",
        what="the flag to ignore CRCs, with one that differs",
        files={"m": tiny("tm_ok", crc("module_layout", lambda old: old ^ 1))},
        steps=(load("m", flags=1), *shown("tm_ok")),
    ),
    Case(
        id="forced-signed",
        what="the flag on a signed module, whose signature then does not count",
        files={"m": debian("crc8")},
        steps=(load("m", flags=1), MODS, TAINT, delete("crc8"), load("m", flags=2), MODS, TAINT),
    ),
    Case(
        id="no-versions",
        what="no section __versions",
        files={"m": tiny("tm_ok", renamed("__versions", "__versionx"))},
        steps=(load("m"), *shown("tm_ok")),
    ),
    single(
        "layout-crc",
        "the CRC of module_layout differs",
        tiny("tm_ok", crc("module_layout", lambda old: old ^ 1)),
    ),
    single("layout-crc-none", "it is not there", tiny("tm_ok", no_crc("module_layout"))),
    _licence("Proprietary"),
    _licence("GPL v2"),
    _licence("GPL and additional rights"),
    _licence("Dual BSD/GPL"),
    _licence("Dual MIT/GPL"),
    _licence("Dual MPL/GPL"),
    _licence("gpl"),
    _licence("BSD"),
    _licence("GPLv2"),
    _licence(""),
    _licence(None),
    Case(
        id="proprietary-twice",
        what="a proprietary module a second time, and a free one after it",
        files={"p": tiny("tm_prop"), "m": tiny("tm_ok")},
        steps=(load("p"), MODS, delete("tm_prop"), load("p"), load("m"), MODS, TAINT),
    ),
    Case(
        id="license-spellings",
        what="one module with one licence and the next",
        files={
            "a": tiny("tm_prop", modinfo("license", "GPL v2")),
            "b": tiny("tm_prop", modinfo("license", "gpl")),
            "c": tiny("tm_prop", modinfo("license", "BSD")),
        },
        steps=(
            load("a"),
            MODS,
            delete("tm_prop"),
            load("b"),
            MODS,
            delete("tm_prop"),
            load("c"),
            MODS,
            TAINT,
        ),
    ),
    single("caught-ndiswrapper", "a name", tiny("tm_ok", struct_name("ndiswrapper"))),
    single("caught-driverloader", "a name", tiny("tm_ok", struct_name("driverloader"))),
    single("caught-lve", "a name", tiny("tm_ok", struct_name("lve"))),
    single(
        "caught-lve-proprietary",
        "a name, and the licence says it too",
        tiny("tm_ok", struct_name("lve"), modinfo("license", "BSD")),
    ),
    single("taint-intree", "intree=Y", tiny("tm_intree")),
    single("taint-intree-empty", "intree without a value", tiny("tm_ok", modinfo("intree", ""))),
    single("taint-staging", "staging=Y", tiny("tm_staging")),
    single("taint-test", "test=Y", tiny("tm_test")),
    single("taint-livepatch", "livepatch=Y", tiny("tm_livepatch")),
    Case(
        id="livepatch-kept",
        what="a live patch keeps its whole symbol table",
        files={"m": tiny("tm_livepatch")},
        steps=(load("m"), *shown("tm_livepatch")),
    ),
    single("no-retpoline", "no retpoline=Y", tiny("tm_ok", modinfo("retpoline", None))),
    Case(
        id="taints-once",
        what="what is told once, of two modules with everything",
        files={
            "a": tiny("tm_ok", modinfo("staging", "Y"), modinfo("livepatch", "Y")),
            "b": tiny("tm_static", modinfo("staging", "Y"), modinfo("livepatch", "Y")),
            "c": tiny("tm_meta", modinfo("test", "Y"), modinfo("license", "X")),
            "d": tiny("tm_notext", modinfo("test", "Y"), modinfo("license", "Y")),
        },
        steps=(load("a"), load("b"), load("c"), load("d"), MODS, TAINT),
    ),
    Case(
        id="unsigned-own",
        what="the distribution's module with its signature cut off: E alone",
        files={"m": debian("crc8", cut_signature)},
        steps=(load("m"), MODS, TAINT, delete("crc8"), load("m"), TAINT),
    ),
    Case(
        id="meta",
        what="version and srcversion are shown, all else is not",
        files={"m": tiny("tm_meta")},
        steps=(load("m"), *shown("tm_meta")),
    ),
)
