"""The two answers that are no fact: the kernel has none of it, and it could not be told.

A reader of this room returns the fact, or one of these, each with its reason; it never guesses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NotThere:
    """The kernel certainly has none of what was asked for: *why* says how one knows."""

    why: str


@dataclass(frozen=True, slots=True)
class CouldNotTell:
    """The image does not say. *why* is a clause, such as ``the image has no section table``."""

    why: str

    def __str__(self) -> str:
        return f"could not tell: {self.why}"


@dataclass(frozen=True, slots=True)
class LayoutNotKnown(CouldNotTell):
    """The fact may well be in the image, but not in a layout that lkm can read."""

    def __str__(self) -> str:
        return f"layout not known: {self.why}"


# What a reader returns: a fact, or why it is none.
Answer: TypeAlias = T | NotThere | CouldNotTell
