"""Who asks, with what, for a module of which name."""

from __future__ import annotations

from tests.outcomes.case import (
    MODS,
    TAINT,
    Case,
    Step,
    debian,
    delete,
    do,
    iload,
    load,
    made,
    shown,
    single,
    tiny,
)
from tests.outcomes.patching import cut, modinfo, patched, struct_name

OK = tiny("tm_ok")

CASES = (
    Case(
        id="ok",
        what="an unsigned out-of-tree GPL module, and all that is seen of it",
        files={"m": OK},
        steps=(TAINT, load("m"), *shown("tm_ok"), delete("tm_ok"), MODS, TAINT),
    ),
    Case(
        id="ok-init_module",
        what="the same by init_module(2)",
        files={"m": OK},
        steps=(iload("m"), MODS, TAINT, delete("tm_ok")),
    ),
    Case(
        id="own",
        what="the distribution's own module, signed and of the tree",
        files={"m": debian("crc8")},
        steps=(load("m"), *shown("crc8"), delete("crc8"), TAINT),
    ),
    Case(
        id="name-taken",
        what="a name that is loaded, by either call, from the same file and from another",
        files={"m": OK, "x": tiny("tm_static", struct_name("tm_ok"))},
        steps=(load("m"), load("m"), iload("m"), load("x"), MODS),
    ),
    Case(
        id="name-of-modinfo-taken",
        what="a modinfo name that is loaded, where struct module has a free one",
        files={"m": OK, "x": tiny("tm_static", modinfo("name", "tm_ok"))},
        steps=(load("m"), load("x"), MODS),
    ),
    single(
        "name-differs",
        "modinfo and struct module have different names",
        tiny("tm_missing", modinfo("name", "other_name"), modinfo("vermagic", "no such")),
    ),
    single(
        "name-differs-unknown-symbols",
        "the same, refused for its symbols: the log has the struct's name",
        tiny("tm_missing", modinfo("name", "other_name")),
    ),
    single("name-builtin", "the name of a built-in module with a folder", tiny("printk")),
    Case(
        id="name-dash",
        what="a file with a dash, whose module has an underscore",
        files={"m": tiny("tm_dash")},
        steps=(load("m"), MODS, delete("tm-dash"), delete("tm_dash"), MODS),
    ),
    Case(
        id="name-dash-in-struct",
        what="a dash in the struct's own name: the kernel folds nothing",
        files={"m": tiny("tm_ok", struct_name("tm-ok")), "x": OK},
        steps=(load("m"), load("x"), MODS, delete("tm-ok"), delete("tm_ok")),
    ),
    Case(
        id="name-long",
        what="a name of 55 bytes, the most there may be",
        files={"m": tiny("tm_ok", struct_name("n" * 55))},
        steps=(load("m"), MODS, delete("n" * 55), MODS),
    ),
    Case(
        id="flags-unknown",
        what="flags that finit_module does not know",
        files={"m": OK},
        steps=(load("m", flags=8), load("m", flags=-1), load("m", flags=16), MODS, TAINT),
    ),
    Case(
        id="raw-calls",
        what="bad descriptors and pointers",
        files={"m": OK},
        steps=do(
            "raw badfd",
            "raw dirfd",
            "raw wronly /ko/m.ko",
            "raw nullinit",
            "raw faultinit",
            "raw devnull",
        ),
    ),
    Case(
        id="args-null",
        what="no text of parameters: refused late, when the module has tainted already",
        files={"m": OK},
        steps=(Step(op="raw nullargs /ko/m.ko"), MODS, TAINT),
    ),
    Case(
        id="file-empty",
        what="an empty file, by either call",
        files={"m": made(b"")},
        steps=(load("m"), iload("m"), MODS),
    ),
    Case(
        id="file-short",
        what="a byte less than an ELF header, by either call; and exactly one",
        files={"m": tiny("tm_ok", cut(63)), "h": tiny("tm_ok", cut(64))},
        steps=(load("m"), iload("m"), load("h"), iload("h"), MODS),
    ),
    Case(
        id="file-garbage",
        what="bytes that are no module, by either call",
        files={"m": made(bytes(range(256)) * 16)},
        steps=(load("m"), iload("m")),
    ),
    Case(
        id="file-trailing",
        what="garbage behind the image",
        files={"m": lambda modules: patched(modules.tiny("tm_ok"), lambda d: d + b"garbage" * 99)},
        steps=(load("m"), MODS),
    ),
    Case(
        id="capability",
        what="a user without CAP_SYS_MODULE, who may not insert, remove, or see addresses",
        files={"m": OK},
        steps=(
            Step(op="umode load /ko/m.ko 0"),
            Step(op="umode iload /ko/m.ko"),
            load("m"),
            *do("umode mods", "umode syms tm_ok"),
            Step(op="umode del tm_ok 0x800"),
            *do("umode del nosuch 0x800"),
            delete("tm_ok"),
        ),
    ),
    Case(
        id="addresses",
        what="kptr_restrict 0, 1 and 2: who is shown addresses, root or another",
        files={"m": OK},
        steps=(
            load("m"),
            *[
                step
                for level in (0, 1, 2)
                for step in do(
                    f"write /proc/sys/kernel/kptr_restrict {level}",
                    "cat /proc/sys/kernel/kptr_restrict",
                    "mods",
                    "syms tm_ok",
                    "cat /sys/module/tm_ok/sections/.exit.text",
                    "umode mods",
                    "umode syms tm_ok",
                )
            ],
            *do("write /proc/sys/kernel/kptr_restrict 3"),
            *do("write /proc/sys/kernel/kptr_restrict 0"),
            delete("tm_ok"),
        ),
    ),
    Case(
        id="blacklist",
        what="module_blacklist= of two names, and one that is not on it",
        files={"m": OK, "s": tiny("tm_static"), "c": debian("crc8")},
        steps=(load("m"), load("c"), load("s"), MODS, TAINT),
        command_line="module_blacklist=tm_ok,crc8",
    ),
    Case(
        id="blacklist-by-modinfo-name",
        what="the blacklist goes by the modinfo's name, where there is one",
        files={
            "m": tiny("tm_ok", modinfo("name", "other")),
            "n": tiny("tm_static", modinfo("name", "tm_ok")),
            "o": tiny("tm_ok", modinfo("name", None)),
        },
        steps=(load("m"), load("n"), load("o"), MODS),
        command_line="module_blacklist=tm_ok,crc8",
    ),
    Case(
        id="blacklist-folds-nothing",
        what="a dash on the list is not the underscore of a name",
        files={"m": tiny("tm_dash"), "n": OK},
        steps=(load("m"), load("n"), MODS),
        command_line="module_blacklist=tm-dash,tm-ok",
    ),
    Case(
        id="nomodule",
        what="nomodule on the command line",
        files={"m": OK},
        steps=(
            load("m"),
            iload("m"),
            delete("nosuch"),
            *do("cat /proc/sys/kernel/modules_disabled"),
        ),
        command_line="nomodule",
    ),
    Case(
        id="modules-disabled",
        what="kernel.modules_disabled, which cannot be unset",
        files={"m": OK, "s": tiny("tm_static")},
        steps=(
            load("m"),
            *do("write /proc/sys/kernel/modules_disabled 1"),
            load("s"),
            delete("tm_ok"),
            delete("nosuch"),
            *do("write /proc/sys/kernel/modules_disabled 0"),
            *do("cat /proc/sys/kernel/modules_disabled"),
            MODS,
        ),
        alone=True,
    ),
)
