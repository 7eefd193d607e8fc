"""Relocations: types, ranges, places that are not zero, tables that lead nowhere.

They are of a section that no code uses, so that what comes of them hurts nobody.
"""

from __future__ import annotations

from tests.outcomes.case import Case, debian, single, tiny
from tests.outcomes.patching import Patch, cut_signature, scratch

NONE, R_64, PC32, PLT32, R_32, R_32S, PC64 = 0, 1, 2, 4, 10, 11, 24
REL = 9
ONES = b"\1" + bytes(63)
SHF_RELA_LIVEPATCH = 0x00100000


def _case(id: str, what: str, patch: Patch) -> Case:  # noqa: A002  # it is one
    return single(f"relocation-{id}", what, tiny("tm_ok", patch))


def _one(
    kind: int, addend: int = 0, of: int | str = 0, at: int = 0
) -> tuple[int, int | str, int, int]:
    return at, of, kind, addend


OWN = debian("crc8", cut_signature, scratch(_one(R_64, 7, "crc8"), _one(PC64, 7, "crc8", 8)))

CASES = (
    _case("nothing", "a table without entries", scratch()),
    _case("unknown", "a type that there is not", scratch(_one(99))),
    _case("unknown-large", "the largest", scratch(_one(0xFFFFFFFF))),
    _case("64", "64 bits hold everything", scratch(_one(R_64, -1, "__this_module"))),
    _case("pc64", "so do they from here", scratch(_one(PC64, 5))),
    _case("pc32-far", "32 bits from here, too far", scratch(_one(PC32, 1 << 50))),
    _case("plt32-far", "the same of a jump", scratch(_one(PLT32, -(1 << 62)))),
    _case("32-zero", "32 bits: nothing", scratch(_one(R_32))),
    _case("32-last", "the largest that fits", scratch(_one(R_32, 0xFFFFFFFF))),
    _case("32-over", "one more", scratch(_one(R_32, 0x100000000))),
    _case("32-negative", "less than nothing", scratch(_one(R_32, -1))),
    _case("32-address", "an address of the module", scratch(_one(R_32, 0, "__this_module"))),
    _case("32s-last", "32 bits with a sign: the largest", scratch(_one(R_32S, 0x7FFFFFFF))),
    _case("32s-over", "one more", scratch(_one(R_32S, 0x80000000))),
    _case("32s-lowest", "the lowest", scratch(_one(R_32S, -0x80000000))),
    _case("32s-under", "one less", scratch(_one(R_32S, -0x80000001))),
    _case("32s-address", "an address of the module", scratch(_one(R_32S, 0, "__this_module"))),
    _case("32s-wraps", "it goes round", scratch(_one(R_32S, 0x7FFFFFFF, "__this_module"))),
    _case("place-64", "8 bytes that are not zero", scratch(_one(R_64, 0x1234), content=ONES)),
    _case("place-32", "4 bytes that are not zero", scratch(_one(R_32, 0x1234), content=ONES)),
    _case("place-32-over", "and too much besides", scratch(_one(R_32, -1), content=ONES)),
    _case("place-32s", "4 of the other kind", scratch(_one(R_32S, 0x1234), content=ONES)),
    _case("place-pc32", "4 from here", scratch(_one(PC32, 0x1234), content=ONES)),
    _case("place-pc64", "8 from here", scratch(_one(PC64, 0x1234), content=ONES)),
    _case("place-none", "the type that does nothing", scratch(_one(NONE, 1), content=ONES)),
    _case(
        "place-behind-32", "bytes behind the 4", scratch(_one(R_32S, 1), content=bytes(4) + ONES)
    ),
    _case("place-behind-64", "within the 8", scratch(_one(R_64, 1), content=bytes(4) + ONES)),
    _case("twice", "one place twice", scratch(_one(R_64, 0x77), _one(R_64, 0x77))),
    _case("twice-zero", "of which the first leaves it zero", scratch(_one(R_64), _one(R_64, 7))),
    _case(
        "overlapping", "one reaches into the other", scratch(_one(R_64, -1), _one(R_32, 1, at=4))
    ),
    _case("overlapping-zero", "with zeros", scratch(_one(R_64, 0x77), _one(R_32, 1, at=4))),
    _case("first-counts", "two that are bad", scratch(_one(99), _one(R_32, -1, at=8))),
    _case("rel", "a table without addends", scratch(_one(R_64), kind=REL)),
    _case("rel-empty", "an empty one", scratch(kind=REL)),
    _case("rel-no-memory", "of a section without memory", scratch(_one(R_64), kind=REL, flags=1)),
    _case("unknown-no-memory", "an unknown type of such a one", scratch(_one(99), flags=1)),
    _case("info-outside", "of a section that there is not", scratch(_one(99), info=0xFFFF)),
    _case("info-null", "of section 0", scratch(_one(99), info=0)),
    single("relocation-own", "in the distribution's module, unsigned", OWN),
    single(
        "relocation-own-32s",
        "the same, of an address in 32 bits with a sign",
        debian("crc8", cut_signature, scratch(_one(R_32S, 0, "crc8"))),
    ),
    single(
        "relocation-livepatch",
        "a table that is left to live patching, and is none",
        tiny("tm_livepatch", scratch(_one(99), rela_flags=SHF_RELA_LIVEPATCH)),
    ),
)
