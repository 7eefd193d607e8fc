"""What is fuzzed: inputs, the ways to change them, and the targets that read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Input:
    """The bytes of one file, and what the file is called."""

    name: str
    data: bytes


# Tries an input and says in a few words what came of it; an LkmError is an answer too.
Run: TypeAlias = Callable[[Input], str]
# Changes an input; all inputs of the target are there to take parts from.
Mutator: TypeAlias = Callable[[Random, Input, Sequence[Input]], bytes]


class ContradictionError(AssertionError):
    """Two readers of one file answered differently, or an answer contradicts itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Something that reads files.

    *seeds* are good files to start from (with True also real ones, where the machine has them),
    *prepare* makes what tries one, in a folder of its own. *cost* is how many times as long as a
    quick target's an input takes: so many times fewer are tried.
    """

    name: str
    seeds: Callable[[bool], Sequence[Input]]
    mutate: Mutator
    prepare: Callable[[Path], Run]
    cost: int = 1


def chosen(rng: Random, seeds: Sequence[Input]) -> Input:
    """Return one of *seeds*; large ones come seldom, since they take the time of many."""
    weights = [1 / (1 + len(seed.data) / 0x8000) for seed in seeds]
    return rng.choices(seeds, weights)[0]


def made(target: Target, seeds: Sequence[Input], seed: int, number: int) -> Input:
    """Return the input of that *number*: the same for the same *seeds* and *seed*."""
    rng = Random(f"{seed} {target.name} {number}")
    start = chosen(rng, seeds)
    return Input(start.name, target.mutate(rng, start, seeds))
