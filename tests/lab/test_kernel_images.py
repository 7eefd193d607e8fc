from __future__ import annotations

import struct
from pathlib import Path

import pytest

from lkm.errors import FileError, FormatError, LabError
from lkm.lab.architectures import ARM64, X86_64
from lkm.lab.kernel_images import bootable
from lkm.vmlinux.image import KernelImage
from tests.builders.vmlinux import a_bzimage, a_raw_image, a_zboot, an_elf_kernel, packed


def note(name: bytes, kind: int) -> bytes:
    body = struct.pack("<Q", 0x1000000)
    padded = name + bytes(-len(name) % 4)
    return struct.pack("<III", len(name), len(body), kind) + padded + body


PVH = note(b"Linux\0", 0x101) + note(b"Xen\0", 18)


@pytest.fixture(params=["kept", "not kept"])
def cache(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    kind = str(request.param)
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache") if kind == "kept" else "off")
    return kind


def at(folder: Path, data: bytes) -> str:
    file = folder / "vmlinuz"
    file.write_bytes(data)
    return str(file)


def contents(file: str | bytes) -> bytes:
    return file if isinstance(file, bytes) else Path(file).read_bytes()


def test_an_x86_kernel_with_an_entry_point_for_pvh_is_unpacked(tmp_path: Path, cache: str) -> None:
    elf = an_elf_kernel(sections=[(".notes", PVH)])
    path = at(tmp_path, a_bzimage(packed(elf, "gzip")))

    for _again in range(2):
        found = bootable(path)
        assert found.architecture is X86_64
        assert contents(found.file) == elf
        assert isinstance(found.file, str) == (cache == "kept")


@pytest.mark.parametrize(
    "notes",
    [b"", note(b"Xen\0", 17), note(b"Linux\0", 18), PVH[:-9]],
    ids=["none", "another", "somebody else's", "cut"],
)
def test_without_one_it_starts_as_it_is(tmp_path: Path, cache: str, notes: bytes) -> None:
    path = at(tmp_path, a_bzimage(packed(an_elf_kernel(sections=[(".notes", notes)]), "gzip")))

    for _again in range(2):
        found = bootable(path)
        assert (found.file, found.architecture) == (path, X86_64)
    assert cache


def test_an_elf_kernel_is_not_copied(tmp_path: Path, cache: str) -> None:
    path = at(tmp_path, an_elf_kernel(sections=[(".notes", PVH)]))

    assert bootable(path).file == path
    assert cache


@pytest.mark.parametrize("wrapped", ["gzip", "zboot"])
def test_an_arm64_image_is_unpacked(tmp_path: Path, cache: str, wrapped: str) -> None:
    image = a_raw_image(bytes(4096))
    data = packed(image, "gzip") if wrapped == "gzip" else a_zboot(packed(image, "gzip"), "gzip")
    found = bootable(at(tmp_path, data))

    assert found.architecture is ARM64
    assert contents(found.file) == image
    assert cache


def test_a_plain_arm64_image_starts_as_it_is(tmp_path: Path, cache: str) -> None:
    path = at(tmp_path, a_raw_image(bytes(4096)))

    for _again in range(2):
        found = bootable(path)
        assert (found.file, found.architecture) == (path, ARM64)
    assert cache


def test_another_kernel_at_the_same_path_is_looked_at_anew(tmp_path: Path, cache: str) -> None:
    bootable(at(tmp_path, a_raw_image(bytes(4096))))

    assert bootable(at(tmp_path, a_bzimage(packed(an_elf_kernel(), "gzip")))).architecture is X86_64
    assert cache


def test_a_machine_without_a_lab_is_told(tmp_path: Path) -> None:
    riscv = at(tmp_path, a_raw_image(machine="riscv"))
    with pytest.raises(LabError, match="another machine"):
        bootable(riscv)


def test_what_is_no_kernel_is_a_format_error_and_a_missing_one_a_file_error(
    tmp_path: Path,
) -> None:
    with pytest.raises(FormatError):
        bootable(at(tmp_path, b"no kernel"))
    with pytest.raises(FileError):
        bootable(str(tmp_path / "nowhere"))


def test_a_kernel_that_cannot_be_kept_is_unpacked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LKM_CACHE", "off")
    opened: list[str] = []
    whole = KernelImage.open

    def opening(path: str) -> KernelImage:
        opened.append(path)
        return whole(path)

    monkeypatch.setattr(KernelImage, "open", opening)
    bootable(at(tmp_path, a_raw_image(bytes(4096))))

    assert len(opened) == 1


def test_a_kept_kernel_that_was_cut_is_unpacked_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    elf = an_elf_kernel(sections=[(".notes", PVH)])
    path = at(tmp_path, a_bzimage(packed(elf, "gzip")))
    Path(str(bootable(path).file)).write_bytes(elf[:200])

    assert contents(bootable(path).file) == elf
