"""What a forced insertion changes: flags, or the bytes where the kernel takes no flags."""

from __future__ import annotations

import errno
import lzma
from pathlib import Path

import pytest

from lkm.elf.file import ElfFile
from lkm.errors import BadModuleFormatError, KernelError
from lkm.kernel.live import COMPRESSED_FILE, LiveKernel
from lkm.kernel.protocol import IGNORE_MODVERSIONS, IGNORE_VERMAGIC
from lkm.module.facts import Module
from lkm.module.file import ModuleImage
from tests.builders.elf import a_module
from tests.kernel.live import TINY, RecordedSyscalls, a_file, a_root


def forced_bytes(image: ModuleImage, flags: int) -> bytes:
    calls = RecordedSyscalls()
    LiveKernel(syscalls=calls).insert(image, flags=flags)
    data = calls.calls[0][1]
    assert isinstance(data, bytes)
    return data


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [32, 64])
def test_without_flags_the_crcs_are_hidden_from_the_kernel(bits: int, order: str) -> None:
    image = ModuleImage(TINY, a_module(versions={"module_layout": 1}, bits=bits, order=order))

    section = ElfFile.from_bytes(forced_bytes(image, IGNORE_MODVERSIONS)).section("__versions")

    assert section is not None
    assert not section.flags & 2
    changed = [one != two for one, two in zip(forced_bytes(image, 1), image.data, strict=True)]
    assert sum(changed) == 1


def test_without_flags_the_vermagic_is_overwritten() -> None:
    image = ModuleImage(TINY, a_module(versions={"module_layout": 1}))
    changed = forced_bytes(image, IGNORE_VERMAGIC)

    assert Module(ModuleImage(TINY, changed)).vermagic is None
    assert len(changed) == len(image.data)


def test_a_vermagic_that_is_not_there_cannot_be_ignored() -> None:
    image = ModuleImage(TINY, a_module(vermagic=None))

    with pytest.raises(KernelError) as caught:
        LiveKernel(syscalls=RecordedSyscalls()).insert(image, flags=IGNORE_VERMAGIC)

    assert caught.value.errno == errno.ENODATA


@pytest.mark.parametrize("unpacks", ["xz", ""])
def test_forcing_a_compressed_file_takes_flags_or_changed_bytes(
    tmp_path: Path, unpacks: str
) -> None:
    root = a_root(tmp_path / "root", folders={})
    if unpacks:
        (tmp_path / "root/sys/module").mkdir(parents=True)
        (tmp_path / "root/sys/module/compression").write_text(f"{unpacks}\n")
    calls = RecordedSyscalls()
    plain = a_module(versions={"module_layout": 1})
    image = a_file(tmp_path, "tiny.ko.xz", lzma.compress(plain))

    LiveKernel(root, syscalls=calls).insert(image, flags=IGNORE_VERMAGIC)

    ((call, data, *rest),) = calls.calls
    if unpacks:
        assert (call, rest) == ("finit_module", [b"", IGNORE_VERMAGIC | COMPRESSED_FILE])
    else:
        assert call == "init_module"
        assert data != plain
        assert isinstance(data, bytes)
        assert Module(ModuleImage(TINY, data)).vermagic is None


def test_bytes_that_are_no_elf_file_cannot_be_forced() -> None:
    image = ModuleImage(TINY, b"no module", path="")

    with pytest.raises(BadModuleFormatError):
        LiveKernel(syscalls=RecordedSyscalls()).insert(image, flags=IGNORE_VERMAGIC)
