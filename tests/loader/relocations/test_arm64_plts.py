"""The room that an arm64 kernel makes in a module for branches that do not reach."""

from __future__ import annotations

import random

import pytest

from lkm.elf.file import ElfFile, Section
from lkm.elf.relocations import read_relocations
from lkm.elf.symbols import Symbol, read_symbols
from lkm.loader.checks import examine
from lkm.loader.facts import KernelFacts
from lkm.loader.memory.layout import layout
from lkm.loader.options import DEBIAN, KernelOptions
from lkm.loader.relocations.arm64_plts import branch_entries, jump_tables, sized_sections
from lkm.loader.relocations.columns import read_columns
from lkm.module.file import image_from_bytes, read_image
from lkm.names import module_name_of_path
from tests.builders.elf import EM_AARCH64, ARelocation, ASection
from tests.conftest import missing
from tests.debian import NotHere, unpacked
from tests.loader.examining import VERMAGIC, a_kernel, facts_of
from tests.loader.relocating import KERNEL_SYMBOLS, PLACE, a_relocated

TABLES = (
    ASection(".plt", b"\0"),
    ASection(".init.plt", b"\0"),
    ASection(".text.ftrace_trampoline", b"\0"),
)
CODE = 6
CALL, JUMP = 283, 282
SEEDS = 300
# What /proc/modules of Debian's 6.1.0-56-arm64 (6.1.192-2), in QEMU, told of modules whose size
# depends on the tables.
SEEN = {
    "gpio_fan": 20480,
    "acenic": 40960,
    "freevxfs": 24576,
    "sdhci": 69632,
    "tda8083": 20480,
    "atl1e": 49152,
    "bfs": 24576,
    "crypto_user": 20480,
    "jfs": 196608,
    "qnx4": 20480,
    "gpio_pcie_idio_24": 24576,
    "mxl5xx": 32768,
    "ena": 106496,
    "test_firmware": 24576,
    "evdev": 32768,
    "cls_basic": 20480,
}


def an_arm64(*entries: ARelocation, extra: tuple[ASection, ...] = TABLES) -> bytes:
    contents = bytes(4 * max(len(entries), 16))
    return a_relocated(
        *entries,
        contents=contents,
        flags=CODE,
        extra=extra,
        machine=EM_AARCH64,
        vermagic=VERMAGIC,
    )


def sizes(data: bytes, version: tuple[int, ...] = (6, 1)) -> dict[str, tuple[int, int, int]]:
    elf = ElfFile.from_bytes(data)
    sections = sized_sections(elf, read_symbols(elf), version, DEBIAN)
    return {each.name: (each.size, each.addralign, each.flags) for each in sections}


def test_every_branch_out_of_the_section_gets_an_entry_of_twelve_bytes() -> None:
    got = sizes(an_arm64(ARelocation(0, "far", CALL), ARelocation(4, "somewhere", JUMP)))

    assert got[".plt"] == (36, 64, CODE)
    assert got[".init.plt"] == (12, 64, CODE)


@pytest.mark.parametrize(("version", "size"), [((6, 1), 24), ((6, 2), 12), ((6, 12, 117), 12)])
def test_ftrace_has_one_trampoline_or_two(version: tuple[int, ...], size: int) -> None:
    assert sizes(an_arm64(), version)[".text.ftrace_trampoline"] == (size, 4, CODE)


