"""How far words have come in a pattern that becomes known bit by bit, on the way down a trie.

Behind a star, what a word has reached is the leftmost place, which is always good enough, and the
*piece* of plain text since then fits at that place or behind it. Before the first star, and from a
``?`` to the next star, it is the set of all places that the pattern can lead to. So no part of a
pattern is looked at again where another is added. One with a bracket or a backslash is not followed
any further: it is to be matched as a whole once it is known.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lkm.tree.trie.nodes import Value

    Found = list[list[Value]]  # what was found for a word, by key
    # The place it has reached, or the set of places as the bits of a number; its text.
    Reached = tuple[int, bytes, Found]
    # A pattern as far as it is known; the piece, None where the words have sets of places; and the
    # words that may match what begins so.
    State = tuple[bytes, bytes | None, Sequence[Reached]]
    Masks = dict[tuple[bytes, int], int]  # where a text has a character, as the bits of a number

_SPECIAL = b"*?[\\"
_OFTEN = 16
_ANY = ord("?")


def is_whole(pattern: bytes) -> bool:
    """Tell whether *pattern* is to be matched as a whole."""
    return b"[" in pattern or b"\\" in pattern


def advanced(state: State, text: bytes, masks: Masks) -> State:
    """Return *state* where *text* has been added to the pattern; *masks* is for its own use."""
    pattern, piece, words = state
    whole = pattern + text
    if piece is not None and not (b"?" in text or b"[" in text or b"\\" in text):
        if b"*" in text:
            return whole, *_behind(piece + text, words)
        piece += text
        return whole, piece, [word for word in words if word[1].find(piece, word[0]) >= 0]
    if is_whole(pattern):
        return whole, None, words
    special = [place for place in map(text.find, (b"[", b"\\")) if place >= 0]
    first, *others = text[: min(special, default=len(text))].split(b"*")
    piece, words = _run(piece, words, first, masks)
    for part in others:
        piece, words = _run(b"", _behind_star(piece, words), part, masks)
    return whole, None if special else piece, words


def _behind(text: bytes, words: Sequence[Reached]) -> tuple[bytes, Sequence[Reached]]:
    """Return the last piece of *text*, of plain text and stars, and the words that have it all."""
    parts = text.split(b"*")
    piece = parts.pop()
    for part in parts:
        if part:
            words = _behind_star(part, words)
    if piece:
        words = [word for word in words if word[1].find(piece, word[0]) >= 0]
    return piece, words


def _behind_star(piece: bytes | None, words: Sequence[Reached]) -> list[Reached]:
    """Return the words with the leftmost place that a star can begin at behind *piece*."""
    if piece is None:
        return [((bits & -bits).bit_length() - 1, text, found) for bits, text, found in words]
    size = len(piece)
    return [
        (place + size, text, found)
        for start, text, found in words
        if (place := text.find(piece, start)) >= 0
    ]


def _run(
    piece: bytes | None, words: Sequence[Reached], text: bytes, masks: Masks
) -> tuple[bytes | None, Sequence[Reached]]:
    """Return the piece, and the words that have *text* in it, which may have any ``?``."""
    if piece is not None:
        text = piece + text
        if b"?" not in text:
            return _behind(text, words)
        words = [((1 << len(word)) * 2 - (1 << start), word, found) for start, word, found in words]
    reached = [(_places(bits, word, text, masks), word, found) for bits, word, found in words]
    return None, [word for word in reached if word[0]]


def _places(bits: int, word: bytes, text: bytes, masks: Masks) -> int:
    """Return the places in *word* behind *text* that are reached from *bits*."""
    end = (1 << len(word)) - 1
    for character in text:
        if character == _ANY:
            bits &= end
        else:
            mask = masks.get((word, character))
            if mask is None:
                mask = masks[word, character] = _mask(word, character)
            bits &= mask
        if not bits:
            break
        bits <<= 1
    return bits


def _mask(word: bytes, character: int) -> int:
    digits = bytearray(b"0" * 256)
    digits[character] = ord("1")
    return int(word[::-1].translate(digits) or b"0", 2)


def following(piece: bytes, words: Sequence[Reached]) -> set[int]:
    """Return the characters that stand behind *piece* in any of *words*, and the special ones.

    Of a text that has it often, or where it is empty, simply all that are left.
    """
    characters = set(_SPECIAL)
    for start, text, _ in words:
        place = start - 1
        for _ in range(_OFTEN if piece else 0):
            place = text.find(piece, place + 1)
            if place < 0:
                break
            behind = place + len(piece)
            characters.update(text[behind : behind + 1])
        else:
            characters.update(text[start:])
    return characters
