from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from lkm.kernel.kmsg import LOST, LogSince, kernel_lines

RECORDS = (
    b"6,339,5140900,-;NET: Registered protocol family 10\n"
    b"30,340,5690716,-;udevd[80]: starting version 181\n"
    b"3,341,5690717,c,caller=T1;usb 1-1: a;b \\xc3\\xa4 \\x5c \\x1b\n"
    b" SUBSYSTEM=usb\n"
    b" DEVICE=c;189:0\n"
    b"4,342,5690718,-;first\\x0asecond\\x0a\n"
)
LINES = (
    "NET: Registered protocol family 10",
    "usb 1-1: a;b ä \\ \x1b",
    "first",
    "second",
)


def test_the_lines_are_the_kernels_own_without_what_stands_before_them() -> None:
    assert kernel_lines(RECORDS) == LINES


@pytest.mark.parametrize("size", range(len(RECORDS)))
def test_a_log_cut_anywhere_gives_the_lines_before_and_what_is_left_of_one(size: int) -> None:
    lines = kernel_lines(RECORDS[:size])

    whole = lines[:-1]
    assert whole == LINES[: len(whole)]
    if lines:
        # A cut escape stays as it stands; a cut character becomes a stray byte.
        last = lines[-1].split("\\x")[0].rstrip("\\\udcc3")
        assert LINES[len(whole)].startswith(last)


@pytest.mark.parametrize(
    ("record", "lines"),
    [
        (b"no record at all", ()),
        (b"x,1,2,-;a letter for a priority", ()),
        (b"-1,1,2,-;less than nothing", ()),
        (b"8,1,2,-;of a user", ()),
        (b"99999999999999999999,1,2,-;of nobody", ()),
        (b"0;no more than a priority", ("no more than a priority",)),
        (b"7,1,2,-;", ("",)),
        (b"7,1,2,-;\\xzz \\x+1 \\x 1 \\x", ("\\xzz \\x+1 \\x 1 \\x",)),
        (b"7,1,2,-;\xff\\xff", ("\udcff\udcff",)),
    ],
)
def test_what_the_kernel_never_writes_is_no_error(record: bytes, lines: tuple[str, ...]) -> None:
    assert kernel_lines(record) == lines


def test_only_what_comes_after_the_beginning_is_read_and_only_once(tmp_path: Path) -> None:
    path = tmp_path / "kmsg"
    path.write_bytes(RECORDS)

    with LogSince(str(path)) as log:
        assert log.lines() == ()
        with path.open("ab") as file:
            file.write(b"4,343,1,-;new\n")
        assert log.lines() == ("new",)
        assert log.lines() == ()
    assert log.lines() == ()


def test_of_a_flood_the_newest_lines_are_kept_and_the_loss_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kmsg"
    path.write_bytes(b"")
    flood = [b"4,%d,1,-;line %d\n" % (number, number) for number in range(3000)]

    with LogSince(str(path)) as log:
        assert log.readable
        monkeypatch.setattr(os, "read", lambda _descriptor, _size: flood.pop(0) if flood else b"")
        lines = log.lines()

    assert (lines[0], lines[1], lines[-1]) == (LOST, "line 2000", "line 2999")


def test_lines_that_were_overwritten_are_told_to_be_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kmsg"
    path.write_bytes(b"")
    answers: list[bytes | OSError] = [
        OSError(errno.EPIPE, ""),
        b"4,9,1,-;left\n",
        OSError(errno.EAGAIN, ""),
    ]

    def read(_descriptor: int, _size: int) -> bytes:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    with LogSince(str(path)) as log:
        monkeypatch.setattr(os, "read", read)
        assert log.lines() == (LOST, "left")


def test_a_log_that_is_dev_null_is_not_taken_for_silence() -> None:
    with LogSince("/dev/null") as log:
        assert (log.readable, log.lines()) == (False, ())


def test_of_a_file_without_an_end_nothing_is_read(tmp_path: Path) -> None:
    path = tmp_path / "kmsg"
    os.mkfifo(path)
    keeper = os.open(path, os.O_RDWR)
    try:
        os.write(keeper, RECORDS)
        with LogSince(str(path)) as log:
            assert log.lines() == ()
        assert os.read(keeper, len(RECORDS)) == RECORDS
    finally:
        os.close(keeper)


def test_where_there_is_no_log_there_are_no_lines(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    for path in (tmp_path / "none", tmp_path):
        with LogSince(str(path)) as log:
            assert log.lines() == ()
    assert os.listdir("/proc/self/fd") == before


def test_this_machines_log_is_read_without_a_traceback() -> None:
    with LogSince() as log:
        assert all(isinstance(line, str) for line in log.lines())
