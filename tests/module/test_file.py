from __future__ import annotations

import gzip
import lzma
import os
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from lkm.errors import FileError, FormatError, MissingLibraryError
from lkm.module.file import (
    FileSlices,
    ModuleImage,
    decompress,
    detect,
    image_from_bytes,
    open_slices,
    read_image,
)
from lkm.names import module_name
from tests.builders.elf import a_module

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PLAIN = a_module()
WRAPPERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
}


@pytest.mark.parametrize("compression", WRAPPERS)
def test_a_wrapped_module_is_told_by_its_content_and_not_by_its_name(
    tmp_path: Path, compression: str
) -> None:
    path = tmp_path / "snd-pcm.ko"
    path.write_bytes(WRAPPERS[compression](PLAIN))

    image = read_image(str(path))
    assert (image.name, image.compression, image.path) == ("snd_pcm", compression, str(path))
    assert image.data == PLAIN


def test_a_plain_module_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.ko.xz"
    path.write_bytes(PLAIN)

    assert read_image(str(path)) == ModuleImage(module_name("a"), PLAIN, str(path), "")


def test_an_image_of_bytes_takes_the_name_that_it_is_given() -> None:
    image = image_from_bytes(gzip.compress(PLAIN), name="dm-mod")

    assert (image.name, image.path, image.compression) == ("dm_mod", "", "gzip")
    assert repr(image) == f"ModuleImage('dm_mod', <{len(PLAIN)} bytes>, '', 'gzip')"


def test_several_members_streams_or_frames_are_joined() -> None:
    for compress in WRAPPERS.values():
        assert decompress(compress(b"one, ") + compress(b"two"))[1] == b"one, two"


def test_xz_streams_may_be_padded_and_gzip_may_be_followed_by_anything() -> None:
    assert decompress(lzma.compress(b"a") + bytes(8) + lzma.compress(b"b")) == ("xz", b"ab")
    assert decompress(gzip.compress(b"a") + b"rubbish") == ("gzip", b"a")


@pytest.mark.parametrize("compression", WRAPPERS)
def test_a_wrapped_module_cut_anywhere_is_a_format_error(compression: str) -> None:
    data = WRAPPERS[compression](PLAIN)
    first = next(size for size in range(len(data)) if detect(data[:size]))
    for size in range(first, len(data)):
        with pytest.raises(FormatError, match=f"{compression} file: (cut off|damaged)"):
            decompress(data[:size])


@pytest.mark.parametrize("compression", WRAPPERS)
def test_a_damaged_wrapping_is_a_format_error_that_names_the_file(
    tmp_path: Path, compression: str
) -> None:
    data = bytearray(WRAPPERS[compression](PLAIN))
    middle = len(data) // 2
    data[middle : middle + 8] = b"\xff" * 8
    path = tmp_path / "bad.ko"
    path.write_bytes(data)

    for read in (read_image, open_slices):
        with pytest.raises(FormatError) as caught:
            read(str(path))
        assert caught.value.path == str(path)


@pytest.mark.parametrize("compression", WRAPPERS)
def test_a_file_that_grows_out_of_all_proportion_is_refused(compression: str) -> None:
    bomb = WRAPPERS[compression](bytes(9 << 20))

    with pytest.raises(FormatError, match="grows past"):
        decompress(bomb)


@pytest.mark.parametrize("compression", WRAPPERS)
def test_a_small_file_of_a_large_module_is_none_of_these(compression: str) -> None:
    as_large_as_test_bpf = bytes(5 << 20)

    assert decompress(WRAPPERS[compression](as_large_as_test_bpf))[1] == as_large_as_test_bpf


def test_an_xz_file_that_wants_more_memory_than_any_module_is_refused() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 4096}]
    data = bytearray(lzma.compress(b"x", check=lzma.CHECK_CRC32, filters=filters))
    at = 12 + 4  # the dictionary's size in the block header; the header's checksum follows
    assert data[at] == 0
    data[at] = 37  # 3 GB
    end = 12 + 4 * (data[12] + 1)
    data[end - 4 : end] = zlib.crc32(data[12 : end - 4]).to_bytes(4, "little")

    with pytest.raises(FormatError, match="damaged: Memory usage limit"):
        decompress(bytes(data))


def test_a_library_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lzma", None)

    with pytest.raises(MissingLibraryError) as caught:
        decompress(lzma.compress(b"x"))
    assert str(caught.value) == "reading a xz file needs the Python library lzma"


def test_slices_of_a_file_are_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    slices = FileSlices(str(path))

    assert len(slices) == 10
    assert (slices[2:5], slices[8:99], slices[99:], slices[:]) == (
        b"234",
        b"89",
        b"",
        b"0123456789",
    )
    assert (slices[5:2], slices[-3:], slices[::2]) == (b"", b"789", b"02468")
    slices.close()
    slices.close()
    with pytest.raises(FileError):
        slices[0:1]


def test_a_file_that_shrinks_while_it_is_read_is_a_format_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(100))
    slices = FileSlices(str(path))
    path.write_bytes(bytes(10))

    with pytest.raises(FormatError, match="the file shrank"):
        slices[0:50]


@pytest.mark.parametrize("kind", ["missing", "directory", "pipe"])
def test_what_is_no_file_is_a_file_error(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)

    for read in (read_image, open_slices):
        with pytest.raises((FileError, FormatError)) as caught:
            read(str(path))
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("compression", ["xz", "zstd"])
def test_something_else_behind_the_last_stream_is_refused(compression: str) -> None:
    with pytest.raises(FormatError, match="7 bytes of something else"):
        decompress(WRAPPERS[compression](PLAIN) + b"garbage")


def test_xz_streams_are_padded_by_whole_words() -> None:
    wrapped = lzma.compress(PLAIN)

    assert decompress(wrapped + bytes(4))[1] == PLAIN
    with pytest.raises(FormatError):
        decompress(wrapped + bytes(3))


def test_what_follows_a_gzip_member_does_not_count() -> None:
    assert decompress(gzip.compress(PLAIN) + b"garbage")[1] == PLAIN
