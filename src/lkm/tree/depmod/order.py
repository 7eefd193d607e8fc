"""The orders that depmod writes modules and symbols in.

Names stand as in kmod's hash tables: by bucket, within a bucket by their bytes. Modules that
modules.order lists come before all others, in its order.

Source: kmod, shared/hash.c (Paul Hsieh's SuperFastHash) and tools/depmod.c,
depmod_modules_sort.
"""

from __future__ import annotations

from struct import unpack

from lkm import _text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MODULE_BUCKETS = 512
SYMBOL_BUCKETS = 2048


def hash_order(names: Iterable[str], buckets: int) -> list[str]:
    """Return *names* as a hash table of so many *buckets* (a power of two) yields them."""
    return [name for bucket in hash_buckets(names, buckets) for name in bucket]


def hash_buckets(names: Iterable[str], buckets: int) -> list[list[str]]:
    """Return *names* as they stand in the *buckets* of a hash table, a power of two of them."""
    encoded = [_text.encode(name) for name in names]
    found: list[list[bytes]] = [[] for _ in range(buckets)]
    for value, name in zip(superfasthashes(encoded), encoded, strict=True):
        found[value & (buckets - 1)].append(name)
    for bucket in found:
        bucket.sort()
    return [[_text.decode(name) for name in bucket] for bucket in found]


def module_order(paths: Sequence[str], listed: Iterable[str]) -> list[str]:
    """Return *paths*, which are in hash order, with those in *listed* (a modules.order) first.

    modules.order has every path as the build made it: without the suffix of a compression. A path
    listed twice counts where it stands first.
    """
    places = {path: place for place, path in reversed(list(enumerate(listed)))}
    last = len(places)
    return sorted(paths, key=lambda path: places.get(uncompressed(path), last))


def uncompressed(path: str) -> str:
    """Return the path that a module file has before it is compressed."""
    stem, suffix, _ = path.rpartition(".ko")
    return stem + suffix if suffix else path


def superfasthashes(names: Sequence[bytes]) -> list[int]:
    """Return the 32-bit SuperFastHash of each name.

    depmod hashes some ten thousand names, and a loop over the bytes of each would take longer
    than reading all module files. So all names of one length go through the hash together, as
    the 64-bit lanes of one large number: every step is one operation on that number. A lane's
    value has 32 bits; what a shift pushes beyond them, up or down, lands in the upper half of a
    lane, and the mask after it takes that away.
    """
    by_length: dict[int, list[int]] = {}
    for index, name in enumerate(names):
        by_length.setdefault(len(name), []).append(index)
    found = [0] * len(names)
    for length, group in by_length.items():
        hashes = _hash_lanes(b"".join([names[index] for index in group]), length, len(group))
        for index, value in zip(group, hashes, strict=True):
            found[index] = value
    return found


def _hash_lanes(joined: bytes, length: int, count: int) -> tuple[int, ...]:
    """Return the hashes of *count* names of one *length*, which stand one after another."""
    mask = int.from_bytes(b"\xff\xff\xff\xff\0\0\0\0" * count, "little")

    def word(at: int, size: int = 2) -> int:
        lanes = bytearray(8 * count)
        for byte in range(size):
            lanes[byte::8] = joined[at + byte :: length]
        return int.from_bytes(lanes, "little")

    value = int.from_bytes(length.to_bytes(8, "little") * count, "little")
    at = 0
    while length - at >= 4:
        value = (value + word(at)) & mask
        value = (value << 16 ^ word(at + 2) << 11 ^ value) & mask
        value = (value + (value >> 11)) & mask
        at += 4
    # The rest of one to three bytes: (shift up and exclusive-or, shift down and add).
    if length > at:
        up, down = {1: (10, 1), 2: (11, 17), 3: (16, 11)}[length - at]
        value = (value + word(at, min(length - at, 2))) & mask
        value = (value << up ^ value) & mask
        if length - at == 3:
            value = (value ^ word(at + 2, 1) << 18) & mask
        value = (value + (value >> down)) & mask
    for up, down in ((3, 5), (4, 17), (25, 6)):
        value = (value << up ^ value) & mask
        value = (value + (value >> down)) & mask
    return unpack(f"<{count}Q", value.to_bytes(8 * count, "little"))
