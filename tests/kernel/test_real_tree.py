"""The sandbox on Debian's cloud kernel: one boot for the file, each test on a copy of its state."""

from __future__ import annotations

import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from lkm.errors import InUseError, KernelError, UnknownSymbolError
from lkm.kernel.loaded import LoadedModule
from lkm.kernel.sandbox import Sandbox
from lkm.module.file import read_image
from lkm.module.signature import MAGIC
from lkm.names import ModuleName, module_name_of_path

pytestmark = pytest.mark.debian
BTRFS = ModuleName("btrfs")


@pytest.fixture(scope="module")
def booted(
    indexed_root: Path, debian_release: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    state = tmp_path_factory.mktemp("booted") / "state"
    with Sandbox(str(state)) as sandbox:
        sandbox.boot(debian_release, str(indexed_root))
    return state


@pytest.fixture
def sandbox(booted: Path, tmp_path: Path) -> Sandbox:
    return Sandbox(str(shutil.copy(booted, tmp_path / "state")))


@pytest.fixture(scope="module")
def dependencies(indexed_root: Path, debian_release: str) -> dict[str, list[str]]:
    """Each module's files in loading order, itself last, as modules.dep has them."""
    tree = indexed_root / "lib/modules" / debian_release
    found: dict[str, list[str]] = {}
    for line in (tree / "modules.dep").read_text().splitlines():
        path, _colon, rest = line.partition(":")
        files = [*reversed(rest.split()), path]
        found[module_name_of_path(path)] = [str(tree / file) for file in files]
    return found


def load(sandbox: Sandbox, files: list[str]) -> None:
    for file in files:
        if sandbox.find(module_name_of_path(file)) is None:
            sandbox.insert(read_image(file))


def by_name(sandbox: Sandbox) -> dict[str, LoadedModule]:
    return {module.name: module for module in sandbox.modules()}


def test_the_image_tells_all_there_is_to_know(sandbox: Sandbox, debian_release: str) -> None:
    status = sandbox.status()

    assert status.image.endswith(f"/boot/vmlinuz-{debian_release}")
    assert status.exports_source == status.image
    assert status.exports > 4000
    assert status.vermagic.startswith(f"{debian_release} SMP ")
    assert status.vermagic_told
    assert status.config_source.endswith(f"/boot/config-{debian_release}")
    assert (status.assumed_options, status.notes, status.unreadable) == ((), (), None)


def test_without_an_image_exports_are_assumed_and_many(
    indexed_root: Path, debian_release: str, tmp_path: Path
) -> None:
    (tmp_path / "lib/modules").mkdir(parents=True)
    tree = indexed_root / "lib/modules" / debian_release
    (tmp_path / "lib/modules" / debian_release).symlink_to(tree)

    status = Sandbox(str(tmp_path / "state")).boot(debian_release, str(tmp_path))

    assert status.assumed
    assert status.exports > 4000
    assert status.vermagic.startswith(f"{debian_release} SMP ")
    assert not status.vermagic_told
    assert (status.unreadable, status.loaded) == (0, 0)


def test_btrfs_changes_the_symbol_table_and_leaves_it_as_it_was(
    sandbox: Sandbox, dependencies: dict[str, list[str]]
) -> None:
    before = sandbox.read("/proc/kallsyms")
    load(sandbox, dependencies[BTRFS])
    loaded = sandbox.read("/proc/kallsyms")
    for name in [module.name for module in sandbox.modules()]:
        sandbox.remove(name)

    assert before.count(b"\n") > 80_000
    assert loaded.startswith(before)
    assert loaded.count(b"\t[btrfs]\n") > 2000
    assert b" t btrfs_mount" in loaded
    assert sandbox.read("/proc/kallsyms") == before


def test_btrfs_loads_on_its_dependencies_and_unloads_without_a_trace(
    sandbox: Sandbox, dependencies: dict[str, list[str]]
) -> None:
    files = dependencies[BTRFS]
    load(sandbox, files)
    names = [module_name_of_path(file) for file in files]
    loaded = by_name(sandbox)
    lines = sandbox.read("/proc/modules").decode().splitlines()
    direct = subprocess.run(
        ["modinfo", "-F", "depends", files[-1]],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"},
    ).stdout

    assert len(files) > 4
    assert [line.split()[0] for line in lines] == list(reversed(names))
    assert {name for name, module in loaded.items() if BTRFS in module.holders} == set(
        direct.strip().split(",")
    )
    assert all(module.refcnt == len(module.holders) for module in loaded.values())
    assert all(module.taints == "" for module in loaded.values())
    assert sandbox.log() == ()
    with pytest.raises(InUseError):
        sandbox.remove(names[0])
    for name in reversed(names):
        sandbox.remove(name)
    assert (sandbox.modules(), sandbox.read("/proc/modules")) == ((), b"")
    assert sandbox.status().tainted == 0


def test_btrfs_first_is_refused_with_a_line_for_each_symbol(
    sandbox: Sandbox, dependencies: dict[str, list[str]]
) -> None:
    with pytest.raises(UnknownSymbolError) as caught:
        sandbox.insert(read_image(dependencies[BTRFS][-1]))

    assert len(caught.value.log) > 4
    assert all(line.startswith("btrfs: Unknown symbol ") for line in caught.value.log)
    assert all(line.endswith(" (err -2)") for line in caught.value.log)
    assert [line.text for line in sandbox.log()] == list(caught.value.log)
    assert sandbox.modules() == ()


def test_every_module_with_many_dependencies_loads(
    sandbox: Sandbox, dependencies: dict[str, list[str]]
) -> None:
    deepest = sorted(dependencies, key=lambda name: len(dependencies[name]))[-60:]

    for name in deepest:
        load(sandbox, dependencies[name])

    assert set(deepest) <= set(by_name(sandbox))
    assert sandbox.log() == ()
    addresses = sorted([(module.address or 0, module.size) for module in sandbox.modules()])
    assert all(
        start + size < following for (start, size), (following, _size) in pairwise(addresses)
    )


def test_a_module_changed_by_one_byte_of_a_crc_is_refused(
    sandbox: Sandbox, dependencies: dict[str, list[str]], tmp_path: Path
) -> None:
    source = Path(dependencies["libcrc32c"][-1])
    data = bytearray(source.read_bytes())
    place = data.index(b"module_layout\0") - 8
    data[place] ^= 1
    changed = tmp_path / source.name
    changed.write_bytes(data[: data.index(MAGIC)])  # the signature would no more be good
    load(sandbox, dependencies["libcrc32c"][:-1])

    with pytest.raises(KernelError) as caught:
        sandbox.insert(read_image(str(changed)))

    assert caught.value.log == ("libcrc32c: disagrees about version of symbol module_layout",)
