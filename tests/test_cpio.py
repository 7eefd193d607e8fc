from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lkm import cpio
from lkm.errors import FormatError
from tests.conftest import missing

ENTRIES = (
    cpio.folder("bin"),
    cpio.file("bin/a", b"12345", 0o755),
    cpio.link("sh", "bin/a"),
    cpio.character_device("console", 5, 1),
)


def test_an_archive_is_made_of_aligned_entries_and_ends_in_a_trailer() -> None:
    data = cpio.archive([cpio.folder("bin"), cpio.file("bin/a", b"12345", 0o755)])

    assert len(data) % 4 == 0
    assert data.startswith(b"070701" + b"00000001" + b"000041ed")
    second = data.index(b"070701", 6)
    assert second % 4 == 0
    assert data[second + 14 : second + 22] == b"000081ed"
    assert data[second + 54 : second + 62] == b"00000005"
    assert data[second + 110 : second + 116] == b"bin/a\0"
    assert data[second + 116 : second + 124] == b"12345\0\0\0"
    assert b"TRAILER!!!\0" in data[second + 124 :]


def test_links_and_devices_say_what_they_are() -> None:
    link = cpio.archive([cpio.link("sh", "busybox")])
    device = cpio.archive([cpio.character_device("console", 5, 1)])

    assert link[14:22] == b"0000a1ff"
    assert b"busybox" in link
    assert device[14:22] == b"00002180"
    assert device[78:94] == b"0000000500000001"


def test_what_was_written_is_read_back() -> None:
    entries = (*ENTRIES, cpio.file("not \udcff UTF-8", b""))

    assert cpio.parse_archive(cpio.archive(entries)) == entries


def test_archives_one_after_another_are_read_as_one() -> None:
    first, second = cpio.archive(ENTRIES[:2]), cpio.archive(ENTRIES[2:])

    assert cpio.parse_archive(first + bytes(12) + second + bytes(1 << 20)) == ENTRIES


def test_an_archive_cut_anywhere_is_a_format_error() -> None:
    data = cpio.archive(ENTRIES)
    # The padding behind the trailer's name is not needed.
    whole = data.index(b"TRAILER!!!\0") + len(b"TRAILER!!!\0")

    for size in range(whole):
        with pytest.raises(FormatError) as caught:
            cpio.parse_archive(data[:size])
        assert caught.value.offset is not None
        assert caught.value.offset <= size
    assert cpio.parse_archive(data[:whole]) == ENTRIES


@pytest.mark.parametrize(
    ("place", "wrong", "problem"),
    [
        (0, b"070707", "no newc header"),
        (14, b"0x0041ed", "not of digits"),
        (14, b"0 004 ed", "not of digits"),
        (54, b"fffffffe", "bytes of data where fewer follow"),
        (94, b"ffffffff", "a name that does not end"),
        (94, b"00000000", "a name that does not end"),
        (94, b"00000003", "a name that does not end"),
    ],
)
def test_a_wrong_header_is_a_format_error(place: int, wrong: bytes, problem: str) -> None:
    data = bytearray(cpio.archive(ENTRIES))
    data[place : place + len(wrong)] = wrong

    with pytest.raises(FormatError, match=problem):
        cpio.parse_archive(bytes(data))


@pytest.mark.oracle
def test_gnu_cpio_reads_what_is_written_and_its_archives_are_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "b").symlink_to("a")
    try:
        made = gnu_cpio(["-o", "-H", "newc"], b"a\nb\n", tmp_path)
    except FileNotFoundError:
        missing("oracle", "cpio is not installed (Debian: cpio)")
        raise
    read = cpio.parse_archive(made)
    listed = gnu_cpio(["-t"], cpio.archive(ENTRIES), tmp_path)

    assert [(entry.name, entry.data) for entry in read] == [("a", b"one"), ("b", b"a")]
    assert listed.split() == [entry.name.encode() for entry in ENTRIES]


def gnu_cpio(words: list[str], given: bytes, folder: Path) -> bytes:
    command = ["cpio", "--quiet", *words]
    return subprocess.run(command, input=given, cwd=folder, check=True, capture_output=True).stdout
