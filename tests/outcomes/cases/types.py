"""Type information (BTF) of a module that does not fit the kernel's: the module loads all the same.

Of each 6.1 says why. 6.12 says it of damage only, and of the first one in a boot that one did not
fit. The types are written as ``tests.builders.btf`` has them.
"""

from __future__ import annotations

from tests.builders.btf import a_btf
from tests.outcomes.case import MODS, Case, File, Modules, Step, debian, load, single
from tests.outcomes.patching import contents, cut_signature, patched, section


def crc8(*lines: str, **header: int) -> File:
    """Return the distribution's crc8, unsigned, with the types of *lines*."""

    def make(modules: Modules) -> bytes:
        types = modules.types
        made = a_btf(lines, len(types.strings), types.type_count + 1, header)
        return patched(modules.debian("crc8"), cut_signature, contents(".BTF", lambda _old: made))

    return make


def of(id: str, what: str, *lines: str, **header: int) -> Case:  # noqa: A002  # it is one
    """Return the case of such a crc8."""
    return single(f"btf-{id}", what, crc8(*lines, **header))


GOOD = "INT good 4 32"
_CHAIN = [f"CONST - first+{number}" for number in range(1, 33)]

CASES = (
    Case(
        id="btf-told-once",
        what="what every release tells once a boot is told once, and what each time each time",
        files={"a": crc8("FUNC - 2"), "b": crc8("FUNC num 2"), "g": crc8(GOOD)},
        steps=(
            load("g"),
            MODS,
            *[Step(op=op) for name in "ab" for op in ("del crc8 0x800", f"load /ko/{name}.ko 0")],
            MODS,
        ),
    ),
    single(
        "btf-empty",
        "no type information",
        debian("crc8", cut_signature, section(".BTF", "size", 0)),
    ),
    of("good", "a type that fits", GOOD),
    of("good-kernels-name", "a name that is one of the kernel's", "FUNC int 5"),
    of("magic", "the magic is wrong", magic=0x9FEB),
    of("header-short", "a header of 4 bytes", hdr=4),
    of("version", "version 2", version=2),
    of("flags", "flags in the header", flags=1),
    of("overlap", "the strings begin within the types", GOOD, so=4),
    of("too-long", "the strings reach past the end", GOOD, sl=5000),
    of("strings-end", "the strings do not end in NUL", GOOD, cut=1),
    of("garbage", "types that end within one", GOOD, garbage=4),
    of("kind", "a kind that there is not", "KIND20 good 4"),
    of("info", "reserved bits", "INT good 4 info=0x1010000 32"),
    of("name-outside", "a name behind all strings", "INT end 4 32"),
    of("int-bits", "a number of more bits than it has bytes for", "INT good 3 0x1000020"),
    of("int-encoding", "two encodings at once", "INT good 4 0x3000020"),
    of("ptr-name", "a pointer with a name", "PTR good 1"),
    of("ptr-flag", "a pointer with the flag of others", "PTR - 1 flag"),
    of("ptr-type", "a pointer to a type of a number that cannot be", "PTR - 0x100000"),
    of("func-name", "a function without a name", "FUNC - 2"),
    of("func-linkage", "a function that is linked in no way there is", "FUNC good 2 vlen=3"),
    of(
        "proto-name",
        "arguments of a function, one with a bad name",
        "FUNC_PROTO good 1 vlen=2 good 5 bad 7",
    ),
    of("struct-order", "members in a wrong order", "STRUCT good 8 vlen=2 good 1 32 good 1 8"),
    of("struct-member", "a member of no type", "STRUCT good 8 vlen=1 good 0 0"),
    of("struct-past", "a member behind the structure's end", "STRUCT good 8 vlen=1 good 1 65"),
    of(
        "struct-name",
        "a member with a name behind all strings",
        "STRUCT good 8 vlen=1 flag end 1 0x5000000",
    ),
    of(
        "union-member",
        "a member of a union that does not begin with it",
        "UNION good 8 vlen=1 good 1 64",
    ),
    of("enum-size", "an enumeration of 3 bytes", "ENUM good 3 vlen=1 good 7"),
    of("datasec", "variables that overlap", "DATASEC dot 16 vlen=2 5 0 8 5 4 4"),
    of("datasec-size", "a variable past the section's end", "DATASEC dot 16 vlen=1 5 12 8"),
    of("var-linkage", "a variable that is linked in no way there is", "VAR good 1 2"),
    of("enum-name", "an enumerator with a name behind all strings", "ENUM good 4 vlen=1 end 7"),
    of("decl-tag", "a tag of an argument that cannot be", "DECL_TAG good 1 -2"),
    of("float-size", "a floating-point number of 5 bytes", "FLOAT good 5"),
    of("fwd-type", "a union yet to come that has a type", "FWD good 5 flag"),
    of("circle", "two types that are made of each other", "CONST - first+1", "VOLATILE - first"),
    of("chain", "a chain of 32 types", *_CHAIN, "PTR - 1"),
    of("chain-long", "a chain of 33", *_CHAIN, "CONST - first+33", "PTR - 1"),
    of("missing", "a type that is not there", "CONST - first+5"),
    of("tag", "a tag behind a modifier", "CONST - first+1", "TYPE_TAG good 1"),
)
