"""The teaching kernel in the sandbox: all of it loads, and fails where it should."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lkm.config.settings import Settings
from lkm.errors import InUseError, UnknownSymbolError
from lkm.kernel.apply import apply_plan
from lkm.kernel.sandbox import Sandbox
from lkm.module.file import read_image
from lkm.names import ModuleName, alias_name
from lkm.resolve.resolver import plan_load, plan_unload
from lkm.teaching import RELEASE, teaching_root
from lkm.tree.catalog import Catalog
from tests.cli.running import lkm

OUT_OF_TREE = ModuleName("acme_video")
DEPENDENT = ("btrfs", "vfat", "aes_x86_64", "ppdev")


@pytest.fixture(scope="module")
def catalog(tree: Path) -> Catalog:
    return Catalog.open(str(tree))


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(str(tmp_path / "state")) as sandbox:
        sandbox.boot(RELEASE, teaching_root())
        yield sandbox


def load(sandbox: Sandbox, catalog: Catalog, word: str) -> None:
    settings = Settings.read(config_paths=[], tree_texts=catalog.config_texts())
    loaded = {module.name: module.state for module in sandbox.modules()}
    outcome = apply_plan(plan_load(word, catalog, settings, loaded=loaded), sandbox)
    assert outcome.error is None


def unload(sandbox: Sandbox, catalog: Catalog, word: str) -> None:
    settings = Settings.read(config_paths=[], tree_texts=catalog.config_texts())
    plan = plan_unload(word, catalog, settings, loaded=sandbox.modules())
    assert apply_plan(plan, sandbox).error is None


def names(sandbox: Sandbox) -> list[str]:
    return [module.name for module in sandbox.modules()]


def test_the_whole_tree_loads_and_nothing_is_logged(sandbox: Sandbox, catalog: Catalog) -> None:
    for entry in catalog.entries():
        if entry.name != OUT_OF_TREE:
            load(sandbox, catalog, entry.name)

    assert len(names(sandbox)) == len(catalog.entries()) - 1
    assert sandbox.log() == ()
    assert {module.taints for module in sandbox.modules()} == {""}
    assert sandbox.status().tainted == 0


def test_the_proprietary_module_taints(sandbox: Sandbox, catalog: Catalog) -> None:
    load(sandbox, catalog, OUT_OF_TREE)

    assert [module.taints for module in sandbox.modules()] == ["POE"]
    assert [line.text for line in sandbox.log()] == [
        "acme_video: loading out-of-tree module taints kernel.",
        "acme_video: module license 'Proprietary' taints kernel.",
        "Disabling lock debugging due to kernel taint",
        "acme_video: module verification failed: signature and/or required key missing - tainting "
        "kernel",
    ]


@pytest.mark.parametrize("name", DEPENDENT)
def test_a_module_without_its_dependencies_is_refused(
    name: str, sandbox: Sandbox, catalog: Catalog
) -> None:
    entry = catalog.entry(ModuleName(name))
    assert entry is not None

    with pytest.raises(UnknownSymbolError) as caught:
        sandbox.insert(read_image(catalog.file(entry.path)))

    assert names(sandbox) == []
    assert caught.value.log
    assert all(line.startswith(f"{name}: Unknown symbol ") for line in caught.value.log)


def test_btrfs_brings_its_dependencies_and_takes_them_away(
    sandbox: Sandbox, catalog: Catalog
) -> None:
    load(sandbox, catalog, "btrfs")

    assert names(sandbox) == ["btrfs", "libcrc32c", "zlib_deflate"]
    with pytest.raises(InUseError):
        sandbox.remove(ModuleName("libcrc32c"))

    unload(sandbox, catalog, "btrfs")
    assert names(sandbox) == []


def test_vfat_brings_what_it_would_like_around_it(sandbox: Sandbox, catalog: Catalog) -> None:
    load(sandbox, catalog, "vfat")
    assert names(sandbox) == ["nls_iso8859_1", "vfat", "nls_cp437", "fat"]

    unload(sandbox, catalog, "vfat")
    assert names(sandbox) == []


@pytest.mark.parametrize(
    ("word", "module"),
    [
        ("fs-btrfs", "btrfs"),
        ("usb:v1234p5678d0001dc00dsc00dp00ic08isc06ip50in00", "usb_storage"),
        ("pci:v00008086d00001229sv00001734sd00001001bc02sc00i00", "e100"),
        ("char-major-99-0", "ppdev"),
        ("nls-cp437", "nls_cp437"),
        ("symbol:fat_scan", "fat"),
    ],
)
def test_a_device_or_an_alias_finds_its_module(
    word: str, module: str, sandbox: Sandbox, catalog: Catalog
) -> None:
    load(sandbox, catalog, word)

    assert module in names(sandbox)


def test_a_built_in_needs_no_loading(catalog: Catalog) -> None:
    assert catalog.is_builtin(ModuleName("ext4"))
    assert catalog.builtin_aliases(alias_name("fs-ext4")) == ("ext4",)


def test_the_commands_work_on_it(tmp_path: Path) -> None:
    env = {"LKM_STATE": str(tmp_path / "state")}
    booted = lkm("sandbox", "boot", "--root", teaching_root(), "--release", RELEASE, env=env)
    loaded = lkm("modprobe", "--on", "sandbox", "ppdev", env=env)
    shown = lkm("lsmod", "--on", "sandbox", env=env)

    assert (booted.status, loaded.status, loaded.err) == (0, 0, "")
    assert [line.split()[0] for line in shown.out.splitlines()] == ["Module", "ppdev", "parport"]
