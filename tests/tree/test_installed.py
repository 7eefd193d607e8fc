"""Which kernels are installed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lkm.errors import FileError, NoTreeError
from lkm.tree.installed import index_state, installed_kernels, release_order, tree_directory


def a_kernel(root: Path, release: str, *modules: str, folder: str = "lib/modules") -> Path:
    directory = root / folder / release
    directory.mkdir(parents=True)
    for module in modules:
        (directory / module).parent.mkdir(parents=True, exist_ok=True)
        (directory / module).touch()
    return directory


def the_indexes(root: Path) -> str:
    (kernel,) = installed_kernels(str(root))
    return kernel.indexes


def test_a_kernel_has_modules_an_image_and_a_configuration(tmp_path: Path) -> None:
    a_kernel(tmp_path, "6.1", "kernel/a.ko", "kernel/b/b.ko.zst", "kernel/readme", "build/x.ko")
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot/vmlinuz-6.1").touch()
    (tmp_path / "boot/config-6.1").touch()

    (kernel,) = installed_kernels(str(tmp_path))

    assert (kernel.release, kernel.module_count) == ("6.1", 2)
    assert kernel.directory == f"{tmp_path}/lib/modules/6.1"
    assert kernel.image == f"{tmp_path}/boot/vmlinuz-6.1"
    assert kernel.config == f"{tmp_path}/boot/config-6.1"
    assert kernel.indexes == "missing"


def test_image_and_configuration_may_lie_in_the_tree(tmp_path: Path) -> None:
    directory = a_kernel(tmp_path, "6.1", "vmlinuz", "config")

    (kernel,) = installed_kernels(str(tmp_path))

    assert (kernel.image, kernel.config) == (f"{directory}/vmlinuz", f"{directory}/config")


def test_kernels_are_sorted_by_their_numbers_and_found_in_both_places(tmp_path: Path) -> None:
    a_kernel(tmp_path, "6.10.1-amd64")
    a_kernel(tmp_path, "6.9.12-amd64", folder="usr/lib/modules")
    a_kernel(tmp_path, "5.4")

    found = [kernel.release for kernel in installed_kernels(str(tmp_path))]

    assert found == ["5.4", "6.9.12-amd64", "6.10.1-amd64"]
    assert sorted(["6.1-rc2", "6.1-rc10", "6.1.2"], key=release_order) == [
        "6.1-rc2",
        "6.1-rc10",
        "6.1.2",
    ]


def test_indexes_are_stale_once_a_module_or_its_folder_is_newer(tmp_path: Path) -> None:
    directory = a_kernel(tmp_path, "6.1", "kernel/a.ko")
    for name in ("modules.dep", "modules.dep.bin"):
        (directory / name).touch()
    for path in (directory / "kernel", directory / "kernel/a.ko"):
        os.utime(path, (1000, 1000))
    assert the_indexes(tmp_path) == "up to date"

    later = (directory / "modules.dep.bin").stat().st_mtime + 5
    os.utime(directory / "kernel/a.ko", (later, later))
    assert the_indexes(tmp_path) == index_state(str(directory)) == "stale"

    os.utime(directory / "kernel/a.ko", (1000, 1000))
    os.utime(directory / "kernel", (later, later))
    assert the_indexes(tmp_path) == "stale"

    (directory / "modules.dep.bin").unlink()
    assert the_indexes(tmp_path) == "missing"


def test_a_tree_is_found_in_either_place(tmp_path: Path) -> None:
    a_kernel(tmp_path, "6.1", folder="usr/lib/modules")

    assert tree_directory(str(tmp_path), "6.1") == f"{tmp_path}/usr/lib/modules/6.1"


def test_a_missing_tree_names_those_that_are_there(tmp_path: Path) -> None:
    a_kernel(tmp_path, "6.1")

    with pytest.raises(NoTreeError) as caught:
        tree_directory(str(tmp_path), "7.0")

    assert caught.value.directory == f"{tmp_path}/lib/modules/7.0"
    assert "6.1" in caught.value.remedy


def test_a_root_without_kernels_has_none(tmp_path: Path) -> None:
    assert installed_kernels(str(tmp_path)) == ()
    assert installed_kernels(str(tmp_path / "nowhere")) == ()
    with pytest.raises(NoTreeError):
        tree_directory("/", "no-such-release")


def test_links_that_lead_nowhere_and_loops_do_no_harm(tmp_path: Path) -> None:
    directory = a_kernel(tmp_path, "6.1", "kernel/a.ko")
    (directory / "kernel/gone.ko").symlink_to("nowhere")
    (directory / "kernel/loop").symlink_to("..")
    (directory / "build").symlink_to("/")

    (kernel,) = installed_kernels(str(tmp_path))

    assert kernel.module_count == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "lib/modules").mkdir(parents=True, mode=0)

    with pytest.raises(FileError):
        installed_kernels(str(tmp_path))
