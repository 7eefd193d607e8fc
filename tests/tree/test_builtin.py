"""Modules linked into the kernel."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lkm.errors import FileError
from lkm.names import ModuleName
from lkm.tree.builtin import (
    Builtin,
    alias_entries,
    builtins_from_bytes,
    index_entries,
    is_builtin,
    parse_modinfo,
    read_builtins,
)
from lkm.tree.trie.writer import build_index

LISTED = b"kernel/net/unix/unix.ko\nkernel/fs/foo-bar.ko\n"
MODINFO = (
    b"unix.license=GPL\0unix.alias=net-pf-1\0unix.file=net/unix/unix\0other.description=a=b.c\0"
)


def test_a_builtin_has_its_path_and_its_modinfo() -> None:
    unix, foo_bar, other = builtins_from_bytes(LISTED, MODINFO)

    assert unix == Builtin(
        unix.name,
        "kernel/net/unix/unix.ko",
        (("license", "GPL"), ("alias", "net-pf-1"), ("file", "net/unix/unix")),
    )
    assert (foo_bar.name, foo_bar.modinfo) == ("foo_bar", ())
    assert (other.name, other.path, other.modinfo) == ("other", "", (("description", "a=b.c"),))


def test_two_modules_of_one_name_are_two() -> None:
    listed = b"kernel/bus/arm-cci.ko\nkernel/fs/x.ko\nkernel/perf/arm-cci.ko\n"
    first, second, _ = builtins_from_bytes(
        listed, b"arm_cci.license=GPL\0x.license=GPL\0arm_cci.license=GPL v2\0"
    )

    assert (first.path, first.modinfo) == ("kernel/bus/arm-cci.ko", (("license", "GPL"),))
    assert (second.path, second.modinfo) == ("kernel/perf/arm-cci.ko", (("license", "GPL v2"),))
    assert first.name == second.name == "arm_cci"


def test_strings_that_say_nothing_are_passed_over() -> None:
    assert parse_modinfo(b"\0\0nodot=x\0a.b\0a.c=1") == (("a", "b", ""),)


def test_modinfo_cut_anywhere_is_read_as_far_as_it_goes() -> None:
    whole = parse_modinfo(MODINFO)

    for size in range(len(MODINFO)):
        assert parse_modinfo(MODINFO[:size]) == whole[: MODINFO[:size].count(b"\0")]


def test_index_entries_leave_out_lines_that_do_not_begin_with_a_letter() -> None:
    assert index_entries(LISTED + b"1/x.ko\n_/y.ko\n") == [("unix", "", 0), ("foo_bar", "", 0)]
    assert alias_entries(MODINFO) == [("net-pf-1", "unix", 0)]


def test_a_tree_without_the_files_has_no_builtins(tmp_path: Path) -> None:
    assert read_builtins(str(tmp_path)) == ()


def test_a_tree_of_an_older_kernel_has_builtins_without_facts(tmp_path: Path) -> None:
    (tmp_path / "modules.builtin").write_bytes(LISTED)

    assert [builtin.modinfo for builtin in read_builtins(str(tmp_path))] == [(), ()]


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_a_file_that_cannot_be_read_is_an_error(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "modules.builtin")

    with pytest.raises(FileError):
        read_builtins(str(tmp_path))


@pytest.mark.parametrize("spoil", ["", "cut", "missing"])
def test_a_built_in_is_known_by_the_index_or_else_by_the_text(tmp_path: Path, spoil: str) -> None:
    index = tmp_path / "modules.builtin.bin"
    index.write_bytes(build_index([("ext_two", "", 0)]))
    (tmp_path / "modules.builtin").write_text("kernel/fs/ext-two.ko\n")
    if spoil == "cut":
        index.write_bytes(index.read_bytes()[:8])
    elif spoil == "missing":
        index.unlink()

    assert is_builtin(str(tmp_path), ModuleName("ext_two"))
    assert not is_builtin(str(tmp_path), ModuleName("ext_three"))


def test_without_both_nothing_is_built_in(tmp_path: Path) -> None:
    assert not is_builtin(str(tmp_path), ModuleName("ext_two"))
