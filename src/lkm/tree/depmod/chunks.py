"""Text files of a tree that are put together of a chunk for each module."""

from __future__ import annotations

from itertools import accumulate

from lkm._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final


class Chunks(Value):
    """A *text*, and the *lengths* in bytes of what it is put together of; the first is a title."""

    __slots__ = ("lengths", "text")

    def __init__(self, text: bytes, lengths: Sequence[int]) -> None:
        self.text: Final = text
        self.lengths: Final = lengths

    @classmethod
    def of(cls, title: bytes, chunks: Iterable[bytes]) -> Chunks:
        """Return *title* and the *chunks* one after another."""
        pieces = [title, *chunks]
        return cls(b"".join(pieces), [*map(len, pieces)])

    def rearranged(self, parts: Iterable[int | bytes]) -> Chunks:
        """Return the same title and then *parts*: chunks of this text, by number, and new ones."""
        starts = list(accumulate(self.lengths))
        text = self.text
        chunks = [
            part if isinstance(part, bytes) else text[starts[part] : starts[part + 1]]
            for part in parts
        ]
        return self.of(text[: starts[0]], chunks)
