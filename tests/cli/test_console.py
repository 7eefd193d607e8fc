"""What is said when a kernel refuses: kmod's words, and advice in lines of its own."""

from __future__ import annotations

import errno
import io
import os

import pytest

from lkm.cli.console import Console
from lkm.errors import KernelError, NoModuleSupportError, NotPermittedError, UnknownSymbolError

TEXT = "could not insert module x.ko: Operation not permitted"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def a_console(*, terminal: bool = False, on: str = "live") -> Console:
    console = Console("insmod", io.StringIO(), Terminal() if terminal else io.StringIO())
    console.kernel = on
    return console


def said(console: Console, error: KernelError) -> list[str]:
    console.refused(TEXT, error)
    assert isinstance(console.err, io.StringIO)
    return console.err.getvalue().splitlines()


def test_kmods_line_stands_alone_for_who_reads_it_by_program() -> None:
    console = a_console()

    assert said(console, UnknownSymbolError("insert", "x", errno.ENOENT)) == [
        f"insmod: ERROR: {TEXT}"
    ]
    assert console.messages == [
        ("ERROR", TEXT),
        ("NOTICE", "load its dependencies first, as modprobe does"),
    ]


def test_a_terminal_gets_what_helps_in_a_line_of_its_own() -> None:
    console = a_console(terminal=True)

    assert said(console, UnknownSymbolError("insert", "x", errno.ENOENT)) == [
        f"insmod: ERROR: {TEXT}",
        "insmod: NOTICE: load its dependencies first, as modprobe does",
    ]


def test_a_kernel_without_modules_gets_it_too() -> None:
    kmods, ours = said(a_console(), NoModuleSupportError("insert", "x", errno.ENOSYS))

    assert kmods == f"insmod: ERROR: {TEXT}"
    assert ours.startswith(
        "insmod: NOTICE: this kernel has no support for loadable modules; use `--on sandbox`"
    )


def test_who_is_not_root_is_told_that_loading_needs_it_and_reading_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    error = NotPermittedError("insert", "x", errno.EPERM)
    _kmods, ours = said(a_console(terminal=True), error)

    assert "needs root (CAP_SYS_MODULE); reading needs no root" in ours


def test_what_the_kernel_logged_cannot_drive_the_terminal() -> None:
    error = KernelError("insert", "x", errno.EINVAL, log=("x: \x1b[2J\udcff `a' invalid",))

    assert said(a_console(terminal=True), error) == [
        f"insmod: ERROR: {TEXT}",
        "insmod: NOTICE: kernel: x: \\x1b[2J\\xff `a' invalid",
    ]


def test_a_kernel_that_logs_without_end_does_not_fill_the_screen() -> None:
    log = tuple([f"x: Unknown symbol s{number} (err -2)" for number in range(100)])
    error = UnknownSymbolError("insert", "x", errno.ENOENT, log=log)

    lines = said(a_console(terminal=True), error)

    # The reason comes last.
    assert lines[1:3] == [
        "insmod: NOTICE: kernel: 80 more lines in its log, then ...",
        "insmod: NOTICE: kernel: x: Unknown symbol s80 (err -2)",
    ]
    assert lines[21] == "insmod: NOTICE: kernel: x: Unknown symbol s99 (err -2)"
    assert error.log == log


def test_the_sandbox_tells_its_reasons_and_what_it_logged() -> None:
    log = ("x: Unknown symbol a (err -2)", "x: Unknown symbol b (err -2)")
    error = UnknownSymbolError("insert", "x", errno.ENOENT, log=log, remedy="load y first")

    assert said(a_console(on="sandbox"), error) == [
        f"insmod: ERROR: {TEXT}",
        "insmod: NOTICE: kernel: x: Unknown symbol a (err -2)",
        "insmod: NOTICE: kernel: x: Unknown symbol b (err -2)",
        "insmod: NOTICE: load y first",
    ]


def test_evidence_stands_before_what_helps_and_the_checks_id_behind_it() -> None:
    error = UnknownSymbolError("insert", "x", errno.ENOENT, log=("x: no such",), remedy="load y")
    error.check, error.evidence = "unknown-symbol", "nobody exports a"

    assert said(a_console(on="sandbox"), error)[2:] == [
        "insmod: NOTICE: nobody exports a; load y (unknown-symbol)"
    ]
    error.evidence = "x: no such"  # a line of the log says that already
    assert said(a_console(on="sandbox"), error)[2:] == ["insmod: NOTICE: load y (unknown-symbol)"]
