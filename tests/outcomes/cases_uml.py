"""The cases of user-mode Linux: its own, and those of other kernels that its modules can make.

Each of its own turns on an option that Debian's kernels for amd64 have otherwise.
"""

from __future__ import annotations

from tests.outcomes.case import FORCE, MODS, TAINT, Case, debian, delete, do, load, shown
from tests.outcomes.cases import CASES
from tests.outcomes.patching import (
    appended,
    header,
    modinfo,
    renamed,
    section,
    struct_name,
    symbol_name,
    text_flipped,
    vermagic,
)

FAT, VFAT, MSDOS = debian("fat"), debian("vfat"), debian("msdos")
PSTORE = debian("pstore")
MARK = b"~Module signature appended~\n"

OWN = (
    Case(
        id="uml-own",
        what="all that is seen of a library: no pages of its own, no data among the symbols",
        files={"m": debian("crc7"), "c": debian("crc_itu_t")},
        steps=(
            load("m"),
            *shown("crc7"),
            load("c"),
            *shown("crc_itu_t"),
            delete("crc7"),
            delete("crc_itu_t"),
            MODS,
        ),
    ),
    Case(
        id="uml-dependants",
        what="two users of one module; references, holders, the order of removal",
        files={"f": FAT, "v": VFAT, "d": MSDOS},
        steps=(
            load("v"),
            load("f"),
            load("v"),
            load("d"),
            MODS,
            *do("sys fat/holders", "sys vfat", "syms vfat", "cat /sys/module/fat/refcnt"),
            delete("fat"),
            delete("fat", FORCE),
            delete("vfat"),
            MODS,
            load("v"),
            MODS,
            delete("msdos"),
            delete("vfat"),
            delete("fat"),
            TAINT,
        ),
    ),
    Case(
        id="uml-gpl-only",
        what="a proprietary user does not see what is for free modules only",
        files={"f": FAT, "v": debian("vfat", modinfo("license", "X")), "m": MSDOS},
        steps=(load("f"), load("v"), MODS, TAINT, load("m"), MODS),
    ),
    Case(
        id="uml-inherit-refused",
        what="symbols for free modules only, of a module that is not free itself",
        files={"f": debian("fat", modinfo("license", "X")), "v": VFAT},
        steps=(load("f"), load("v"), MODS, TAINT),
    ),
    Case(
        id="uml-inherit",
        what="plain symbols of a proprietary module: its user becomes one",
        files={
            "l": debian("libarc4", modinfo("license", "X")),
            "i": debian("crc_itu_t", modinfo("license", "Y")),
            "o": debian("omfs"),
        },
        steps=(load("l"), load("i"), load("o"), MODS, TAINT),
    ),
    Case(
        id="uml-vermagic-release",
        what="without CRCs the release is compared, too; the flag for CRCs changes nothing",
        files={"m": debian("crc7", vermagic(lambda magic: magic.replace("6.1.", "6.2.")))},
        steps=(load("m"), load("m", flags=1), load("m", flags=2), MODS, TAINT),
    ),
    Case(
        id="uml-vermagic-word",
        what="a word more, a blank less: compared to the byte",
        files={
            "w": debian("crc7", vermagic(lambda magic: magic + "modversions ")),
            "b": debian("crc7", vermagic(str.rstrip)),
        },
        steps=(load("w"), load("b"), MODS, TAINT),
    ),
    Case(
        id="uml-flags",
        what="the flags for CRCs and vermagic on a module that needs neither",
        files={"m": debian("crc7")},
        steps=(load("m", flags=1), *shown("crc7"), delete("crc7"), load("m", flags=3), MODS, TAINT),
    ),
    Case(
        id="uml-versions",
        what="a section of CRCs, which nobody compares, takes no memory all the same",
        files={"m": debian("crc7", renamed(".comment", "__versions"))},
        steps=(load("m"), *shown("crc7"), delete("crc7"), load("m", flags=1), MODS, TAINT),
    ),
    Case(
        id="uml-writable-code",
        what="code that can be written, and data that can be run",
        files={
            "t": debian("crc7", section(".text", "flags", 7)),
            "d": debian("nls_ascii", section(".data", "flags", 7)),
        },
        steps=(load("t"), *shown("crc7"), load("d"), *shown("nls_ascii")),
    ),
    Case(
        id="uml-no-force",
        what="no removal by force: the flag is passed over, and taints nothing",
        files={"f": FAT, "v": VFAT},
        steps=(load("f"), load("v"), delete("fat", "0x200"), delete("vfat", FORCE), MODS, TAINT),
    ),
    Case(
        id="uml-permanent",
        what="an init function without an exit function: it stays, by force, too",
        files={"m": debian("mpi")},
        steps=(load("m"), MODS, delete("mpi"), delete("mpi", FORCE), MODS, TAINT),
        alone=True,
    ),
    Case(
        id="uml-signature",
        what="signatures are not looked at: one that is none at all, and none",
        files={
            "s": debian("crc7", appended(b"nonsense" * 8 + MARK)),
            "c": debian("crc4", appended(bytes(12) + MARK)),
        },
        steps=(load("s"), MODS, load("c"), MODS, TAINT),
    ),
    Case(
        id="uml-changed",
        what="so a module with one bit changed is as good",
        files={"m": debian("crc7", text_flipped)},
        steps=(load("m"), *shown("crc7")),
    ),
    Case(
        id="uml-per-cpu",
        what="one processor: no section is one of per-CPU data",
        files={"m": debian("nls_ascii", renamed(".data", ".data..percpu"))},
        steps=(load("m"), *shown("nls_ascii")),
    ),
    Case(
        id="uml-after-init",
        what="data that turns read-only takes no pages",
        files={"m": debian("nls_ascii", renamed(".data", ".data..ro_after_init"))},
        steps=(load("m"), *shown("nls_ascii")),
    ),
    Case(
        id="uml-aligned",
        what="a section's large alignment",
        files={"m": debian("nls_ascii", section(".data", "align", 1 << 14))},
        steps=(load("m"), *shown("nls_ascii")),
    ),
    Case(
        id="uml-names",
        what="a name with a dash, one of 55 bytes, and one that is taken",
        files={
            "d": debian("crc7", struct_name("crc-7")),
            "n": debian("crc4", struct_name("n" * 55)),
            "t": debian("crc_itu_t", struct_name("crc-7")),
        },
        steps=(load("d"), load("n"), load("t"), MODS, delete("crc_7"), delete("crc-7"), MODS),
    ),
    Case(
        id="uml-duplicate",
        what="exports that another module has",
        files={"m": debian("crc7"), "o": debian("crc7", struct_name("other"))},
        steps=(load("m"), load("o"), MODS, delete("crc7"), load("o"), load("m"), MODS, TAINT),
    ),
    Case(
        id="uml-unknown-symbols",
        what="symbols that nobody has, of the kernel and of a module",
        files={
            "m": debian(
                "nls_ascii",
                symbol_name("__register_nls", "__register_nlx"),
                symbol_name("unregister_nls", "crc7_be"),
            ),
            "c": debian("crc7"),
        },
        steps=(load("m"), load("c"), load("m"), MODS, TAINT),
    ),
    Case(
        id="uml-taints",
        what="what makes the kernel taint itself, in one module; and again",
        files={
            "m": debian(
                "crc7",
                modinfo("intree", None),
                modinfo("staging", "Y"),
                modinfo("test", "Y"),
                modinfo("license", "X"),
            )
        },
        steps=(load("m"), MODS, TAINT, delete("crc7"), load("m"), *shown("crc7")),
    ),
    Case(
        id="uml-parameters",
        what="a number, texts; what is set is shown",
        files={"m": PSTORE},
        steps=(
            load("m", "update_ms=250 backend=none"),
            *do("sys pstore/parameters"),
            delete("pstore"),
            load("m", 'backend="a b" compress='),
            *do("sys pstore/parameters"),
            delete("pstore"),
            load("m"),
            *do("sys pstore"),
        ),
    ),
    Case(
        id="uml-parameters-bad",
        what="values that do not fit, and no value",
        files={"m": PSTORE},
        steps=(
            load("m", "update_ms=abc"),
            load("m", "update_ms=99999999999"),
            load("m", "update_ms"),
            load("m", "backend"),
            load("m", f"backend={'x' * 1025}"),
            load("m", "nosuch=1 update_ms=x -- rest"),
            MODS,
            TAINT,
        ),
    ),
    Case(
        id="uml-no-dynamic-debug",
        what="no dynamic debugging: names with dots are unknown as a whole",
        files={"m": PSTORE},
        steps=(
            load("m", "dyndbg=+p"),
            delete("pstore"),
            load("m", "dyndbg async_probe"),
            delete("pstore"),
            load("m", "pstore.update_ms=3 pstore.dyndbg a.b.c=1"),
            *do("sys pstore/parameters"),
        ),
    ),
    Case(
        id="uml-blacklist",
        what="module_blacklist= of two names",
        files={"m": debian("crc7"), "i": debian("crc_itu_t"), "o": debian("crc4")},
        steps=(load("m"), load("i"), load("o"), MODS, TAINT),
        command_line="module_blacklist=crc7,crc_itu_t,crc-4",
    ),
    Case(
        id="uml-enforced",
        what="no kernel without signatures enforces them",
        files={"m": debian("crc7")},
        steps=(load("m"), MODS, TAINT),
        command_line="module.sig_enforce=1 lockdown=integrity",
    ),
    Case(
        id="uml-disabled",
        what="kernel.modules_disabled, which cannot be unset",
        files={"m": debian("crc7"), "i": debian("crc4")},
        steps=(
            load("m"),
            *do("write /proc/sys/kernel/modules_disabled 1"),
            load("i"),
            delete("crc7"),
            *do("write /proc/sys/kernel/modules_disabled 0"),
            MODS,
        ),
        alone=True,
    ),
    Case(
        id="uml-machine",
        what="it is an x86-64 machine, and not its own",
        files={
            "a": debian("crc7", header("machine", 183)),
            "i": debian("crc7", header("machine", 3)),
        },
        steps=(load("a"), load("i"), MODS, TAINT),
    ),
    Case(
        id="uml-user",
        what="a user without CAP_SYS_MODULE, who sees no addresses",
        files={"m": debian("crc_itu_t")},
        steps=(
            *do("umode load /ko/m.ko 0"),
            load("m"),
            *do("umode mods", "umode syms crc_itu_t", "umode del crc_itu_t 0x800"),
            MODS,
        ),
    ),
    Case(
        id="uml-compressed",
        what="nothing is decompressed",
        files={"m": debian("crc7")},
        steps=(load("m", flags=4), load("m", flags=7), MODS, TAINT),
    ),
)

# What no comparison can tell, or no user-mode Linux stands.
_LEFT_OUT = frozenset(
    {
        # Its host says where modules lie, so that lkm does not know what 32 bits have room for.
        *("relocation-32-address", "relocation-32s-address", "relocation-32s-wraps"),
        "relocation-own-32s",
        # It tells of this without ending the line, which comes with the next one then.
        *("taint-livepatch", "meta", "relocation-livepatch", "row-refused-taints"),
        *("livepatch-kept", "both-sections-license", "both-signature-elf"),
        # It reads behind its copy of the file, and hangs.
        "elf-section-name-comment",
        # It tells of these by warnings with lines of their own.
        *("memory-too-large", "corner-name-empty"),
    }
)
_NOT_FOR_IT = ("signature-", "packed-")


def shared(word: str = "") -> tuple[Case, ...]:
    """Return the cases of other kernels, as far as this one can have them; ids hold *word*."""
    return tuple(
        [
            case
            for case in CASES.values()
            if "6.1" in case.series
            and word in case.id
            and case.id not in _LEFT_OUT
            and not case.id.startswith(_NOT_FOR_IT)
            and case.files
            and not case.alone
        ]
    )
