from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from lkm.errors import GuestFailedError, GuestTimedOutError, NoLabProgramError
from lkm.lab import batch
from lkm.lab.batch import Said, parse_output
from tests.conftest import missing


def test_without_qemu_the_error_names_debians_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NoLabProgramError) as caught:
        batch.run(b"", b"")

    assert caught.value.package == "qemu-system-x86"
    assert "apt-get install qemu-system-x86" in caught.value.remedy


@pytest.mark.lab
def test_a_kernel_that_does_not_start_fails_with_what_qemu_said() -> None:
    with pytest.raises(GuestFailedError) as caught:
        run_or_skip(b"no kernel", timeout_s=30)

    assert "kernel" in str(caught.value)


@pytest.mark.lab
def test_a_guest_that_never_ends_is_stopped() -> None:
    with pytest.raises(GuestTimedOutError, match="still ran after 1 s"):
        run_or_skip(_a_loop(), timeout_s=1)

    assert guests() == []


@pytest.mark.lab
def test_an_interrupt_leaves_no_guest_behind() -> None:
    timer = threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    started = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            run_or_skip(_a_loop(), timeout_s=30)
    finally:
        timer.cancel()

    assert time.monotonic() - started < 20
    assert guests() == []


def run_or_skip(kernel: bytes, *, timeout_s: float) -> None:
    try:
        batch.run(kernel, b"", timeout_s=timeout_s)
    except NoLabProgramError as error:
        missing("lab", str(error))


def guests() -> list[str]:
    """Return the QEMUs that are children of this process."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    names = [Path(f"/proc/{child}/comm") for child in children]
    return [path.read_text() for path in names if path.exists() and "qemu" in path.read_text()]


def _a_loop() -> bytes:
    """Return a multiboot kernel of one instruction, a jump to itself."""
    address = 0x100000
    flags = 0x10000
    words = [0x1BADB002, flags, -(0x1BADB002 + flags) & 0xFFFFFFFF]
    words += [address, address, 0, 0, address + 32]
    return b"".join(word.to_bytes(4, "little") for word in words) + b"\xeb\xfe" + bytes(4096)


def test_output_and_status_are_told_apart() -> None:
    said = parse_output(b"one\r\ntwo\r\nlab: exit status 3\r\n")

    assert said == Said("one\ntwo\n", 3)


@pytest.mark.parametrize(
    "data", [b"", b"one\r\n", b"lab: exit status ", b"lab: exit status x", b"lab: exit status \xb2"]
)
def test_without_a_whole_end_line_there_is_no_status(data: bytes) -> None:
    assert parse_output(data).status is None


def test_an_end_line_that_the_guest_itself_prints_is_output() -> None:
    said = parse_output(b"lab: exit status 1\nlab: exit status 0\n")

    assert said == Said("lab: exit status 1\n", 0)
