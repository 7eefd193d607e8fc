from __future__ import annotations

import os
import socket
import stat
import sys
from pathlib import Path

import pytest

from lkm.cpio import parse_archive
from lkm.errors import FileError
from lkm.lab.contents.files import Files, is_hosts_own, merged_usr
from tests.lab.contents.archives import entries, unpacked


def test_a_folder_comes_before_what_lies_in_it() -> None:
    files = Files()
    files.add("/a/b/c", b"1")
    files.link("/a/d/e", "../b/c")
    files.folder("/a/b")

    assert list(entries(files)) == ["a", "a/b", "a/b/c", "a/d", "a/d/e"]


def test_the_first_at_a_path_stays_and_its_size_counts_once() -> None:
    files = Files()
    files.add("/a", b"first")
    files.add("/a", b"second time")
    files.link("/a", "b")
    files.folder("/a")

    assert entries(files)["a"].data == b"first"
    assert files.size == 5


def test_what_lies_in_bin_and_lib_lies_in_usr_under_all_its_names(tmp_path: Path) -> None:
    files = merged_usr()
    for path in ("/bin/a", "/usr/bin/b", "/lib64/c", "/sbin/d", "/lib/modules/6.1/e", "/library/f"):
        files.add(path, path.encode())
    root = unpacked(files, tmp_path / "root")

    for path in ("bin/a", "usr/bin/a", "bin/b", "lib64/c", "usr/lib64/c", "usr/sbin/d", "sbin/d"):
        assert (root / path).is_file(), path
    assert (root / "usr/lib/modules/6.1/e").read_bytes() == b"/lib/modules/6.1/e"
    assert (root / "library/f").is_file()
    assert "/bin/a" in files
    assert "/usr/bin/a" in files
    assert "/usr/bin/c" not in files


def test_what_another_archive_has_is_there_already() -> None:
    files = Files(frozenset({"usr", "usr/bin", "usr/bin/sh"}))
    files.add("/bin/sh", b"mine")
    files.add("/usr/bin/mine", b"mine")

    assert "/bin/sh" in files
    # The folder came with the other archive.
    assert [entry.name for entry in parse_archive(files.archive())] == ["usr/bin/mine"]


def test_what_lies_below_a_root_lies_below_the_guests_own() -> None:
    files = Files(frozenset({"proc"}), ("/home/me/root", "/proc", "/"))
    files.add("/home/me/root/boot/a", b"1")
    files.add("/home/me/root/lib/b", b"1")
    files.add("/home/me/rooted", b"1")
    files.folder("/proc")
    files.folder("/home/me/root")
    files.folder("/home/me/root/x/")

    found = entries(files)
    assert found["home/me/root"].data == b"/"
    assert set(found) == {
        *("home", "home/me", "home/me/root", "home/me/rooted", "boot", "boot/a"),
        *("usr", "usr/lib", "usr/lib/b", "x"),
    }
    assert "/boot/a" in files
    assert files.inside("/home/me/root/") == files.inside("/") == "/"


def test_a_path_is_made_plain() -> None:
    files = Files()
    files.add("/a/../b//c", b"1")
    files.folder("/")

    assert list(entries(files)) == ["b", "b/c"]
    assert "/b/./c" in files


def test_a_file_is_copied_with_its_permissions(tmp_path: Path) -> None:
    file = tmp_path / "tool"
    file.write_bytes(b"1")
    file.chmod(0o750)
    files = Files()
    files.copy(str(file))
    files.copy(str(file), "/other")

    copied = entries(files)
    assert stat.S_IMODE(copied["other"].mode) == 0o750
    assert copied[str(file).lstrip("/")].data == b"1"


def test_a_missing_file_is_a_file_error(tmp_path: Path) -> None:
    for copy in (Files().copy, Files().copy_tree):
        with pytest.raises(FileError, match="nowhere"):
            copy(str(tmp_path / "nowhere"))


def test_a_tree_keeps_its_links_and_leaves_out_what_is_no_file(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "sub/empty").mkdir(parents=True)
    (tree / "sub/file").write_bytes(b"1")
    (tree / "link").symlink_to("sub/file")
    (tree / "away").symlink_to("/nowhere")
    (tree / "circle").symlink_to(".")
    os.mkfifo(tree / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(tree / "socket"))
    files = Files()
    files.copy_tree(str(tree))

    start = f"{str(tree).lstrip('/')}/"
    found = {name.removeprefix(start): entry for name, entry in entries(files).items()}
    below = {name for name in found if not str(tree).lstrip("/").startswith(name)}
    assert below == {"away", "circle", "link", "sub", "sub/empty", "sub/file"}
    assert found["away"].data == b"/nowhere"


def test_a_link_whose_name_and_target_are_not_utf8_keeps_their_bytes(tmp_path: Path) -> None:
    os.symlink(b"to \xff", os.fsencode(tmp_path) + b"/\xfe")
    files = Files()
    files.copy_tree(str(tmp_path))

    assert entries(files)[f"{str(tmp_path).lstrip('/')}/\udcfe"].data == b"to \xff"


def test_a_tree_may_be_deeper_than_python_recurses(tmp_path: Path) -> None:
    depth = 400
    (tmp_path / "/".join("d" * depth)).mkdir(parents=True)
    files, by_name = Files(), Files()
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(300)
    try:
        files.copy_tree(str(tmp_path))
        by_name.folder("/d" * depth)
    finally:
        sys.setrecursionlimit(usual)

    assert len(entries(by_name)) == depth
    assert str(tmp_path).lstrip("/") + "/d" * depth in entries(files)


@pytest.mark.parametrize("name", [".hidden/a", "..two/a", ".a"])
def test_a_name_that_begins_with_a_dot_keeps_it(name: str) -> None:
    files = Files()
    files.add(f"/{name}", b"1")

    assert name in entries(files)


@pytest.mark.parametrize("path", ["/dev", "/dev/null", "/proc/1/mem", "/sys/kernel"])
def test_what_the_host_kernel_shows_is_no_file(path: str) -> None:
    assert is_hosts_own(path)


@pytest.mark.parametrize("path", ["/", "/devices", "/home/dev", "dev/null", "/usr/proc"])
def test_all_else_may_be_one(path: str) -> None:
    assert not is_hosts_own(path)
