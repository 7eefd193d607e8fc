"""Relocations of arm64: each type's range to the last value, and branches that do not reach."""

from __future__ import annotations

import errno
import random

import pytest

from lkm.loader.facts import KernelFacts
from lkm.loader.options import KernelOptions
from lkm.loader.relocations.arm64 import RULES
from tests.builders.elf import EM_AARCH64, SHF_ALLOC, SHF_EXECINSTR, ARelocation, ASection
from tests.loader.examining import a_kernel
from tests.loader.relocating import KERNEL_SYMBOLS, a_relocated, findings_of, placed_in, texts_of

OLD, NEW = "6.1.0-56-arm64", "6.12.117+deb12-arm64"
HERE = 8  # of the symbol ``here`` in its section
CODE = SHF_ALLOC | SHF_EXECINSTR
TABLES = (ASection(".plt", b"\0"), ASection(".init.plt", b"\0"))
SEEDS = 200
# The ABI's names, with the range of each in bytes: of S + A, or of S + A - P.
ABSOLUTE = {
    258: (0, (1 << 32) - 1),
    259: (0, (1 << 16) - 1),
    263: (0, (1 << 16) - 1),
    265: (0, (1 << 32) - 1),
    267: (0, (1 << 48) - 1),
    270: (-(1 << 16), (1 << 16) - 1),
    271: (-(1 << 32), (1 << 32) - 1),
    272: (-(1 << 48), (1 << 48) - 1),
}
RELATIVE = {
    261: (-(1 << 31), (1 << 31) - 1),
    262: (-(1 << 15), (1 << 15) - 1),
    273: (-(1 << 20), (1 << 20) - 1),
    274: (-(1 << 20), (1 << 20) - 1),
    279: (-(1 << 15), (1 << 15) - 1),
    280: (-(1 << 20), (1 << 20) - 1),
    287: (-(1 << 16), (1 << 16) - 1),
    289: (-(1 << 32), (1 << 32) - 1),
    291: (-(1 << 48), (1 << 48) - 1),
}
UNCHECKED = sorted({each for each in RULES if RULES[each].fitting is None})


def a_kernel_of(release: str, **parts: object) -> KernelFacts:
    return a_kernel(*KERNEL_SYMBOLS, release=release, machine=EM_AARCH64, **parts)


def an_arm64(
    *entries: ARelocation, flags: int = CODE, extra: tuple[ASection, ...] = TABLES
) -> bytes:
    return a_relocated(*entries, flags=flags, extra=extra, machine=EM_AARCH64)


def told(*entries: ARelocation, release: str = OLD) -> list[str]:
    return texts_of(findings_of(an_arm64(*entries), a_kernel_of(release)))


@pytest.mark.parametrize("kind", ABSOLUTE)
def test_an_absolute_type_has_room_for_its_range(kind: int) -> None:
    low, high = ABSOLUTE[kind]

    for value in (low, high, 0):
        assert told(ARelocation(0, 0, kind, value)) == [], value
    for value in (low - 1, high + 1):
        shown = f"{value % (1 << 64):x}"
        assert told(ARelocation(0, 0, kind, value)) == [
            f"3 module tm: overflow in relocation type {kind} val {shown}"
        ]


@pytest.mark.parametrize("kind", RELATIVE)
@pytest.mark.parametrize("place", [0, 40])
def test_a_relative_type_has_room_for_its_range(kind: int, place: int) -> None:
    low, high = RELATIVE[kind]
    back = place - HERE

    for value in (low, high, 0):
        assert told(ARelocation(place, "here", kind, value + back)) == [], value
    for value in (low - 1, high + 1):
        (line,) = told(ARelocation(place, "here", kind, value + back))
        assert line.startswith(f"3 module tm: overflow in relocation type {kind} val ")


def test_pages_are_counted_from_page_to_page() -> None:
    module = placed_in(a_kernel_of(OLD), an_arm64())
    (symbol,) = [each for each in module.symbols if each.name == "here"]
    assert module.placed is not None
    # What "here" has before it in its page, which the place is in as well.
    before = module.placed.addresses[symbol.section_index] % 4096 + HERE

    assert told(ARelocation(0, "here", 275, (1 << 32) - 1 - before)) == []
    assert told(ARelocation(0, "here", 275, (1 << 32) - before))
    assert told(ARelocation(0, "here", 275, -(1 << 32) - before)) == []
    assert told(ARelocation(0, "here", 275, -(1 << 32) - before - 1))
    assert told(ARelocation(0, "here", 276, -(1 << 40))) == []


