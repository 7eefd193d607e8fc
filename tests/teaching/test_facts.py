"""The teaching kernel's own facts: saved as its recipe has them, and at one with its files."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from lkm.loader.symbols.symvers import parse_symvers
from lkm.module.facts import Module
from lkm.teaching import RELEASE, facts_file
from lkm.vmlinux.config import read_config_file
from lkm.vmlinux.facts import VmlinuxFacts
from lkm.vmlinux.kallsyms import KernelSymbols
from lkm.vmlinux.saved import load
from teaching.facts import kernel_facts
from teaching.recipe import read_recipe
from teaching.signing import teaching_key


@pytest.fixture(scope="module")
def facts() -> VmlinuxFacts:
    return load(Path(facts_file()).read_bytes())


def test_what_is_saved_is_what_the_recipe_says(facts: VmlinuxFacts) -> None:
    recipe = read_recipe()

    assert recipe.release == RELEASE
    assert facts == kernel_facts(recipe, teaching_key().certificate)


def test_every_module_states_the_kernels_vermagic_and_size_of_struct_module(
    facts: VmlinuxFacts, files: tuple[Path, ...]
) -> None:
    for file in files:
        with Module.open(str(file)) as module:
            section = module.elf.section(".gnu.linkonce.this_module")
            assert section is not None
            assert (module.vermagic, section.size) == (facts.vermagic, facts.struct_module_size)


def test_the_exports_are_those_of_module_symvers(facts: VmlinuxFacts, root: Path) -> None:
    text = (root / f"usr/src/linux-headers-{RELEASE}/Module.symvers").read_text()
    listed = {(each.name, each.crc, each.gpl_only, each.namespace) for each in parse_symvers(text)}

    assert isinstance(facts.exports, tuple)
    assert {tuple(each)[:4] for each in facts.exports} == listed
    assert {each.namespace for each in facts.exports} == {"", "CRYPTO_INTERNAL"}
    classes = [each.gpl_only for each in facts.exports]
    assert classes == sorted(classes)


def test_the_symbols_are_sorted_and_have_every_export(facts: VmlinuxFacts, root: Path) -> None:
    symbols = facts.kallsyms

    assert isinstance(symbols, KernelSymbols)
    assert isinstance(facts.exports, tuple)
    assert all(first <= second for first, second in pairwise(symbols.addresses))
    assert len(set(symbols.names)) == len(symbols) > 600
    rows = {(name, address) for address, _type, name in symbols}
    assert {(each.name, each.address) for each in facts.exports} <= rows
    assert (root / f"boot/System.map-{RELEASE}").read_bytes() == symbols.as_text()


def test_no_symbol_of_a_module_is_in_the_kernel(
    facts: VmlinuxFacts, files: tuple[Path, ...]
) -> None:
    assert isinstance(facts.kallsyms, KernelSymbols)
    names = set(facts.kallsyms.names)

    assert not [name for name in names if "btrfs" in name]
    for file in files:
        with Module.open(str(file)) as module:
            assert names.isdisjoint([export.name for export in module.exports])


def test_the_options_are_those_of_the_lesson(facts: VmlinuxFacts, root: Path) -> None:
    config = facts.config

    assert config == read_config_file(str(root / f"boot/config-{RELEASE}"))
    assert isinstance(config, Mapping)
    options = {"MODULES", "MODULE_UNLOAD", "MODULE_FORCE_UNLOAD", "MODVERSIONS", "KALLSYMS"}
    assert {config[f"CONFIG_{option}"] for option in options} == {"y"}


def test_the_kernel_trusts_the_key_that_the_modules_are_signed_with(
    facts: VmlinuxFacts, tree: Path
) -> None:
    with Module.open(str(tree / "kernel/fs/fat/fat.ko")) as module:
        signature = module.signature

    assert isinstance(facts.certificates, tuple)
    (certificate,) = facts.certificates
    assert signature is not None
    assert (signature.signer, signature.key_id) == (certificate.issuer, certificate.serial)
