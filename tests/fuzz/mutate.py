"""Changes of bytes and of lines that know nothing of what the bytes mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from tests.fuzz.inputs import Input

Change = Callable[[Random, bytearray, Sequence[Input]], None]

_LONGEST_REPEAT = 1 << 19


def _room(rng: Random) -> int:
    """Return how many bytes a change may add: seldom very many, since they take their time."""
    return _LONGEST_REPEAT if rng.random() < 0.06 else _LONGEST_REPEAT >> 5


_WORDS = (
    *(b"", b" ", b"\t", b"\n", b"\\\n", b"\0", b"\r\n", b"=", b":", b"#", b'"', b"'", b"\\", b"%s"),
    *(b"*", b"?", b"[", b"]", b"[a-", b"[!]", b"[]]", b"[[:alpha:]]", b"a*" * 40, b"(", b")" * 9),
    *(b"0", b"-1", b"18446744073709551616", b"0x", b"9" * 5000, b"1e9", b"\xff\xfe", b"\xc3\x28"),
    *(b"\xed\xa0\x80", "٣".encode(), "²".encode(), b"\x1b[2J", b"../../etc/passwd", b"/", b"."),
    *(b"options", b"alias", b"softdep a pre: b post: c", b"install x /bin/true", b"blacklist"),
    *(b"(" * 3000, b"((.*)*)*x", b"(a{9999}){9999}", b"{99999999999}", b"*a" * 400, b"[a-z]*" * 99),
    *(b"pre:", b"post:", b"y", b"m", b"CONFIG_", b"[module]", b"\x0b", b"\x85", "\u2028".encode()),
)


def interesting(rng: Random, size: int, bits: int) -> int:
    """Return a number at which arithmetic goes wrong, for a file of *size* bytes."""
    top = 1 << bits
    near = (0, 1, 2, size, size // 2, top, top >> 1, 1 << 16, 1 << 32, 1 << 31, 1 << 24)
    number = rng.choice(near) + rng.choice((-8, -1, 0, 0, 0, 1, 8))
    return (rng.getrandbits(bits) if rng.random() < 0.2 else number) % top


def put_number(rng: Random, data: bytearray, _others: Sequence[Input] = ()) -> None:
    width = rng.choice((1, 2, 4, 4, 8))
    if len(data) < width:
        return
    at = rng.randrange(len(data) - width + 1)
    at -= at % width if rng.random() < 0.7 else 0
    number = interesting(rng, len(data), 8 * width)
    data[at : at + width] = number.to_bytes(width, rng.choice(("little", "big")))


def flip(rng: Random, data: bytearray, _others: Sequence[Input]) -> None:
    for _ in range(rng.choice((1, 1, 1, 2, 8, 64))):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def set_byte(rng: Random, data: bytearray, _others: Sequence[Input]) -> None:
    if data:
        at = rng.randrange(len(data))
        data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def cut_off(rng: Random, data: bytearray, _others: Sequence[Input]) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _part(rng: Random, data: bytes | bytearray) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    longest = rng.choice((1, 4, 16, 64, 512, len(data)))
    return start, min(len(data), start + rng.randrange(longest + 1))


def take_out(rng: Random, data: bytearray, _others: Sequence[Input]) -> None:
    start, stop = _part(rng, data)
    del data[start:stop]


def fill(rng: Random, data: bytearray, _others: Sequence[Input]) -> None:
    start, stop = _part(rng, data)
    data[start:stop] = rng.choice((b"\0", b"\xff", b"A")) * (stop - start)


def repeat(rng: Random, data: bytearray, _others: Sequence[Input]) -> None:
    start, stop = _part(rng, data)
    times = rng.choice((1, 2, 10, 100, 10_000))
    block = bytes(data[start:stop])
    data[stop:stop] = block * min(times, _room(rng) // max(1, len(block)))


def splice(rng: Random, data: bytearray, others: Sequence[Input]) -> None:
    other = rng.choice(others).data[: 1 << 20] if others else b""
    start, stop = _part(rng, other)
    at, end = _part(rng, data)
    data[at : end if rng.random() < 0.5 else at] = other[start:stop]


def swap(rng: Random, data: bytearray, _others: Sequence[Input]) -> None:
    """Exchange two blocks of one size."""
    start, stop = _part(rng, data)
    size = stop - start
    at = rng.randrange(max(1, len(data) - size + 1))
    if at + size <= start or at >= stop:
        data[start:stop], data[at : at + size] = data[at : at + size], data[start:stop]


def insert_noise(rng: Random, data: bytearray, _others: Sequence[Input]) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.randbytes(rng.choice((1, 4, 16, 256)))


def put_word(rng: Random, data: bytearray, _others: Sequence[Input]) -> None:
    at = rng.randrange(len(data) + 1)
    data[at : at + rng.choice((0, 0, 1, 5))] = rng.choice(_WORDS)


BYTES: tuple[Change, ...] = (
    *(flip, set_byte, put_number, put_number, cut_off),
    *(take_out, fill, repeat, splice, swap, insert_noise),
)


def _lines(change: Callable[[Random, list[bytes]], None]) -> Change:
    def changed(rng: Random, data: bytearray, _others: Sequence[Input]) -> None:
        end = b"\0" if b"\0" in data and rng.random() < 0.8 else b"\n"
        lines = bytes(data).split(end)
        change(rng, lines)
        data[:] = end.join(lines)

    return changed


def _drop(rng: Random, lines: list[bytes]) -> None:
    del lines[rng.randrange(len(lines))]


def _again(rng: Random, lines: list[bytes]) -> None:
    line = rng.choice(lines)
    times = rng.choice((1, 2, 1000))
    at = rng.randrange(len(lines))
    lines[at:at] = [line] * min(times, _room(rng) // (len(line) + 1))


def _numbered(rng: Random, lines: list[bytes]) -> None:
    """Repeat a line, each time with another number in it."""
    line = rng.choice(lines)
    at = rng.randrange(len(line) + 1)
    times = min(rng.choice((10, 100_000)), _room(rng) // (len(line) + 6))
    place = rng.randrange(len(lines))
    lines[place:place] = [line[:at] + b"%d" % number + line[at:] for number in range(times)]


def _exchange(rng: Random, lines: list[bytes]) -> None:
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]


def _word(rng: Random, lines: list[bytes]) -> None:
    at = rng.randrange(len(lines))
    separator = rng.choice((b" ", b"\t", b",", b"=", b":", b"/"))
    words = lines[at].split(separator)
    place = rng.randrange(len(words))
    words[place : place + rng.randrange(2)] = [rng.choice((*_WORDS, rng.choice(words)))]
    lines[at] = separator.join(words)


LINES: tuple[Change, ...] = (
    *(put_word, put_word, flip, set_byte, cut_off, take_out, repeat, splice),
    *map(_lines, (_drop, _again, _numbered, _exchange, _word, _word)),
)


def apply(
    rng: Random, data: bytes, others: Sequence[Input], changes: Sequence[Change], most: int = 6
) -> bytes:
    """Return *data* with one to *most* changes, mostly few."""
    changed = bytearray(data)
    rng.choice(changes)(rng, changed, others)
    for _ in range(most - 1):
        if rng.random() < 0.5:
            break
        rng.choice(changes)(rng, changed, others)
    return bytes(changed)


def mutate_bytes(rng: Random, start: Input, others: Sequence[Input]) -> bytes:
    """Change a binary file."""
    return apply(rng, start.data, others, BYTES)


def mutate_lines(rng: Random, start: Input, others: Sequence[Input]) -> bytes:
    """Change a text file."""
    return apply(rng, start.data, others, LINES)


def mutate_either(rng: Random, start: Input, others: Sequence[Input]) -> bytes:
    """Change a file that may be either; its name's end tells."""
    binary = start.name.endswith((".bin", ".ko", ".gz", ".xz", ".zst", ".sqlite"))
    return (mutate_bytes if binary else mutate_lines)(rng, start, others)