@pytest.mark.parametrize("kind", UNCHECKED)
def test_the_others_are_never_too_large(kind: int) -> None:
    for addend in (-(1 << 62), 0, 1 << 62):
        assert told(ARelocation(0, "here", kind, addend)) == []


@pytest.mark.parametrize(
    ("release", "prefix"), [(OLD, "3 module tm: "), (NEW, "3 Modules: module tm: ")]
)
def test_what_is_told_begins_as_the_release_has_it(release: str, prefix: str) -> None:
    assert told(ARelocation(0, 0, 99), release=release) == [
        f"{prefix}unsupported RELA relocation: 99"
    ]
    assert told(ARelocation(0, 0, 259, 65536), release=release) == [
        f"{prefix}overflow in relocation type 259 val 10000"
    ]


def test_nothing_need_be_zero_and_nothing_is_written_by_type_none() -> None:
    entries = [ARelocation(0, 0, 257, 1), ARelocation(0, 0, 257, 2), ARelocation(999, 0, 256)]

    assert told(*entries) == []


@pytest.mark.parametrize("kind", [282, 283])
def test_a_branch_to_the_kernel_goes_by_the_tables_where_it_must(kind: int) -> None:
    assert told(ARelocation(0, "far", kind), ARelocation(4, "somewhere", kind)) == []


def test_a_branch_that_no_room_was_made_for_cannot_be_told() -> None:
    near, far = (1 << 27) - 1 - HERE, (1 << 27) - HERE

    assert told(ARelocation(0, "here", 283, near)) == []
    (finding,) = findings_of(an_arm64(ARelocation(0, "here", 283, far)), a_kernel_of(OLD))
    assert (finding.errno, finding.could_not_tell) == (0, True)


def test_without_tables_a_branch_that_does_not_reach_is_an_overflow() -> None:
    kernel = a_kernel_of(OLD, options=KernelOptions(arm64_module_plts=False))
    far = an_arm64(ARelocation(0, "here", 283, 1 << 27), extra=())

    (line,) = texts_of(findings_of(far, kernel))

    assert line.startswith("3 module tm: overflow in relocation type 283 val ffff8")
    assert findings_of(an_arm64(ARelocation(0, "far", 283), extra=()), kernel) == []


@pytest.mark.parametrize(("symbol", "kind"), [("far", 274), ("far", 280), ("listed", 261)])
def test_what_depends_on_where_the_kernel_lies_cannot_be_told(symbol: str, kind: int) -> None:
    (finding,) = findings_of(an_arm64(ARelocation(0, symbol, kind)), a_kernel_of(OLD))

    assert (finding.errno, finding.could_not_tell) == (0, True)


@pytest.mark.parametrize("kind", [258, 259, 263, 265, 267])
def test_no_address_of_the_kernel_has_room_in_less_than_64_bits(kind: int) -> None:
    (finding,) = findings_of(an_arm64(ARelocation(0, "far", kind)), a_kernel_of(OLD))

    assert finding.errno == errno.ENOEXEC


@pytest.mark.parametrize("kind", [261, 275, 277, 283, 257])
def test_the_kernel_is_near_enough_for_what_compilers_write(kind: int) -> None:
    assert told(ARelocation(0, "far", kind, 16)) == []
    assert told(ARelocation(0, "percpu", kind, 16)) == []


def test_what_a_kernel_would_read_or_write_outside_is_refused_in_silence() -> None:
    for entry in (ARelocation(57, 0, 257), ARelocation(0, 5000, 277), ARelocation(63, 0, 259)):
        (finding,) = findings_of(an_arm64(entry), a_kernel_of(OLD))
        assert (finding.errno, finding.log) == (errno.ENOEXEC, ())


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_check_agrees_with_one_that_does_one_after_the_other(seed: int) -> None:
    chance = random.Random(seed)  # a test's choice
    ranges = {**ABSOLUTE, **RELATIVE}
    entries = []
    for _ in range(chance.randrange(1, 5)):
        kind = chance.choice(sorted(ranges))
        place = chance.randrange(0, 56, 4)
        low, high = ranges[kind]
        value = chance.choice(
            [low, high, 0, *([low - 1, high + 1] if chance.random() < 0.2 else [])]
        )
        if kind in ABSOLUTE:
            entries.append((ARelocation(place, 0, kind, value), low <= value <= high))
        else:
            entry = ARelocation(place, "here", kind, value + place - HERE)
            entries.append((entry, low <= value <= high))

    got = told(*[entry for entry, _fits in entries])

    wrong = [entry.type for entry, fits in entries if not fits]
    assert [int(line.split()[7]) for line in got] == wrong[:1]
