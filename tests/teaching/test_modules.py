"""The modules of the teaching kernel: what the lesson needs of them is in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.elf.constants import SHN_ABS
from lkm.elf.symbols import read_symbols
from lkm.loader.symbols.symvers import parse_symvers
from lkm.module.facts import Module
from lkm.module.symbols import struct_name
from lkm.names import module_name_of_path
from lkm.teaching import RELEASE
from lkm.tree.catalog import Catalog

SMALL = 1 << 20
OLD_STYLE = ("aes_generic", "aes_x86_64")
OUT_OF_TREE = "acme_video"


@pytest.fixture(scope="module")
def modules(files: tuple[Path, ...]) -> dict[str, Module]:
    return {module_name_of_path(str(file)): Module.open(str(file)) for file in files}


@pytest.fixture(scope="module")
def kernel_crcs(root: Path) -> dict[str, int | None]:
    text = (root / f"usr/src/linux-headers-{RELEASE}/Module.symvers").read_text()
    return {symbol.name: symbol.crc for symbol in parse_symvers(text)}


def test_it_is_small(root: Path) -> None:
    assert sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) < SMALL


def test_it_has_the_lessons_modules_and_dependencies(tree: Path) -> None:
    catalog = Catalog.open(str(tree))
    needs = {
        entry.name: {module_name_of_path(path) for path in entry.depends}
        for entry in catalog.entries()
    }

    assert needs == {
        "acme_video": set(),
        "aes_generic": set(),
        "aes_x86_64": {"aes_generic"},
        "binfmt_misc": set(),
        "btrfs": {"libcrc32c", "zlib_deflate"},
        "cryptd": set(),
        "e100": set(),
        "fat": set(),
        "libcrc32c": set(),
        "nls_cp437": set(),
        "nls_iso8859_1": set(),
        "parport": set(),
        "ppdev": {"parport"},
        "usb_storage": set(),
        "vfat": {"fat"},
        "zlib_deflate": set(),
    }


def test_modinfo_and_tables_name_the_same_dependencies(
    tree: Path, modules: dict[str, Module]
) -> None:
    catalog = Catalog.open(str(tree))

    for entry in catalog.entries():
        stated = set(modules[entry.name].depends)
        assert stated == {module_name_of_path(path) for path in entry.depends}, entry.name


def test_every_module_is_named_alike_in_all_places(modules: dict[str, Module]) -> None:
    for name, module in modules.items():
        assert struct_name(module.elf) == module.value("name") == name
        assert module.vermagic == f"{RELEASE} SMP preempt mod_unload modversions "


def test_every_import_has_the_crc_of_its_exporter(
    modules: dict[str, Module], kernel_crcs: dict[str, int | None]
) -> None:
    crcs = dict(kernel_crcs)
    for module in modules.values():
        crcs.update({export.name: export.crc for export in module.exports})

    for name, module in modules.items():
        stated = {version.name: version.crc for version in module.versions}
        assert stated == {symbol: crcs[symbol] for symbol in stated}, name
        assert {symbol.name for symbol in module.imports} | {"module_layout"} == set(stated), name


@pytest.mark.parametrize("name", OLD_STYLE)
def test_an_old_style_module_has_absolute_entries_and_crcs(
    name: str, modules: dict[str, Module]
) -> None:
    module = modules[name]
    table = module.elf.section("__ksymtab_gpl")
    values = {
        symbol.name.removeprefix("__crc_"): symbol.value
        for symbol in read_symbols(module.elf)
        if symbol.name.startswith("__crc_") and symbol.section_index == SHN_ABS
    }

    assert table is not None
    assert table.size == 16 * len(module.exports)
    assert values == {export.name: export.crc for export in module.exports}
    assert values


def test_the_others_have_relative_entries(modules: dict[str, Module]) -> None:
    for name in modules.keys() - set(OLD_STYLE):
        module = modules[name]
        sections = [module.elf.section(kind) for kind in ("__ksymtab", "__ksymtab_gpl")]
        size = sum(section.size for section in sections if section is not None)

        assert size == 12 * len(module.exports), name
        assert all(export.crc for export in module.exports), name


def test_the_whole_range_of_what_modules_state_is_there(modules: dict[str, Module]) -> None:
    parameters = {
        (name, parameter.name): (parameter.type, parameter.description)
        for name, module in modules.items()
        for parameter in module.parameters
    }
    types = {kind for kind, _text in parameters.values()}

    assert types == {"uint", "int", "bool", "string", "charp", "array of int", "ulong", "invbool"}
    assert all(text for _kind, text in parameters.values())
    assert modules["e100"].firmware[0] == "e100/d101m_ucode.bin"
    assert modules["vfat"].softdeps == ("pre: nls_cp437 post: nls_iso8859-1",)
    assert modules["cryptd"].import_namespaces == ("CRYPTO_INTERNAL",)
    assert {export.namespace for export in modules["usb_storage"].exports} == {"USB_STORAGE"}
    assert {export.gpl_only for module in modules.values() for export in module.exports} == {
        True,
        False,
    }
    assert modules[OUT_OF_TREE].license == "Proprietary"
    assert modules[OUT_OF_TREE].version == "1.4"
    assert modules[OUT_OF_TREE].srcversion


def test_all_but_the_out_of_tree_one_are_signed_by_the_same_key(
    modules: dict[str, Module],
) -> None:
    signed = {name: module.signature for name, module in modules.items()}
    keys = {(each.signer, each.key_id) for each in signed.values() if each is not None}

    assert [name for name, signature in signed.items() if signature is None] == [OUT_OF_TREE]
    assert len(keys) == 1