@pytest.mark.parametrize(
    ("entries", "count"),
    [
        ([("here", CALL, 0)], 0),
        ([("far", 277, 0)], 0),
        ([("far", CALL, 0), ("far", CALL, 0), ("far", 277, 0)], 1),
        ([("far", CALL, 0), ("far", JUMP, 0), ("far", 277, 0)], 2),
        ([("far", CALL, 4), ("far", CALL, 4), ("far", 277, 0)], 2),
        ([("far", CALL, 0), ("here", CALL, 0), ("nobody", CALL, 0)], 2),
        # Where every one leads out, the last is not sorted in.
        ([("far", CALL, 0)], 1),
        ([("somewhere", CALL, 0), ("far", CALL, 0), ("far", CALL, 0)], 3),
        ([("far", CALL, 0), ("somewhere", CALL, 0), ("somewhere", CALL, 0)], 2),
    ],
)
def test_branches_to_the_same_symbol_share_an_entry(
    entries: list[tuple[str, int, int]], count: int
) -> None:
    rows = [ARelocation(4 * at, *entry) for at, entry in enumerate(entries)]

    assert sizes(an_arm64(*rows))[".plt"][0] == 12 * (count + 1)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_count_is_that_of_a_walk_with_every_step(seed: int) -> None:
    chance = random.Random(seed)  # a test's choice
    names = ["far", "somewhere", "nobody", *(["here"] if chance.random() < 0.5 else [])]
    kinds = [CALL, JUMP, *([277] if chance.random() < 0.5 else [])]
    rows = [
        ARelocation(4 * at, chance.choice(names), chance.choice(kinds), chance.choice((0, 0, 0, 8)))
        for at in range(chance.randrange(1, 9))
    ]
    elf = ElfFile.from_bytes(an_arm64(*rows))
    section = elf.section(f".rela{PLACE}")
    target = elf.section(PLACE)
    assert section is not None
    assert target is not None

    symbols = read_symbols(elf)
    got = branch_entries(read_columns(elf, section), symbols, target)
    assert got == walked(elf, section, symbols, target.index)


def walked(elf: ElfFile, section: Section, symbols: tuple[Symbol, ...], target: int) -> int:
    """Bring branches to the front, sort them, and count what differs from the one before."""
    rows = [(each.type, each.symbol_index, each.addend) for each in read_relocations(elf, section)]

    def leads_out(row: tuple[int, int, int]) -> bool:
        return row[0] in {CALL, JUMP} and symbols[row[1]].section_index != target

    front, back = 0, len(rows) - 1
    while front < back:
        if leads_out(rows[front]):
            front += 1
        elif leads_out(rows[back]):
            rows[front], rows[back] = rows[back], rows[front]
        else:
            back -= 1
    rows[:front] = sorted(rows[:front])
    return sum(
        1
        for at, row in enumerate(rows)
        if leads_out(row) and (row[2] or at == 0 or row != rows[at - 1])
    )


def test_an_x86_64_module_has_no_tables_whatever_its_sections_are_called() -> None:
    got = sizes(a_relocated(extra=TABLES))

    assert got[".plt"][0] == 1


@pytest.mark.parametrize(
    ("release", "has_option", "refused"),
    [("6.1.0-56-arm64", True, True), ("6.1.0-56-arm64", False, False), ("6.12.1", False, True)],
)
def test_a_module_without_the_tables_is_refused(
    release: str, has_option: bool, refused: bool
) -> None:
    kernel = a_kernel(
        *KERNEL_SYMBOLS,
        release=release,
        machine=EM_AARCH64,
        modversions=False,
        options=KernelOptions(arm64_module_plts=has_option),
    )
    image = image_from_bytes(an_arm64(extra=TABLES[:1]), name="tm")

    found = list(jump_tables(facts_of(image, kernel), kernel))

    texts = [f"{line.level} {line.text}" for each in found for line in each.log]
    assert texts == (["3 tm: module PLT section(s) missing"] if refused else [])
    assert [each.check for each in examine(image, kernel).findings].count("jump-tables") == refused


@pytest.mark.debian
@pytest.mark.oracle
def test_sizes_are_those_that_a_real_kernel_showed() -> None:
    release = "6.1.0-56-arm64"
    try:
        root = unpacked(f"linux-image-{release}", "arm64")
    except NotHere as reason:
        missing("debian", str(reason))
        raise
    options = KernelOptions(kallsyms_all=False)  # Debian's kernels for arm64 have it off
    kernel = KernelFacts(release=release, machine=EM_AARCH64, options=options)

    got = {
        str(name): layout(facts_of(read_image(str(path)), kernel), kernel.version, options).size
        for path in (root / "lib/modules").rglob("*.ko*")
        if (name := module_name_of_path(str(path))) in SEEN
    }

    assert got == SEEN
