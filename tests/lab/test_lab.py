from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import missing
from tests.lab import cpio, qemu


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


@pytest.mark.lab
def test_a_kernel_that_does_not_start_fails_with_what_qemu_said(tmp_path: Path) -> None:
    with pytest.raises(qemu.GuestFailed) as caught:
        run_or_skip(b"no kernel", tmp_path, timeout_s=30)

    assert "kernel" in str(caught.value)


@pytest.mark.lab
def test_a_guest_that_never_ends_is_killed(tmp_path: Path) -> None:
    with pytest.raises(qemu.GuestFailed, match="still ran after 1 s"):
        run_or_skip(_a_loop(), tmp_path, timeout_s=1)


def run_or_skip(kernel: bytes, folder: Path, *, timeout_s: float) -> None:
    try:
        qemu.run(kernel, b"", folder, timeout_s=timeout_s)
    except qemu.NoQemu as error:
        missing("lab", str(error))


def _a_loop() -> bytes:
    """Return a multiboot kernel of one instruction, a jump to itself."""
    address = 0x100000
    flags = 0x10000
    words = [0x1BADB002, flags, -(0x1BADB002 + flags) & 0xFFFFFFFF]
    words += [address, address, 0, 0, address + 32]
    return b"".join(word.to_bytes(4, "little") for word in words) + b"\xeb\xfe" + bytes(4096)
