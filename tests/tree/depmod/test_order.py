"""The orders of depmod's files."""

from __future__ import annotations

import random

from lkm.tree.depmod.order import hash_order, module_order, superfasthashes, uncompressed


def superfasthash(data: bytes) -> int:
    """Hash one name byte by byte, as the format's description has it."""
    mask = 0xFFFF_FFFF
    value = len(data)
    for at in range(0, len(data) & ~3, 4):
        value = (value + int.from_bytes(data[at : at + 2], "little")) & mask
        second = int.from_bytes(data[at + 2 : at + 4], "little") << 11 ^ value
        value = (value << 16 ^ second) & mask
        value = (value + (value >> 11)) & mask
    rest = data[len(data) & ~3 :]
    if len(rest) == 3:
        value = (value + int.from_bytes(rest[:2], "little")) & mask
        value = (value ^ value << 16 ^ rest[2] << 18) & mask
        value = (value + (value >> 11)) & mask
    elif len(rest) == 2:
        value = (value + int.from_bytes(rest, "little")) & mask
        value = (value ^ value << 11) & mask
        value = (value + (value >> 17)) & mask
    elif len(rest) == 1:
        value = (value + rest[0]) & mask
        value = (value ^ value << 10) & mask
        value = (value + (value >> 1)) & mask
    for up, down in ((3, 5), (4, 17), (25, 6)):
        value = (value ^ value << up) & mask
        value = (value + (value >> down)) & mask
    return value


def test_names_hashed_together_have_the_hash_of_each_alone() -> None:
    source = random.Random(4)
    names = [source.randbytes(source.randrange(40)) for _ in range(1500)]
    names += [b"", b"a", b"ext4", b"x" * 500, b"\xff" * 64, b"\xff" * 67]

    assert superfasthashes(names) == [superfasthash(name) for name in names]


def test_names_stand_by_bucket_and_then_by_bytes() -> None:
    names = ["ext4", "snd", "a", "b", "zfs", "jbd2", "é"]

    expected = sorted(names, key=lambda name: (superfasthash(name.encode()) & 7, name.encode()))

    assert hash_order(names, 8) == expected
    assert hash_order(reversed(names), 8) == expected
    assert hash_order(names, 1) == sorted(names)


def test_listed_modules_come_first_and_the_first_mention_counts() -> None:
    paths = ["k/a.ko", "k/b.ko.xz", "k/c.ko", "k/d.ko.zst"]

    ordered = module_order(paths, ["k/d.ko", "k/none.ko", "k/b.ko", "k/d.ko"])

    assert ordered == ["k/d.ko.zst", "k/b.ko.xz", "k/a.ko", "k/c.ko"]


def test_a_compression_suffix_is_no_part_of_the_path() -> None:
    assert uncompressed("kernel/a.ko.d/x.ko.gz") == "kernel/a.ko.d/x.ko"
    assert uncompressed("kernel/x") == "kernel/x"
