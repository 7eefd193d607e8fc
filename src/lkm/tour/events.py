"""What a step of the lesson is made of, and what it knows of the kernel it is told on.

A step is a generator: it yields what is to be told, run or verified, and is sent what came of a
command. So the lesson is told in a terminal, checked by a test, and printed as JSON alike.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

_LINES = 24


@dataclass(frozen=True, slots=True)
class Tell:
    """A paragraph for the reader."""

    text: str


@dataclass(frozen=True, slots=True)
class Run:
    """A command to run and show: *program* with *words*; of its output *lines* at most."""

    words: tuple[str, ...]
    program: str = "lkm"
    lines: int = _LINES


@dataclass(frozen=True, slots=True)
class Verify:
    """Something that the output before shows, and whether it does."""

    claim: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a command: its exit status and what it printed."""

    status: int
    out: str
    err: str

    def lists(self, name: str) -> bool:
        """Tell whether a line of the output begins with the word *name*."""
        return name in self.first_words()

    def first_words(self) -> tuple[str, ...]:
        """Return the first word of every line that has one."""
        return tuple(line.split()[0] for line in self.out.splitlines() if line.strip())


Event = Tell | Run | Verify
Telling = Generator[Event, Ran, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The kernel that the lesson is told on.

    *on* is ``live`` or ``sandbox``. *count* is the number of its modules, *kinds* one of each
    kind: (path in the tree that the kind lies under, name). *dependencies* are those of btrfs, in
    loading order; *lone* needs no other module. *vfat_path* and *fat_path* are module files.
    *folder* is where the exercise keeps its snapshots.
    """

    on: str
    root: str
    release: str
    directory: str
    count: int
    kinds: tuple[tuple[str, str], ...]
    dependencies: tuple[str, ...]
    lone: str
    vfat_path: str
    fat_path: str
    folder: str

    def lkm(self, *words: str, lines: int = _LINES) -> Run:
        """Return the command *words*, on this kernel."""
        return Run(words if self.on == "live" else ("--on", self.on, *words), lines=lines)

    def cat(self, path: str) -> Run:
        """Return the command that prints the file *path* of this kernel's /proc or /sys."""
        if self.on == "live":
            return Run((path,), program="cat")
        return Run(("sandbox", "cat", path))


@dataclass(frozen=True, slots=True)
class Step:
    """One part of the lesson."""

    title: str
    tell: Callable[[Scene], Telling]
