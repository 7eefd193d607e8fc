"""Which kernels are installed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lkm.errors import FileError, NoTreeError
from lkm.tree.installed import (
    index_state,
    installed_kernels,
    release_order,
    releases,
    tree_directory,
)
from lkm.tree.trie.writer import build_index
from tests.tree.users import a_shared_folder, not_root

BINARY = (
    "modules.dep.bin",
    "modules.alias.bin",
    "modules.symbols.bin",
    "modules.builtin.bin",
    "modules.builtin.alias.bin",
)


def a_kernel(root: Path, release: str, *modules: str, folder: str = "lib/modules") -> Path:
    directory = root / folder / release
    directory.mkdir(parents=True)
    for module in modules:
        (directory / module).parent.mkdir(parents=True, exist_ok=True)
        (directory / module).touch()
    return directory


def an_indexed_kernel(root: Path) -> Path:
    """Build a kernel with a module, and with indexes that are newer than it."""
    directory = a_kernel(root, "6.1", "kernel/a.ko", "modules.builtin", "modules.builtin.modinfo")
    for path in (directory / "kernel", directory / "kernel/a.ko"):
        os.utime(path, (1000, 1000))
    (directory / "modules.dep").touch()
    for name in BINARY:
        (directory / name).write_bytes(build_index([("a", "kernel/a.ko:", 0)]))
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
    directory = an_indexed_kernel(tmp_path)
    assert the_indexes(tmp_path) == "up to date"

    later = (directory / "modules.dep.bin").stat().st_mtime + 5
    os.utime(directory / "kernel/a.ko", (later, later))
    assert the_indexes(tmp_path) == index_state(str(directory)) == "stale"

    os.utime(directory / "kernel/a.ko", (1000, 1000))
    os.utime(directory / "kernel", (later, later))
    assert the_indexes(tmp_path) == "stale"

    (directory / "modules.dep.bin").unlink()
    assert the_indexes(tmp_path) == "missing"


@pytest.mark.parametrize("name", BINARY)
def test_indexes_that_cannot_be_used_are_told_from_those_that_can(
    tmp_path: Path, name: str
) -> None:
    directory = an_indexed_kernel(tmp_path)
    index = directory / name
    sound = index.read_bytes()

    for broken in (
        sound[:12],
        b"garbage" * 9,
        sound.replace(b"\0\2\0\1", b"\0\1\0\1", 1),
        b"",
    ):
        index.write_bytes(broken)
        assert index_state(str(directory)) == "unusable"
    index.unlink()
    assert index_state(str(directory)) == "missing"
    index.mkdir()
    assert index_state(str(directory)) == "unusable"
    index.rmdir()
    index.write_bytes(sound)
    assert index_state(str(directory)) == "up to date"
    index.write_bytes(build_index([]))
    assert index_state(str(directory)) == "up to date"


def test_an_index_cut_in_its_header_is_unusable(tmp_path: Path) -> None:
    directory = an_indexed_kernel(tmp_path)
    index = directory / "modules.alias.bin"
    sound = index.read_bytes()

    for size in range(13):
        index.write_bytes(sound[:size])
        assert index_state(str(directory)) == "unusable"


def test_what_kmod_leaves_empty_for_a_kernel_without_lists_of_builtins_is_usable(
    tmp_path: Path,
) -> None:
    directory = an_indexed_kernel(tmp_path)
    for name in ("modules.builtin", "modules.builtin.modinfo"):
        (directory / name).unlink()
        (directory / f"{name.replace('modinfo', 'alias')}.bin").write_bytes(b"")

    assert index_state(str(directory)) == "up to date"


def test_a_kernel_of_which_only_the_image_is_there_is_listed(tmp_path: Path) -> None:
    a_kernel(tmp_path, "6.1", "config")
    (tmp_path / "boot").mkdir()
    for name in ("vmlinuz-6.1", "vmlinuz-4.19.0-only", "config-4.19.0-only", "vmlinux-5.4"):
        (tmp_path / "boot" / name).touch()
    (tmp_path / "boot/vmlinuz-5.7").symlink_to("gone")
    for name in ("vmlinuz-5.5.old", "vmlinuz-0-rescue", "vmlinuz", "initrd.img-5.6"):
        (tmp_path / "boot" / name).touch()

    only_image, uncompressed, whole = installed_kernels(str(tmp_path))

    assert (only_image.release, only_image.directory) == ("4.19.0-only", "")
    assert (only_image.module_count, only_image.indexes) == (0, "")
    assert only_image.image == f"{tmp_path}/boot/vmlinuz-4.19.0-only"
    assert only_image.config == f"{tmp_path}/boot/config-4.19.0-only"
    assert (uncompressed.release, uncompressed.config) == ("5.4", "")
    assert (whole.release, whole.image) == ("6.1", f"{tmp_path}/boot/vmlinuz-6.1")
    assert releases(str(tmp_path)) == ("6.1",)


def test_a_folder_of_something_else_is_no_kernel(tmp_path: Path) -> None:
    a_kernel(tmp_path, "stray", "readme", "src/module.c")
    a_kernel(tmp_path, "6.1")
    a_kernel(tmp_path, "by-its-index", "modules.dep")
    a_kernel(tmp_path, "by-its-folder", "kernel/readme")
    a_kernel(tmp_path, "by-a-module", "extra/deep/a.ko.xz")

    found = [kernel.release for kernel in installed_kernels(str(tmp_path))]

    assert sorted(found) == ["6.1", "by-a-module", "by-its-folder", "by-its-index"]
    assert set(releases(str(tmp_path))) == set(found)


def test_a_tree_is_found_in_either_place(tmp_path: Path) -> None:
    a_kernel(tmp_path, "6.1", folder="usr/lib/modules")

    assert tree_directory(str(tmp_path), "6.1") == f"{tmp_path}/usr/lib/modules/6.1"


def test_a_missing_tree_names_those_that_are_there(tmp_path: Path) -> None:
    a_kernel(tmp_path, "6.1")

    with pytest.raises(NoTreeError) as caught:
        tree_directory(str(tmp_path), "7.0")

    assert caught.value.directory == f"{tmp_path}/lib/modules/7.0"
    assert "6.1" in caught.value.remedy


def test_an_empty_release_is_none_at_all(tmp_path: Path) -> None:
    a_kernel(tmp_path, "6.1")

    with pytest.raises(NoTreeError):
        tree_directory(str(tmp_path), "")


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


def test_a_list_of_kernels_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with a_shared_folder(tmp_path) as root:
        (root / "lib/modules").mkdir(parents=True)
        (root / "lib/modules").chmod(0)

        with not_root(), pytest.raises(FileError):
            installed_kernels(str(root))


@pytest.mark.parametrize("hidden", ["lib/modules/6.1", "lib/modules/6.1/kernel"])
def test_one_tree_that_cannot_be_read_hides_no_other(tmp_path: Path, hidden: str) -> None:
    with a_shared_folder(tmp_path) as root:
        directory = an_indexed_kernel(root)
        a_kernel(root, "6.2", "kernel/a.ko")
        (root / "boot").mkdir()
        (root / "boot/vmlinuz-6.1").touch()
        (root / hidden).chmod(0)

        with not_root():
            unreadable, other = installed_kernels(str(root))
            state = index_state(str(directory))
        (root / hidden).chmod(0o755)

    assert (unreadable.release, unreadable.directory) == ("6.1", str(directory))
    assert (unreadable.module_count, unreadable.indexes) == (None, "unreadable")
    assert state == "unreadable"
    assert unreadable.image == f"{root}/boot/vmlinuz-6.1"
    assert (other.release, other.module_count) == ("6.2", 1)


def test_a_folder_that_cannot_be_read_and_is_not_named_like_a_release_is_no_kernel(
    tmp_path: Path,
) -> None:
    with a_shared_folder(tmp_path) as root:
        a_kernel(root, "lost+found").chmod(0)

        with not_root():
            assert installed_kernels(str(root)) == ()


def test_a_boot_folder_that_cannot_be_read_hides_no_tree(tmp_path: Path) -> None:
    with a_shared_folder(tmp_path) as root:
        a_kernel(root, "6.1")
        (root / "boot").mkdir()
        (root / "boot/vmlinuz-6.1").touch()
        (root / "boot").chmod(0)

        with not_root():
            (kernel,) = installed_kernels(str(root))

    assert (kernel.release, kernel.image) == ("6.1", "")
