"""Compressed files given to a kernel that unpacks them: the answers of xz are a real 6.12's."""

from __future__ import annotations

import errno
import gzip
import lzma
import random
import subprocess
import zlib
from collections.abc import Sequence

import pytest

from lkm.loader.facts import KernelFacts
from lkm.loader.file.decompression import compression_of, decompression
from lkm.loader.file.given import COMPRESSED_FILE, GivenFile
from lkm.loader.findings import Finding
from lkm.loader.options import KernelOptions
from lkm.module.file import codec, image_from_bytes
from tests.builders.elf import a_module
from tests.conftest import missing
from tests.debian import NotHere, unpacked

PLAIN = a_module(name="tm", modinfo=("retpoline=Y",)) + bytes(range(256)) * 30
XZ = KernelOptions(module_decompress=True, module_compress_xz=True)
GZIP = KernelOptions(module_decompress=True, module_compress_gzip=True)
ZSTD = KernelOptions(module_decompress=True, module_compress_zstd=True)
LZMA2 = {"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}
NO_GZIP = "not a gzip compressed module"
NO_XZ = "not an xz compressed module"


def given(
    data: bytes, options: KernelOptions = XZ, flags: int = COMPRESSED_FILE
) -> tuple[bytes, list[Finding]]:
    kernel = KernelFacts(release="6.12.117", options=options)
    file = GivenFile(data, kernel, flags, by_descriptor=True)
    findings = list(decompression(file))
    return file.data, findings


def answer(data: bytes, options: KernelOptions = XZ) -> str:
    """Return what the kernel logs when it refuses, empty where it unpacks the module whole."""
    plain, findings = given(data, options)
    if not findings:
        return "" if plain == PLAIN else "another file"
    (finding,) = findings
    assert finding.errno == errno.EINVAL
    (line,) = finding.log
    assert line.level == 3
    return line.text


def status(number: int) -> str:
    return f"decompression failed with status {number}"


def an_xz(
    data: bytes = PLAIN,
    check: int = lzma.CHECK_CRC32,
    filters: Sequence[dict[str, int]] = (LZMA2,),
) -> bytes:
    return lzma.compress(data, lzma.FORMAT_XZ, check, None, list(filters))


def test_without_the_flag_nothing_is_unpacked() -> None:
    assert given(an_xz(), flags=3) == (an_xz(), [])


def test_a_kernel_that_cannot_unpack_says_so_silently() -> None:
    data, (finding,) = given(an_xz(), KernelOptions())

    assert (finding.errno, finding.log) == (errno.EOPNOTSUPP, ())
    assert data == an_xz()


def test_a_kernel_whose_format_is_not_known_is_not_guessed() -> None:
    _data, (finding,) = given(an_xz(), KernelOptions(module_decompress=True))

    assert finding.could_not_tell


@pytest.mark.parametrize(
    ("options", "text"), [(XZ, NO_XZ), (GZIP, NO_GZIP), (ZSTD, "not a zstd compressed module")]
)
def test_another_format_is_refused(options: KernelOptions, text: str) -> None:
    for data in (PLAIN, b"x", lzma.compress(PLAIN, lzma.FORMAT_ALONE)):
        assert answer(data, options) == text


@pytest.mark.parametrize(
    ("check", "filters", "expected"),
    [
        (lzma.CHECK_CRC32, (LZMA2,), ""),
        (lzma.CHECK_NONE, (LZMA2,), ""),
        (lzma.CHECK_CRC64, (LZMA2,), status(6)),
        (lzma.CHECK_SHA256, (LZMA2,), status(6)),
        (lzma.CHECK_CRC32, ({"id": lzma.FILTER_X86}, LZMA2), ""),
        (lzma.CHECK_CRC32, ({"id": lzma.FILTER_X86, "start_offset": 16}, LZMA2), status(6)),
        (lzma.CHECK_CRC32, ({"id": lzma.FILTER_DELTA, "dist": 4}, LZMA2), status(6)),
        (lzma.CHECK_CRC32, ({"id": lzma.FILTER_ARM}, LZMA2), status(6)),
        (lzma.CHECK_CRC32, ({"id": lzma.FILTER_X86}, {"id": lzma.FILTER_DELTA}, LZMA2), status(6)),
    ],
)
def test_of_xz_the_kernel_takes_a_part(
    check: int, filters: Sequence[dict[str, int]], expected: str
) -> None:
    assert answer(an_xz(check=check, filters=filters)) == expected


def test_a_filter_counts_if_the_kernel_was_built_with_it() -> None:
    data = an_xz(filters=({"id": lzma.FILTER_ARM}, LZMA2))
    with_arm = KernelOptions(module_decompress=True, module_compress_xz=True, xz_dec_arm=True)

    assert answer(data, with_arm) == ""


def test_a_filter_that_python_lacks_is_not_guessed() -> None:
    arm64 = bytearray(an_xz(filters=({"id": lzma.FILTER_ARM}, LZMA2)))
    size = (arm64[12] + 1) * 4
    arm64[14] = 10  # the id
    header = bytes(arm64[12 : 12 + size - 4])
    arm64[12 + size - 4 : 12 + size] = zlib.crc32(header).to_bytes(4, "little")
    options = KernelOptions(module_decompress=True, module_compress_xz=True, xz_dec_arm64=True)

    _data, (finding,) = given(bytes(arm64), options)

    assert finding.could_not_tell
    assert answer(bytes(arm64)) == status(6)


def test_of_several_streams_only_the_first_is_seen() -> None:
    half = len(PLAIN) // 2

    assert given(an_xz(PLAIN[:half]) + an_xz(PLAIN[half:])) == (PLAIN[:half], [])
    for behind in (bytes(4), bytes(3), b"garbage", an_xz()[:50]):
        assert answer(an_xz() + behind) == ""
    assert answer(bytes(4) + an_xz()) == NO_XZ


def test_a_file_of_xz_cut_anywhere_has_status_0() -> None:
    whole = an_xz()
    for size in range(len(whole)):
        assert answer(whole[:size]) == (NO_XZ if size < 6 else status(0))


@pytest.mark.parametrize(
    ("offset", "value", "expected"),
    [
        (6, 1, status(7)),
        (7, 2, status(7)),
        (8, 9, status(7)),
        (12, 255, status(7)),
        (13, 0x3E, status(7)),
        (300, 0x55, status(7)),
        (-33, 0x55, status(7)),
        (-12, 0x55, status(7)),
        (-1, 0, status(7)),
    ],
)
def test_damage_of_xz_has_status_7(offset: int, value: int, expected: str) -> None:
    data = bytearray(an_xz())
    assert data[offset] != value
    data[offset] = value
    if offset == 12:
        data += bytes(2000)  # the header of the block is all there

    assert answer(bytes(data)) == expected


def test_the_first_byte_of_the_range_coder_is_not_looked_at() -> None:
    data = bytearray(an_xz(check=lzma.CHECK_NONE))
    start = 12 + (data[12] + 1) * 4 + 6
    assert data[start] == 0
    data[start] = 7

    assert answer(bytes(data)) == ""


def test_a_broken_file_is_refused_or_gives_the_same_module() -> None:
    source = random.Random(7)
    whole = an_xz()
    for _turn in range(2000):
        data = bytearray(whole)
        data[source.randrange(6, len(data))] = source.randrange(256)
        assert answer(bytes(data)) in {"", status(0), status(6), status(7)}


def test_a_large_dictionary_is_a_doubt() -> None:
    small, nothing = given(an_xz(filters=({**LZMA2, "dict_size": 64 << 20},)))
    large = bytearray(an_xz())
    assert large[14:16] == b"\x21\x01"
    large[16] = 36
    large[20:24] = zlib.crc32(bytes(large[12:20])).to_bytes(4, "little")

    plain, (finding,) = given(bytes(large))

    assert (small, nothing) == (PLAIN, [])
    assert plain == PLAIN
    assert (finding.errno, finding.could_not_tell) == (0, True)
    assert "1024 MiB" in finding.evidence


@pytest.mark.parametrize("options", [XZ, GZIP])
def test_a_file_that_grows_out_of_all_proportion_is_not_unpacked(options: KernelOptions) -> None:
    bomb = bytes(60 << 20)
    packed = an_xz(bomb) if options is XZ else gzip.compress(bomb)

    data, (finding,) = given(packed, options)

    assert finding.could_not_tell
    assert finding.errno == errno.EINVAL
    assert data == packed


def a_gzip(flags: int = 0, more: bytes = b"") -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = b"\x1f\x8b\x08" + bytes([flags]) + bytes(6) + more
    return head + packer.compress(PLAIN) + packer.flush() + b"no CRC, no size"


def test_of_a_gzip_header_only_the_name_is_known() -> None:
    assert answer(gzip.compress(PLAIN), GZIP) == ""
    assert answer(a_gzip(), GZIP) == ""
    assert answer(a_gzip(8, b"a name\0"), GZIP) == ""
    assert answer(a_gzip(0xF7), GZIP) == ""  # other flags are not looked at
    assert answer(a_gzip(16, b"a comment\0"), GZIP).startswith("decompression failed")
    assert answer(b"\x1f\x8b\x08\x08" + b"x" * 100, GZIP) == NO_GZIP


def test_a_second_member_of_gzip_is_not_seen() -> None:
    assert answer(a_gzip() + a_gzip(), GZIP) == ""


def test_a_file_of_gzip_cut_anywhere_has_status_minus_5() -> None:
    whole = a_gzip(8, b"tm.ko\0").removesuffix(b"no CRC, no size")
    for size in range(len(whole)):
        assert answer(whole[:size], GZIP) == (NO_GZIP if size < 16 else status(-5))


def a_zstd(*options: str) -> bytes:
    try:
        done = subprocess.run(
            ["zstd", "-c", *options], input=PLAIN, capture_output=True, check=True
        )
    except FileNotFoundError:
        missing("oracle", "zstd is not installed")
        raise
    return done.stdout


@pytest.mark.oracle
def test_zstd_is_unpacked_as_far_as_it_goes() -> None:
    codec("zstd")
    whole = a_zstd()

    assert answer(whole, ZSTD) == ""
    assert answer(whole + a_zstd(), ZSTD) == ""
    header = "ZSTD-compressed data has an incomplete frame header"
    for size in range(4, len(whole)):
        text = answer(whole[:size], ZSTD)
        assert text in {header} if size < 6 else text in {"", "another file"}


@pytest.mark.oracle
def test_damage_of_zstd_is_told_by_its_numbers() -> None:
    whole = bytearray(a_zstd("--check"))
    checksum, reserved = bytearray(whole), bytearray(whole)
    checksum[-1] ^= 1
    reserved[4] |= 8

    assert answer(bytes(checksum), ZSTD) == "ZSTD-decompression failed with status 22"
    assert answer(bytes(reserved), ZSTD) == "ZSTD-compressed data has an incomplete frame header"


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--check=crc32", "-9e"], ""),
        (["--check=crc32", "-0"], ""),
        (["--check=none"], ""),
        ([], status(6)),
        (["--check=sha256"], status(6)),
        (["--check=crc32", "-T2", "--block-size=4096"], ""),
        (["--check=crc32", "--block-list=4096,2000"], ""),
        (["--check=crc32", "--x86", "--lzma2=dict=1MiB"], ""),
        (["--check=crc32", "--lzma2=dict=4KiB"], ""),
        (["--check=crc32", "--lzma2=lc=0,lp=4,pb=0"], ""),
        (["--check=crc32", "--sparc", "--lzma2"], status(6)),
        (["--format=lzma"], NO_XZ),
    ],
)
def test_files_of_the_xz_program_are_answered_as_by_the_kernel(
    options: list[str], expected: str
) -> None:
    try:
        done = subprocess.run(["xz", "-c", *options], input=PLAIN, capture_output=True, check=True)
    except FileNotFoundError:
        missing("oracle", "xz is not installed")
        raise

    assert answer(done.stdout) == expected


@pytest.mark.debian
def test_a_distributions_own_modules_are_unpacked() -> None:
    try:
        root = unpacked("linux-image-6.12.117+deb12-amd64")
    except NotHere as reason:
        missing("debian", str(reason))
        raise
    paths = sorted((root / "lib/modules").rglob("*.ko.xz"))
    for path in random.Random(2).sample(paths, 300):
        packed = path.read_bytes()
        assert given(packed) == (image_from_bytes(packed, name="x").data, []), path


def test_the_format_is_shown_where_there_is_one() -> None:
    names = [compression_of(options) for options in (XZ, GZIP, ZSTD, KernelOptions())]

    assert names == ["xz", "gzip", "zstd", ""]
