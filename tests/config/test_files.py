from __future__ import annotations

import os
from pathlib import Path

import pytest

from lkm.config.files import (
    LogicalLine,
    config_files,
    files_of_paths,
    logical_lines,
    read_text,
)


def texts(text: str) -> list[str]:
    return [line.text for line in logical_lines(text)]


def write(path: Path, text: str = "") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b\nc\n", ["a b", "c"]),
        ("a b", ["a b"]),
        ("", []),
        ("\n \n\t\n", []),
        ("# comment\na\n", ["a"]),
        ("  # indented\n", ["  # indented"]),
        ("# joined \\\n comment\na\n", ["a"]),
        ("a\\\nb\\\n c\nd\n", ["ab c", "d"]),
        ("a=\\$1", ["a=$1"]),
        ("a\\\\b", ["a\\b"]),
        ("a\\\\\nb", ["a\\", "b"]),
        ("a\\\\\\\nb", ["a\\b"]),
        ("\\#a\n", []),
        ("a\\", ["a"]),
        ("a\\\n", ["a"]),
        ("a\\\n\n", ["a"]),
        ("a\0b\nc", ["a", "c"]),
        ("a\r\n", ["a\r"]),
    ],
)
def test_lines_are_joined_and_lose_their_backslashes(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


def test_a_joined_line_knows_its_first_and_its_last_line() -> None:
    assert logical_lines("\na\\\nb\\\nc\nd") == (LogicalLine(2, 4, "abc"), LogicalLine(5, 5, "d"))


def test_of_two_files_of_one_name_the_first_directory_wins(tmp_path: Path) -> None:
    for place in ("lib", "usr/lib", "usr/local/lib", "run", "etc"):
        write(tmp_path / place / "modprobe.d" / "same.conf")
        write(tmp_path / place / "modprobe.d" / f"{place.replace('/', '-')}.conf")

    found = [
        os.path.relpath(path, tmp_path) for path in config_files(str(tmp_path), "modprobe.d").paths
    ]

    assert found == [
        "etc/modprobe.d/etc.conf",
        "lib/modprobe.d/lib.conf",
        "run/modprobe.d/run.conf",
        "etc/modprobe.d/same.conf",
        "usr/lib/modprobe.d/usr-lib.conf",
        "usr/local/lib/modprobe.d/usr-local-lib.conf",
    ]


def test_only_names_ending_in_conf_count_in_a_directory(tmp_path: Path) -> None:
    for name in ("a.conf", ".hidden.conf", ".conf", "b", "c.conf.bak", "Z.conf"):
        write(tmp_path / name)

    assert files_of_paths([str(tmp_path)]).paths == (f"{tmp_path}/Z.conf", f"{tmp_path}/a.conf")


def test_a_file_given_by_itself_counts_by_any_name(tmp_path: Path) -> None:
    path = write(tmp_path / "options")

    assert files_of_paths([path, str(tmp_path / "absent")]).paths == (path,)


def test_a_dangling_link_hides_the_file_of_its_name_in_a_later_directory(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "a.conf").symlink_to("nowhere")
    write(tmp_path / "second" / "a.conf")

    found = files_of_paths([str(tmp_path / "first"), str(tmp_path / "second")])

    assert [read_text(path) for path in found.paths] == [None]


def test_a_directory_among_the_files_is_a_complaint(tmp_path: Path) -> None:
    (tmp_path / "d.conf").mkdir()

    found = files_of_paths([str(tmp_path)])

    assert found.paths == ()
    assert [complaint.kmod_text for complaint in found.complaints] == [
        "libkmod: ERROR: conf_files_filter_out: Directories inside directories are not supported: "
        f"{tmp_path}/d.conf"
    ]


def test_extra_files_take_their_place_by_name(tmp_path: Path) -> None:
    for name in ("10-a.conf", "zz.conf"):
        write(tmp_path / name)

    found = files_of_paths([str(tmp_path)], extra=["/tree/modules.softdep"])

    assert found.paths == (f"{tmp_path}/10-a.conf", "/tree/modules.softdep", f"{tmp_path}/zz.conf")


def test_names_are_sorted_by_bytes_also_where_they_are_no_utf8(tmp_path: Path) -> None:
    names = [b"\xff.conf", "é.conf".encode(), b"a.conf"]
    for name in names:
        Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_text("")

    found = files_of_paths([str(tmp_path)]).paths

    assert [os.fsencode(path).rpartition(b"/")[2] for path in found] == sorted(names)


def test_bytes_that_are_no_utf8_come_back_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_bytes(b"options a x=\xff\xe9")

    text = read_text(str(tmp_path / "a.conf"))

    assert text is not None
    assert os.fsencode(text) == b"options a x=\xff\xe9"
