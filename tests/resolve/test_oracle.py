"""The same words, resolved by kmod and by lkm."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lkm.config.settings import Settings
from lkm.errors import NoSuchModuleError
from lkm.kernel.loaded import LoadedModule
from lkm.names import ModuleName
from lkm.resolve.plan import InUse, as_modprobe_lines
from lkm.resolve.resolver import plan_load, plan_unload
from lkm.tree.catalog import Catalog
from tests.conftest import missing
from tests.resolve.cases import CASES, Case
from tests.resolve.trees import RELEASE, a_tree_by_depmod
from tests.resolve.unloading_cases import CASES as UNLOADING_CASES
from tests.resolve.unloading_cases import UnloadCase, loaded_modules

pytestmark = pytest.mark.oracle


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, kmod: Path) -> Path:
    """Return a root folder with the small tree, indexed by kmod."""
    root = tmp_path_factory.mktemp("root")
    a_tree_by_depmod(root, kmod.parent / "depmod")
    return root


@pytest.fixture(scope="module")
def catalog(root: Path) -> Catalog:
    """Return that tree."""
    return Catalog.open(str(root / "lib/modules" / RELEASE))


def modprobe(kmod: Path, root: Path, *arguments: str) -> list[str]:
    command = [str(kmod.parent / "modprobe"), "-d", str(root), "-S", RELEASE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()


def settings_of(config: Path, catalog: Catalog, command_line: str = "") -> Settings:
    return Settings.read(
        config_paths=[str(config)], tree_texts=catalog.config_texts(), command_line=command_line
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_made_up_configuration_leads_to_the_same(
    case: Case, kmod: Path, root: Path, catalog: Catalog, tmp_path: Path
) -> None:
    config = tmp_path / "a.conf"
    config.write_text(case.text)
    options = [f"-{letter}" for letter in case.options]

    theirs = modprobe(kmod, root, "-C", str(config), "-D", *options, "--", *case.words)

    ours = plan_load(
        case.words[0],
        catalog,
        settings_of(config, catalog),
        params=" ".join(case.words[1:]),
        ignore_commands="i" in case.options,
        use_blacklist="b" in case.options,
        show_all=True,
    )
    assert list(as_modprobe_lines(ours)) == theirs


@pytest.mark.parametrize("word", ["nosuch", "a[b", "a.ko", "symbol:nosuch", "pci:v1"])
def test_an_unknown_word_is_unknown_to_both(
    word: str, kmod: Path, root: Path, catalog: Catalog, tmp_path: Path
) -> None:
    assert modprobe(kmod, root, "-C", str(tmp_path), "-D", word) == []
    with pytest.raises(NoSuchModuleError):
        plan_load(word, catalog, settings_of(tmp_path, catalog))


@pytest.fixture(scope="session")
def another_kernel() -> tuple[str, ...]:
    """Return a command prefix under which $0 holds ``proc`` and ``sys`` of another kernel."""
    unshare = shutil.which("unshare")
    if os.geteuid() != 0 or unshare is None:
        missing("oracle", "only root can show kmod another /proc and /sys/module")
    assert unshare is not None
    mounts = 'mount --bind "$0/module" /sys/module && mount --bind "$0/proc" /proc'
    return (unshare, "-m", "sh", "-c", f'{mounts} && exec "$@"')


def write_kernel(folder: Path, modules: tuple[LoadedModule, ...]) -> None:
    (folder / "proc").mkdir()
    (folder / "module").mkdir()
    (folder / "proc/cmdline").write_text("")
    (folder / "proc/modules").write_text(
        "".join(f"{module.name} 4096 {module.refcnt} - Live 0x0\n" for module in modules)
    )
    for module in modules:
        place = folder / "module" / module.name
        (place / "holders").mkdir(parents=True)
        (place / "initstate").write_text(f"{module.state}\n")
        (place / "refcnt").write_text(f"{module.refcnt}\n")
        for holder in module.holders:
            (place / "holders" / holder).mkdir()


@pytest.mark.parametrize("case", UNLOADING_CASES, ids=lambda case: case.name)
def test_what_is_loaded_counts_the_same(
    case: UnloadCase,
    kmod: Path,
    root: Path,
    catalog: Catalog,
    another_kernel: tuple[str, ...],
    tmp_path: Path,
) -> None:
    modules = loaded_modules(case.loaded)
    write_kernel(tmp_path, modules)
    config = tmp_path / "a.conf"
    config.write_text(case.text)
    command = [str(kmod.parent / "modprobe"), "-d", str(root), "-S", RELEASE, "-C", str(config)]
    command += ["-n", "-v", *case.options, case.word]

    done = subprocess.run(
        [*another_kernel, str(tmp_path), *command], capture_output=True, text=True, check=False
    )

    settings = settings_of(config, catalog)
    if "-r" in case.options:
        plan = plan_unload(
            case.word,
            catalog,
            settings,
            loaded=modules,
            remove_holders="--remove-holders" in case.options,
            ignore_commands="-i" in case.options,
            wait="-w9" in case.options,
            keep_going="-a" in case.options,
        )
        in_use = [
            f"Module {step.module} is in use." for step in plan.steps if isinstance(step, InUse)
        ]
        assert [
            line.partition(": ")[2].partition(": ")[2] for line in done.stderr.splitlines()
        ] == in_use
    else:
        loaded = {ModuleName(module.name): module.state for module in modules}
        plan = plan_load(case.word, catalog, settings, loaded=loaded)
    assert list(as_modprobe_lines(plan)) == done.stdout.splitlines()
