"""Of each errno the cause that the log, or its silence, makes likely."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from lkm.errors import KernelError, UnknownSymbolError
from lkm.kernel.live import LiveKernel
from lkm.kernel.live_reasons import Heard, why_not_inserted, why_not_removed
from tests.kernel.live import RecordedSyscalls, a_file, a_root

REJECTED = "Loading of unsigned module is rejected"
UNKNOWN = "tiny: Unknown symbol a (err -2)"


@pytest.mark.parametrize(
    ("number", "line", "told"),
    [
        (errno.EKEYREJECTED, REJECTED, "this kernel takes signed modules only"),
        (errno.EKEYREJECTED, "", "its signature does not fit"),
        (errno.EKEYREJECTED, None, "its signature does not fit"),
        (errno.ENOKEY, "", "this kernel takes signed modules only"),
        (
            errno.EINVAL,
            "tiny: `x' invalid for parameter `ms_in'",
            "the lines that the kernel logged",
        ),
        (errno.EINVAL, "usb 1-1: of another", "its init said so, or a check that logs nothing"),
        (errno.EINVAL, None, "the kernel's log (dmesg) has the reason"),
        (errno.ENOENT, UNKNOWN, ""),
        (errno.ENOENT, "", "its init said so"),
        (errno.ENOENT, None, ""),
        (errno.EPERM, "Module tiny is blacklisted", "module_blacklist= on the kernel's"),
        (
            errno.EPERM,
            "Lockdown: modprobe: unsigned module loading is",
            "the kernel is locked down",
        ),
        (errno.EPERM, "", "root is not let either"),
        (errno.EIO, "", ""),
    ],
)
def test_the_cause_is_told_by_the_log(
    monkeypatch: pytest.MonkeyPatch, number: int, line: str | None, told: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    heard = Heard("tiny", (line,) if line else (), readable=line is not None)

    why = why_not_inserted(number, heard, modules_disabled=False)

    assert why.startswith(told)
    assert bool(why) == bool(told)


def test_modules_that_are_disabled_are_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    root = a_root(tmp_path / "root", folders={})
    (tmp_path / "root/proc/sys/kernel/modules_disabled").write_text("1\n")
    kernel = LiveKernel(root, syscalls=RecordedSyscalls(finit=-errno.EPERM, delete=-errno.EPERM))
    image = a_file(tmp_path)

    with pytest.raises(KernelError) as insert:
        kernel.insert(image)
    with pytest.raises(KernelError) as remove:
        kernel.remove(image.name)

    assert insert.value.remedy.startswith("kernel.modules_disabled is 1")
    assert remove.value.remedy == insert.value.remedy
    assert why_not_removed(errno.EPERM, modules_disabled=False).startswith("root is not let either")
    assert not why_not_removed(errno.EBUSY, modules_disabled=True)


def test_an_init_that_finds_nothing_is_not_told_as_a_missing_symbol(tmp_path: Path) -> None:
    root = a_root(tmp_path / "root", folders={})
    kernel = LiveKernel(root, syscalls=RecordedSyscalls(finit=-errno.ENOENT))
    with pytest.raises(UnknownSymbolError):
        kernel.insert(a_file(tmp_path))  # there is no log, so nobody knows

    (tmp_path / "root/dev").mkdir()
    (tmp_path / "root/dev/kmsg").write_text("")
    with pytest.raises(KernelError) as caught:
        kernel.insert(a_file(tmp_path))

    assert (type(caught.value), caught.value.errno) == (KernelError, errno.ENOENT)
    assert caught.value.remedy.startswith("its init said so")
