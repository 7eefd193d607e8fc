"""What the cases work with: real kernels of Debian, as copies that may be written to, and tools."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from bench.timing import FailedError, Run
from tests.debian import kmod_tools, newest, unpacked

KERNELS = {
    "6.1": r"^linux-image-6\.1\.0-[0-9]+-amd64$",
    "6.12": r"^linux-image-6\.12\.[0-9.]+\+deb12-amd64$",
}
# What changed less than 2 s before lkm reads it is not remembered, and a hard link is a change.
_SETTLED_S = 2.5


@dataclass(frozen=True)
class Tree:
    """A root folder with one kernel."""

    root: Path
    release: str

    @property
    def directory(self) -> Path:
        """Where its modules are."""
        return self.root / "lib/modules" / self.release

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Its module files, but those of the bench's own."""
        return tuple(sorted(map(str, (self.directory / "kernel").rglob("*.ko*"))))


@dataclass(frozen=True)
class Copies:
    """The same kernel twice: one for lkm to write into, one for kmod."""

    ours: Tree
    theirs: Tree


class Workshop:
    """Makes what the cases work with, in *folder*, when it is first asked for.

    What the machine lacks raises ``NotHere``, or ``FailedError`` where lkm is not installed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.copies = cache(self._copies)
        self.kernels: dict[str, str] = {}
        """What the cases so far have worked with, by kernel: the package and its files."""

    @cached_property
    def lkm(self) -> Path:
        """The script that was installed with the interpreter that runs us."""
        found = Path(sysconfig.get_path("scripts")) / "lkm"
        if not found.is_file():
            raise FailedError(f"{found} is not there: {sys.executable} -m pip install .")
        return found

    @cached_property
    def kmod(self) -> Path:
        """The folder of kmod's tools."""
        return kmod_tools(self.folder / "kmod")

    @property
    def remembered(self) -> Path:
        """The folder of remembered facts, for which LKM_CACHE stands."""
        return self.folder / "cache"

    def forget(self) -> None:
        """Empty the cache."""
        shutil.rmtree(self.remembered, ignore_errors=True)

    def settle(self) -> None:
        """Wait until all files count as settled."""
        time.sleep(_SETTLED_S)

    def _copies(self, kernel: str) -> Copies:
        """Return the copies of Debian's *kernel*, each indexed by its own depmod."""
        package = newest(KERNELS[kernel])
        source = unpacked(package) / "lib/modules"
        (release,) = os.listdir(source)
        copies = []
        for name in ("lkm", "kmod"):
            root = Path(tempfile.mkdtemp(prefix=f"{kernel}-{name}-", dir=self.folder))
            shutil.copytree(source, root / "lib/modules", copy_function=os.link, symlinks=True)
            copies.append(Tree(root, release))
        ours, theirs = copies
        self.kernels[kernel] = f"{package}, {len(ours.files)} modules"
        self.settle()
        Run(words=[self.lkm, "depmod", "-b", ours.root, release]).seconds()
        Run(words=[self.kmod / "depmod", "-b", theirs.root, release]).seconds()
        return Copies(ours, theirs)
