"""Unpack LZ4's legacy frames, which kernels are wrapped in; Python has no library for them.

    frame      02 21 4c 18, then blocks up to the end of the data
    block      u32 compressed size, that many bytes; each unpacks to at most 8 MiB, on its own
    sequence   token: literals in the upper, match length - 4 in the lower four bits; 15 means that
               bytes follow which are added to it, up to the first that is not 255.
               Then the literals, and u16 how far back the match begins. The last has literals only.

Source: lz4, doc/lz4_Block_format.md and doc/lz4_Frame_format.md; Linux, lib/decompress_unlz4.c.
"""

from __future__ import annotations

from lkm.errors import FormatError

MAGIC = b"\x02\x21\x4c\x18"
BLOCK_SIZE = 8 << 20

_LARGEST_BLOCK = BLOCK_SIZE + BLOCK_SIZE // 255 + 16  # compressed: bytes that do not compress
_WHAT = "lz4 file"


def unpack_legacy(data: bytes, limit: int) -> tuple[bytes, int]:
    """Return what the frame *data* holds, and the offset after its last block.

    A last u32 that is larger than what is left is no block: the kernel's build appends the
    unpacked size there. Raises ``FormatError`` for damage, and for more than *limit* bytes.
    """
    if not data.startswith(MAGIC):
        raise FormatError(_WHAT, "no legacy frame", offset=0)
    parts: list[bytes] = []
    offset, total = len(MAGIC), 0
    while offset + 4 <= len(data):
        size = int.from_bytes(data[offset : offset + 4], "little")
        if offset + 4 == len(data) and parts:
            break
        if data[offset : offset + 4] == MAGIC:  # one frame after another
            offset += 4
            continue
        if not 0 < size <= _LARGEST_BLOCK or offset + 4 + size > len(data):
            raise FormatError(
                _WHAT, f"a block of {size} bytes, {len(data) - offset - 4} left", offset=offset
            )
        part = _block(data[offset + 4 : offset + 4 + size], offset + 4)
        total += len(part)
        if total > limit:
            raise FormatError(_WHAT, f"grows past {limit} bytes, from {len(data)}")
        parts.append(part)
        offset += 4 + size
    if not parts:
        raise FormatError(_WHAT, "cut off", offset=len(data))
    return b"".join(parts), offset


def _block(data: bytes, where: int) -> bytes:
    """Return what one block unpacks to; *where* it stands in the file, for errors."""
    try:
        return bytes(_sequences(data))
    except (IndexError, ValueError) as error:
        problem = str(error) if isinstance(error, ValueError) else "a block is cut off"
        raise FormatError(_WHAT, problem, offset=where) from None


# One function, for it is the hot loop: a call would cost more than what it does.
def _sequences(data: bytes) -> bytearray:  # noqa: C901, PLR0912
    # Millions of turns for one kernel: local names only, one slice a copy. IndexError means that
    # a read left the block; slices that would are seen by their length.
    out = bytearray()
    offset, end = 0, len(data)
    have = 0
    while True:
        token = data[offset]
        offset += 1
        count = token >> 4
        if count:
            if count == 15:
                while (more := data[offset]) == 255:
                    count += 255
                    offset += 1
                count += more
                offset += 1
            stop = offset + count
            out += data[offset:stop]
            offset = stop
            have += count
            if offset >= end:
                break
        elif offset == end:
            break
        back = data[offset] | data[offset + 1] << 8
        offset += 2
        count = (token & 15) + 4
        if count == 19:
            while (more := data[offset]) == 255:
                count += 255
                offset += 1
            count += more
            offset += 1
            if count > BLOCK_SIZE:
                break
        start = have - back
        if start < 0 or not back:
            raise ValueError("a match begins before the block")
        if back >= count:
            out += out[start : start + count]
        else:  # the match overlaps what it makes: a repeated pattern
            out += (out[start:] * (count // back + 1))[:count]
        have += count
        if have > BLOCK_SIZE:
            break
    if have > BLOCK_SIZE or count > BLOCK_SIZE:
        raise ValueError(f"a block grows past {BLOCK_SIZE} bytes")
    if offset != end:
        raise ValueError("a block is cut off inside its literals")
    return out
