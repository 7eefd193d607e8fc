from __future__ import annotations

from lkm.loader.facts import KernelFacts, ModuleFacts
from lkm.loader.memory.layout import layout
from lkm.loader.options import KernelOptions
from lkm.module.file import image_from_bytes
from tests.builders.elf import ASection, ASymbol, a_module
from tests.loader.examining import facts_of

PAGE = 4096
WRITE, ALLOC, EXEC = 1, 2, 4
NOBITS = 8


def facts(flags: int = 0, **parts: object) -> ModuleFacts:
    kernel = KernelFacts(release="6.1.0")
    return facts_of(image_from_bytes(a_module(**parts), name="tiny"), kernel, flags)


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


def test_without_strict_rwx_only_the_whole_is_a_size_and_no_kind_begins_a_page() -> None:
    lax = KernelOptions(strict_module_rwx=False)

    whole = layout(facts(), (6, 1), lax).size

    assert 0 < whole < PAGE
    assert layout(facts(), (6, 12), lax) == layout(facts(), (6, 12)), "from 6.4 on it is all one"


def test_without_kallsyms_no_symbol_takes_room() -> None:
    without = layout(facts(), (6, 1), KernelOptions(kallsyms=False))

    assert without.size == size(facts()) - PAGE
    assert without.kept == ()
    names = {section.name for section in facts().sections if section.index in without.offsets}
    assert ".symtab" not in names


def test_the_symbol_table_lies_behind_the_init_sections() -> None:
    module = facts(extra=(ASection(".init.data", b"\0" * 8, flags=ALLOC | WRITE),))
    places = {
        module.sections[index].name: place
        for index, place in layout(module, (6, 1)).offsets.items()
    }

    assert places[".init.text"] == ("core", True, 0)
    assert places[".init.data"] == ("core", True, PAGE)
    assert places[".symtab"][:2] == places[".strtab"][:2] == ("core", True)
    assert places[".symtab"][2] > PAGE


def test_areas_are_in_the_order_in_which_the_kernel_takes_them() -> None:
    module = facts(
        extra=(
            ASection(".rodata", b"\0" * 8),
            ASection(".data..ro_after_init", b"\0" * 8, flags=ALLOC | WRITE),
            ASection(".init.rodata", b"\0" * 8),
        )
    )

    assert [(area.kind, area.init) for area in layout(module, (6, 12)).areas] == [
        ("text", False),
        ("data", False),
        ("rodata", False),
        ("ro_after_init", False),
        ("text", True),
        ("data", True),
        ("rodata", True),
    ]


def test_percpu_data_is_kept_apart_with_its_symbols() -> None:
    percpu = ASection(".data..percpu", b"\0" * 8, flags=ALLOC | WRITE)
    module = facts(extra=(percpu,), extra_symbols=[ASymbol("a_counter", ".data..percpu")])

    laid_out = layout(module, (6, 1))

    assert laid_out.percpu is not None
    assert laid_out.percpu.name == ".data..percpu"
    assert laid_out.percpu.index not in laid_out.offsets
    assert "a_counter" in {symbol.name for symbol in laid_out.kept}


def test_a_kernel_for_one_processor_takes_a_section_of_that_name_for_any_other() -> None:
    percpu = ASection(".data..percpu", b"\0" * 8, flags=ALLOC | WRITE)
    module = facts(extra=(percpu,), extra_symbols=[ASymbol("a_counter", ".data..percpu")])

    laid_out = layout(module, (6, 1), KernelOptions(broken_on_smp=True))

    assert laid_out.percpu is None
    (index,) = [each.index for each in module.sections if each.name == ".data..percpu"]
    assert laid_out.offsets[index][:2] == ("core", False)
