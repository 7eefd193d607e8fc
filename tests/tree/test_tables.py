"""The text files of a tree."""

from __future__ import annotations

import pytest

from lkm.tree import tables


def test_dep_lines_have_a_path_and_the_paths_it_needs() -> None:
    data = b"kernel/fuse.ko:\nkernel/ext4.ko: updates/crc16.ko.xz kernel/jbd2.ko\n"

    assert tables.parse_dep(data) == (
        ("kernel/fuse.ko", ()),
        ("kernel/ext4.ko", ("updates/crc16.ko.xz", "kernel/jbd2.ko")),
    )


def test_dep_files_of_old_kernels_have_comments_absolute_paths_and_continued_lines() -> None:
    data = (
        b"# made by hand\n\n/lib/modules/2.6.9/kernel/a.ko: \\\n\t/lib/modules/2.6.9/kernel/b.ko\n"
    )

    assert tables.parse_dep(data) == (
        ("/lib/modules/2.6.9/kernel/a.ko", ("/lib/modules/2.6.9/kernel/b.ko",)),
    )


def test_aliases_keep_their_dashes_and_their_blanks() -> None:
    data = b"# Aliases\nalias fs-ext4 ext4\nalias of:N*T* odd x\nalias  empty\nalias\nnonsense\n"

    assert tables.parse_aliases(data) == (("fs-ext4", "ext4"), ("of:N*T* odd", "x"))


def test_soft_and_weak_dependencies_keep_their_text() -> None:
    softdeps = (("ext4", "pre: crypto-crc32c"), ("cifs", ""))

    assert tables.weakdep_text(softdeps) == (
        b"# Weak dependencies extracted from modules themselves.\n"
        b"weakdep ext4 pre: crypto-crc32c\nweakdep cifs \n"
    )
    assert tables.softdep_text(softdeps) == (
        b"# Soft dependencies extracted from modules themselves.\n"
        b"softdep ext4 pre: crypto-crc32c\nsoftdep cifs \n"
    )


def test_device_nodes_are_read_and_bad_lines_passed_over() -> None:
    nodes = (("fuse", "fuse", "c", 10, 229), ("loop", "loop-control", "b", 7, 0))
    data = tables.devname_text(nodes)

    assert data == (
        b"# Device nodes to trigger on-demand module loading.\n"
        b"fuse fuse c10:229\nloop loop-control b7:0\n"
    )
    assert tables.parse_devname(data + b"x y\nx y p1:2\nx y c1\nx y c:1\n") == nodes


def test_no_device_node_makes_an_empty_file() -> None:
    assert tables.devname_text([]) == b""


def test_order_files_are_lines() -> None:
    assert tables.parse_paths(b"kernel/a.ko\n\nkernel/b.ko") == ("kernel/a.ko", "kernel/b.ko")


def test_bytes_that_are_no_text_go_through_unchanged() -> None:
    data = b"# Aliases extracted from modules themselves.\nalias \xff\xe9 x\n"

    ((alias, module),) = tables.parse_aliases(data)

    assert data.endswith(tables.alias_lines([alias], module))


def test_a_file_cut_anywhere_is_read_as_far_as_it_goes() -> None:
    data = b"kernel/a.ko: kernel/b.ko\nkernel/b.ko:\n"

    for size in range(len(data)):
        assert len(tables.parse_dep(data[:size])) <= 2
        assert len(tables.parse_devname(data[:size])) == 0
        assert len(tables.parse_aliases(data[:size])) == 0


@pytest.mark.parametrize(
    ("line", "node"),
    [
        ("fuse fuse c10:229", ("fuse", "fuse", "c", 10, 229)),
        (" a\tb  b7:0 more", ("a", "b", "b", 7, 0)),
        ("a b c 1:2x", ("a", "b", "c", 1, 2)),
        (f"a b c{'0' * 5000}1:{'9' * 5000}", ("a", "b", "c", 1, 0xFFFF_FFFF)),
        ("", None),
        ("a b", None),
        ("a b p1:2", None),
        ("a b c1 :2", None),
        ("a b c1:", None),
        ("  # late", None),
    ],
)
def test_each_line_of_a_devname_says_something_or_is_malformed(
    line: str, node: tuple[str, str, str, int, int] | None
) -> None:
    assert tables.devname_lines(f"# title\n{line}\n".encode()) == ((line, node),)
