"""Relocations of x86-64: what each type writes, what it has no room for, and what it finds there.

The texts are those that Debian's 6.1.0-56 and 6.12.117 printed for the same relocations of crc8.ko.
"""

from __future__ import annotations

import errno
import random
from dataclasses import replace

import pytest

from lkm.loader.facts import KernelFacts
from lkm.loader.options import KernelOptions
from tests.builders.elf import ARelocation
from tests.loader.examining import a_kernel
from tests.loader.relocating import (
    FAR,
    KERNEL_SYMBOLS,
    PLACE,
    a_relocated,
    findings_of,
    placed_in,
    texts_of,
)

OLD, NEW = "6.1.0-56-amd64", "6.12.117+deb12-amd64"
ONES = b"\1" + bytes(63)
SEEDS = 300
WIDTHS = {1: 8, 2: 4, 4: 4, 10: 4, 11: 4, 24: 8}
COMPLAINT = "3 module: `tm' likely not compiled with -mcmodel=kernel"


def a_kernel_of(release: str) -> KernelFacts:
    return a_kernel(*KERNEL_SYMBOLS, release=release)


def overflow(kind: int, value: int) -> list[str]:
    return [f"3 module: overflow in relocation type {kind} val {value:x}", COMPLAINT]


@pytest.mark.parametrize("release", [OLD, NEW])
@pytest.mark.parametrize(
    ("kind", "addend", "value"),
    [
        (10, 0, None),
        (10, 0xFFFF_FFFF, None),
        (10, 0x1_0000_0000, 0x1_0000_0000),
        (10, -1, 0xFFFF_FFFF_FFFF_FFFF),
        (11, 0x7FFF_FFFF, None),
        (11, 0x8000_0000, 0x8000_0000),
        (11, -0x8000_0000, None),
        (11, -0x8000_0001, 0xFFFF_FFFF_7FFF_FFFF),
        (1, -1, None),
        (2, 1 << 50, None),
        (4, -(1 << 62), None),
        (24, 1 << 60, None),
    ],
)
def test_each_type_has_room_for_its_range(
    release: str, kind: int, addend: int, value: int | None
) -> None:
    data = a_relocated(ARelocation(0, 0, kind, addend))

    expected = [] if value is None else overflow(kind, value)
    assert texts_of(findings_of(data, a_kernel_of(release))) == expected


@pytest.mark.parametrize(
    ("symbol", "addend", "value"),
    [
        ("far", 0, FAR),
        ("percpu", 0, None),
        ("percpu", -0x1F440, None),
        ("percpu", -0x1F441, (1 << 64) - 1),
        ("nobody", 5, None),
    ],
)
def test_an_address_of_32_bits_depends_on_the_symbol(
    symbol: str, addend: int, value: int | None
) -> None:
    data = a_relocated(ARelocation(0, symbol, 10, addend))

    assert texts_of(findings_of(data)) == ([] if value is None else overflow(10, value))


def test_a_place_of_the_module_is_beyond_32_bits_without_a_sign() -> None:
    data = a_relocated(ARelocation(0, "here", 10, 2))

    placed = placed_in(a_kernel_of(OLD), data).placed
    assert placed is not None
    (symbol,) = [each for each in placed_in(a_kernel_of(OLD), data).symbols if each.name == "here"]
    address = placed.addresses[symbol.section_index] + 8
    assert texts_of(findings_of(data)) == overflow(10, address + 2)
    assert findings_of(a_relocated(ARelocation(0, "here", 11, 2))) == []


def test_what_a_section_has_that_is_not_loaded_is_too_far_away() -> None:
    (finding,) = findings_of(a_relocated(ARelocation(0, "listed", 11)))

    assert finding.errno == errno.ENOEXEC
    assert findings_of(a_relocated(ARelocation(0, "listed", 2))) == []


def test_an_address_that_is_not_known_is_in_the_kernels_usual_range() -> None:
    assert findings_of(a_relocated(ARelocation(0, "somewhere", 11, 0x1000))) == []
    (finding,) = findings_of(a_relocated(ARelocation(0, "somewhere", 10, 0x1000)))
    assert (finding.errno, finding.could_not_tell) == (0, True)
    assert "somewhere" in finding.evidence


@pytest.mark.parametrize("kind", sorted(WIDTHS))
def test_what_is_there_already_must_be_zero(kind: int) -> None:
    data = a_relocated(ARelocation(0, 0, kind, 0x1234), contents=ONES)

    told = (
        "3 module: x86/modules: Skipping invalid relocation target, existing value is nonzero for "
        f"type {kind}, loc (____ptrval____), val 1234"
    )
    assert texts_of(findings_of(data)) == [told]


def test_a_newer_kernel_tells_the_value_that_it_would_write() -> None:
    kernel = a_kernel_of(NEW)
    data = a_relocated(ARelocation(0, 0, 2, 0x1234), contents=ONES)

    placed = placed_in(kernel, data).placed
    assert placed is not None
    (section,) = [each for each in placed_in(kernel, data).sections if each.name == PLACE]
    value = (0x1234 - placed.addresses[section.index]) % (1 << 64)
    assert texts_of(findings_of(data, kernel)) == [
        "3 module: x86/modules: Invalid relocation target, existing value is nonzero for type 2, "
        f"loc (____ptrval____), val {value:x}"
    ]


