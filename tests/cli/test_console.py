"""What is said when a kernel refuses: kmod's words, and advice only where they mislead."""

from __future__ import annotations

import errno
import io
import os

import pytest

from lkm.cli.console import Console
from lkm.errors import KernelError, NoModuleSupportError, NotPermittedError, UnknownSymbolError

TEXT = "could not insert module x.ko: Operation not permitted"


def said(error: KernelError, *, on: str = "live") -> list[str]:
    err = io.StringIO()
    Console("insmod", io.StringIO(), err).refused(TEXT, error, on=on)
    return err.getvalue().splitlines()


def test_who_is_not_root_is_told_that_loading_needs_it_and_reading_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    (line,) = said(NotPermittedError("insert", "x", errno.EPERM))

    assert line.startswith(f"insmod: ERROR: {TEXT}; ")
    assert "needs root (CAP_SYS_MODULE); reading needs no root" in line


def test_root_gets_kmods_words_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    assert said(NotPermittedError("insert", "x", errno.EPERM)) == [f"insmod: ERROR: {TEXT}"]
    assert said(UnknownSymbolError("insert", "x", errno.ENOENT)) == [f"insmod: ERROR: {TEXT}"]


def test_a_kernel_without_modules_is_named_as_the_cause() -> None:
    (line,) = said(NoModuleSupportError("insert", "x", errno.ENOSYS))

    assert "this kernel has no support for loadable modules; use `--on sandbox`" in line


def test_the_sandbox_tells_its_reasons_and_what_it_logged() -> None:
    log = ("x: Unknown symbol a (err -2)", "x: Unknown symbol b (err -2)")
    error = UnknownSymbolError("insert", "x", errno.ENOENT, log=log, remedy="load y first")

    assert said(error, on="sandbox") == [
        f"insmod: ERROR: {TEXT}; load y first",
        "insmod: NOTICE: kernel: x: Unknown symbol a (err -2)",
        "insmod: NOTICE: kernel: x: Unknown symbol b (err -2)",
    ]
