from __future__ import annotations

import json
from pathlib import Path

import pytest

from lkm.loader.facts import KernelFacts, ModuleFacts, module_facts
from lkm.loader.layout import layout
from lkm.module.file import image_from_bytes, read_image
from lkm.names import module_name_of_path
from tests.builders.elf import ASection, ASymbol, a_module
from tests.debian import NotHere, unpacked

PAGE = 4096
SEEN = Path(__file__).parent.parent / "data/sizes-6.1.0-56-amd64.json"
WRITE, ALLOC, EXEC = 1, 2, 4
NOBITS = 8


def facts(flags: int = 0, **parts: object) -> ModuleFacts:
    kernel = KernelFacts(release="6.1.0")
    return module_facts(image_from_bytes(a_module(**parts), name="tiny"), kernel, flags)


def size(module: ModuleFacts, version: tuple[int, int] = (6, 1)) -> int:
    return layout(module, version).size


def test_before_6_4_each_kind_begins_a_page_and_the_symbols_another() -> None:
    # Text, no read-only data, struct module, kept symbols: one page each for three of them.
    assert size(facts()) == 3 * PAGE
    with_read_only_data = facts(extra=(ASection(".rodata", b"\0" * 8),))
    assert size(with_read_only_data) == 4 * PAGE


def test_from_6_4_on_the_symbols_share_the_datas_page() -> None:
    assert size(facts(), (6, 12)) == 2 * PAGE
    assert size(facts(extra=(ASection(".rodata", b"\0" * 8),)), (6, 12)) == 3 * PAGE


def test_init_sections_are_given_back_and_do_not_count() -> None:
    large = ASection(".init.data", b"\0" * 5 * PAGE, flags=ALLOC | WRITE)

    assert size(facts(extra=(large,))) == size(facts())
    assert size(facts(extra=(large,)), (6, 12)) == size(facts(), (6, 12))
    assert sum(area.size for area in layout(facts(extra=(large,)), (6, 1)).areas if area.init) > (
        5 * PAGE
    )


def test_exit_sections_stay() -> None:
    large = ASection(".exit.data", b"\0" * PAGE, flags=ALLOC | WRITE)

    assert size(facts(extra=(large,))) == size(facts()) + PAGE


def test_memory_that_the_file_does_not_hold_counts() -> None:
    bss = ASection(".bss", type=NOBITS, flags=ALLOC | WRITE, size=10 * PAGE)

    assert size(facts(extra=(bss,))) == size(facts()) + 10 * PAGE


def test_percpu_data_and_what_is_not_allocated_count_for_nothing() -> None:
    percpu = ASection(".data..percpu", b"\0" * 3 * PAGE, flags=ALLOC | WRITE)
    debug = ASection(".debug_info", b"\0" * 3 * PAGE, flags=0)

    assert size(facts(extra=(percpu, debug))) == size(facts())


def test_alignment_is_kept_inside_a_kind() -> None:
    module = facts(extra=(ASection(".text.hot", b"\xc3", flags=ALLOC | EXEC, align=256),))
    (hot,) = [section for section in module.sections if section.name == ".text.hot"]

    kind, init, offset = layout(module, (6, 1)).offsets[hot.index]

    assert (kind, init, offset) == ("core", False, 256)


def test_read_only_after_init_has_its_own_page() -> None:
    module = facts(extra=(ASection(".data..ro_after_init", b"\0" * 8, flags=ALLOC | WRITE),))

    assert size(module) == size(facts()) + PAGE
    assert size(module, (6, 12)) == size(facts(), (6, 12)) + PAGE


def test_many_symbols_take_more_pages() -> None:
    symbols = [ASymbol(f"a_symbol_with_a_long_name_{number}", ".text") for number in range(300)]

    assert size(facts(extra_symbols=symbols)) > size(facts())


def test_ignored_crcs_are_laid_out() -> None:
    versions = {f"symbol_{number}": number for number in range(100)}

    kept = layout(facts(flags=1, versions=versions), (6, 1))

    assert kept.size == size(facts(versions=versions)) + 2 * PAGE


def test_every_area_is_whole_pages() -> None:
    for version in ((6, 1), (6, 12)):
        assert all(area.size % PAGE == 0 for area in layout(facts(), version).areas)


@pytest.mark.debian
@pytest.mark.oracle
def test_sizes_are_those_that_a_real_kernel_showed() -> None:
    package = "linux-image-6.1.0-56-amd64"
    try:
        root = unpacked(package)
    except NotHere as reason:
        pytest.skip(f"{package}, whose sizes were recorded, is not to be had: {reason}")
    seen: dict[str, int] = json.loads(SEEN.read_text())["sizes"]
    kernel = KernelFacts(release="6.1.0-56-amd64")
    got = {}
    for path in (root / "lib/modules").rglob("*.ko"):
        name = module_name_of_path(str(path))
        if name in seen:
            got[name] = size(module_facts(read_image(str(path)), kernel))

    assert got == seen
    assert len(got) == 98