def test_of_both_faults_a_newer_kernel_tells_the_other() -> None:
    data = a_relocated(ARelocation(0, 0, 10, -1), contents=ONES)

    assert "nonzero for type 10" in texts_of(findings_of(data, a_kernel_of(OLD)))[0]
    assert texts_of(findings_of(data, a_kernel_of(NEW))) == overflow(10, (1 << 64) - 1)


def test_only_the_bytes_that_are_written_count() -> None:
    behind = bytes(4) + ONES

    assert findings_of(a_relocated(ARelocation(0, 0, 11, 1), contents=behind)) == []
    assert findings_of(a_relocated(ARelocation(0, 0, 1, 1), contents=behind))
    assert findings_of(a_relocated(ARelocation(0, 0, 0, 1), contents=ONES)) == []


@pytest.mark.parametrize(("first", "refused"), [(0x77, False), (-1, True), (0x1_0000_0000, True)])
def test_what_one_relocation_writes_the_next_one_finds(first: int, refused: bool) -> None:
    data = a_relocated(ARelocation(0, 0, 1, first), ARelocation(4, 0, 10, 1))

    assert bool(findings_of(data)) is refused


@pytest.mark.parametrize(
    "entry",
    [
        ARelocation(0, 5000, 1),
        ARelocation(0, 5000, 0),
        ARelocation(64, 0, 1),
        ARelocation(61, 0, 2),
    ],
)
def test_what_a_kernel_would_read_or_write_outside_is_refused_in_silence(
    entry: ARelocation,
) -> None:
    (finding,) = findings_of(a_relocated(entry))

    assert (finding.errno, finding.log) == (errno.ENOEXEC, ())
    assert "lkm refuses instead" in finding.evidence


def test_the_last_bytes_of_a_section_can_be_relocated() -> None:
    assert findings_of(a_relocated(ARelocation(60, 0, 2), ARelocation(48, 0, 1))) == []


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_check_agrees_with_one_that_does_one_after_the_other(seed: int) -> None:
    chance = random.Random(seed)  # a test's choice
    contents = bytearray(64)
    if chance.random() < 0.3:
        contents[chance.randrange(64)] = 1
    entries = [
        ARelocation(
            chance.randrange(0, 60, chance.choice((1, 4, 8))),
            chance.choice((0, "far", "percpu", "nobody")),
            chance.choice((0, 1, 2, 4, 11, 24, *([10, 12] if chance.random() < 0.1 else []))),
            chance.choice((0, 0, 4, -4, 1 << 20, 0x7FFF_FFFF - chance.randrange(2))),
        )
        for _ in range(chance.randrange(1, 5))
    ]
    release = chance.choice((OLD, NEW))
    kernel = a_kernel_of(release)
    data = a_relocated(*entries, contents=bytes(contents))

    module = placed_in(kernel, data)
    (section,) = [each for each in module.sections if each.name == PLACE]
    assert module.placed is not None
    start = module.placed.addresses[section.index]
    got = [(each.errno, len(each.log)) for each in findings_of(data, kernel)]
    assert got == obvious(entries, contents, start, newer=release == NEW)


def obvious(
    entries: list[ARelocation], memory: bytearray, start: int, *, newer: bool
) -> list[tuple[int, int]]:
    """Apply *entries*, one by one, and return the errno and number of lines of what refuses."""
    known = {symbol.name: symbol.address or 0 for symbol in KERNEL_SYMBOLS}
    for entry in entries:
        if entry.type == 0:
            continue
        if entry.type not in WIDTHS:
            return [(errno.ENOEXEC, 1)]
        width = WIDTHS[entry.type]
        if entry.offset + width > 64:
            return [(errno.ENOEXEC, 0)]
        symbol = known.get(entry.symbol, 0) if isinstance(entry.symbol, str) else 0
        value = (symbol + entry.addend) & ((1 << 64) - 1)
        if entry.type in {2, 4, 24}:
            value = (value - start - entry.offset) & ((1 << 64) - 1)
        written = value.to_bytes(8, "little")[:width]
        taken = any(memory[entry.offset : entry.offset + width])
        back = {10: int.from_bytes(written, "little")}.get(
            entry.type, int.from_bytes(written, "little", signed=True) % (1 << 64)
        )
        over = entry.type in {10, 11} and back != value
        if taken and over:
            return [(errno.ENOEXEC, 2 if newer else 1)]
        if taken or over:
            return [(errno.ENOEXEC, 1 if taken else 2)]
        memory[entry.offset : entry.offset + width] = written
    return []


def test_of_user_mode_linux_only_its_host_knows_where_modules_lie() -> None:
    """It has this code from another folder, and says so: ``subarch``."""
    kernel = replace(a_kernel_of(OLD), options=KernelOptions(uml=True))

    near = findings_of(a_relocated(ARelocation(0, "here", 11, 0)), kernel)
    wide = findings_of(a_relocated(ARelocation(0, "here", 1, 0)), kernel)
    unknown = findings_of(a_relocated(ARelocation(0, 0, 99, 0)), kernel)

    assert [each.could_not_tell for each in near] == [True]
    assert wide == []
    assert texts_of(unknown) == ["3 subarch: tm: Unknown rela relocation: 99"]
