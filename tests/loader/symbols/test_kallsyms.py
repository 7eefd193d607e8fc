from __future__ import annotations

from lkm.loader.facts import KernelFacts, ModuleFacts
from lkm.loader.memory.layout import layout
from lkm.loader.options import KernelOptions
from lkm.loader.symbols.kallsyms import ModuleSymbol, module_symbols
from lkm.module.file import image_from_bytes
from tests.builders.elf import SHN_ABS, WEAK, AnExport, ASection, ASymbol, a_module
from tests.loader.examining import facts_of

WRITE, ALLOC, EXEC = 1, 2, 4
NOBITS, OBJECT = 8, 1
SECTIONS = (
    ASection(".rodata", b"\0" * 8),
    ASection(".data", b"\0" * 8, flags=ALLOC | WRITE),
    ASection(".bss", type=NOBITS, flags=ALLOC | WRITE, size=64),
    ASection(".init.data", b"\0" * 8, flags=ALLOC | WRITE),
    ASection(".data..percpu", b"\0" * 8, flags=ALLOC | WRITE),
    ASection(".debug_info", b"\0" * 8, flags=0),
)
SYMBOLS = (
    ASymbol("a_file", SHN_ABS, type=4),
    ASymbol("", ".text"),
    ASymbol("a_function", ".text", 4),
    ASymbol("a_table", ".rodata", 2),
    ASymbol("a_variable", ".data", 6),
    ASymbol("a_buffer", ".bss", 32),
    ASymbol("an_init", ".init.data"),
    ASymbol("a_counter", ".data..percpu", 4),
    ASymbol("a_debug", ".debug_info"),
    ASymbol("weak_code", ".text", bind=WEAK),
    ASymbol("weak_data", ".data", bind=WEAK, type=OBJECT),
    ASymbol("elsewhere"),
)


def facts(**parts: object) -> ModuleFacts:
    image = image_from_bytes(a_module(**({"extra": SECTIONS} | parts)), name="tiny")
    return facts_of(image, KernelFacts(release="6.1.0"))


def symbols(module: ModuleFacts, options: KernelOptions | None = None) -> dict[str, ModuleSymbol]:
    """Return the module's symbols by name; each section lies at its index times 0x1000."""
    laid_out = layout(module, (6, 1), options or KernelOptions())
    addresses = {section.index: section.index * 0x1000 for section in module.sections}
    return {each.name: each for each in module_symbols(module, laid_out, addresses)}


def test_what_stays_has_the_letter_of_its_section() -> None:
    found = symbols(facts(extra_symbols=SYMBOLS))

    assert {name: symbol.type for name, symbol in found.items()} == {
        "__this_module": "d",
        "cleanup_module": "t",
        "a_function": "t",
        "a_table": "r",
        "a_variable": "d",
        "a_buffer": "b",
        "a_counter": "a",
        "weak_code": "w",
        "weak_data": "v",
    }


def test_symbols_keep_the_order_of_the_symbol_table() -> None:
    assert list(symbols(facts(extra_symbols=SYMBOLS)))[:4] == [
        "__this_module",
        "cleanup_module",
        "a_function",
        "a_table",
    ]


def test_an_address_is_the_sections_and_the_symbols_value() -> None:
    module = facts(extra_symbols=SYMBOLS)
    index = {section.name: section.index for section in module.sections}

    found = symbols(module)

    assert found["a_function"].address == index[".text"] * 0x1000 + 4
    assert found["a_counter"].address == index[".data..percpu"] * 0x1000 + 4


def test_without_kallsyms_all_only_code_stays() -> None:
    found = symbols(facts(extra_symbols=SYMBOLS), KernelOptions(kallsyms_all=False))

    assert set(found) == {"cleanup_module", "a_function", "weak_code"}


def test_without_kallsyms_nothing_stays() -> None:
    assert symbols(facts(extra_symbols=SYMBOLS), KernelOptions(kallsyms=False)) == {}


def test_without_unloading_exit_code_goes_with_init() -> None:
    found = symbols(facts(extra_symbols=SYMBOLS), KernelOptions(module_unload=False))

    assert "cleanup_module" not in found


def test_plain_exports_are_upper_case_and_gpl_only_ones_are_not() -> None:
    exports = (AnExport(name="plain"), AnExport(name="licensed", gpl_only=True))

    found = symbols(facts(exports=exports))

    assert (found["plain"].type, found["licensed"].type) == ("T", "t")
    assert found["__ksymtab_plain"].type == "r"


def test_a_namesake_of_an_export_at_another_place_stays_lower_case() -> None:
    module = facts(exports=(AnExport(name="plain"),), extra_symbols=(ASymbol("plain", ".text", 8),))
    laid_out = layout(module, (6, 1))

    letters = [each.type for each in module_symbols(module, laid_out, {}) if each.name == "plain"]

    # The builder lets the entry lead to the later one.
    assert letters == ["t", "T"]


def test_a_livepatch_keeps_every_symbol() -> None:
    found = symbols(facts(extra_symbols=SYMBOLS, modinfo=("livepatch=Y",)))

    assert {name: found[name].type for name in ("a_file", "an_init", "a_debug", "elsewhere")} == {
        "a_file": "a",
        "an_init": "d",
        "a_debug": "n",
        "elsewhere": "u",
    }
