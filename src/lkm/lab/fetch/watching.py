"""How fetching tells what it is at."""

from __future__ import annotations

import os
from collections.abc import Callable

from lkm.lab.fetch.apt import Package, Tick

# Is told what is being done, how many bytes of it are, and how many there will be (0: unknown).
Watch = Callable[[str, int, int], None]


def unwatched(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def download_tick(packages: tuple[Package, ...], folder: str, watch: Watch) -> Tick:
    """Return what tells *watch* how much of *packages* lies in *folder*; it is told at once."""
    what = "downloading " + ", ".join([f"{each.name} {each.version}" for each in packages])
    total = sum(each.size for each in packages)

    def tick() -> None:
        archives = f"{folder}/archives"
        if os.path.isdir(archives):
            watch(what, min(_size(archives), total), total)

    watch(what, 0, total)
    return tick


def _size(folder: str) -> int:
    with os.scandir(folder) as entries:
        return sum(entry.stat().st_size for entry in entries if entry.is_file())
