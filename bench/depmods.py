"""depmod of a whole kernel: with nothing remembered, with one module changed, with none."""

from __future__ import annotations

import itertools
import lzma
import sys
from collections.abc import Callable
from pathlib import Path

from bench.timing import Contest, Run, Words
from bench.workshop import Tree, Workshop
from lkm.module.facts import Module
from lkm.tree.trie.index import TrieIndex
from tests.builders.elf import AnExport, a_module

HERE = Path(__file__).parent
# All that both write, but modules.weakdep, which kmod 30 does not know.
_TEXTS = ("dep", "alias", "symbols", "softdep", "devname")
_INDEXES = ("dep.bin", "alias.bin", "symbols.bin", "builtin.bin", "builtin.alias.bin")
# In all kernels of PCs; a hundred modules need it.
_NEEDED = "cfg80211"


def nothing_remembered(workshop: Workshop, *, kernel: str) -> Contest:
    """Return depmod by an lkm that meets the tree for the first time."""
    return _depmod(
        workshop, kernel, before=workshop.forget, floor=floor(workshop, "depmod", kernel)
    )


def one_changed(workshop: Workshop, *, kernel: str) -> Contest:
    """Return depmod after a module's exports, aliases and needs have changed."""
    copies = workshop.copies(kernel)
    return _depmod(
        workshop,
        kernel,
        before=_changer(copies.ours),
        before_theirs=_changer(copies.theirs),
    )


def needed_changed(workshop: Workshop, *, kernel: str) -> Contest:
    """Return depmod after a module that others need has changed, and what it needs itself."""
    copies = workshop.copies(kernel)
    return _depmod(
        workshop,
        kernel,
        before=_changer_of_needed(copies.ours),
        before_theirs=_changer_of_needed(copies.theirs),
    )


def nothing_changed(workshop: Workshop, *, kernel: str) -> Contest:
    """Return depmod as it is run once more than needed."""
    workshop.copies(kernel)
    workshop.settle()  # the module that another case changed
    return _depmod(workshop, kernel)


def quick(workshop: Workshop) -> Contest:
    """Return depmod -A where no module is newer than the indexes."""
    copies = workshop.copies("6.1")
    for run in _runs(workshop, "6.1"):
        run.seconds()
    release = copies.ours.release
    return Contest(
        ours=Run(words=[workshop.lkm, "depmod", "-A", "-b", copies.ours.root, release]),
        theirs=Run(words=[workshop.kmod / "depmod", "-A", "-b", copies.theirs.root, release]),
    )


def floor(workshop: Workshop, work: str, kernel: str) -> Run:
    """Return the bare reading of what *work* (depmod, modinfo) needs of all files."""
    listed = workshop.folder / f"files-{kernel}"
    listed.write_text("\n".join(workshop.copies(kernel).theirs.files))
    return Run(words=[sys.executable, "-IS", HERE / "floor.py", work, listed], tells=True)


def _depmod(
    workshop: Workshop,
    kernel: str,
    *,
    before: Callable[[], None] | None = None,
    before_theirs: Callable[[], None] | None = None,
    floor: Run | None = None,
) -> Contest:
    ours, theirs = _runs(workshop, kernel, before, before_theirs)
    copies = workshop.copies(kernel)
    places = copies.ours.directory, copies.theirs.directory
    return Contest(
        ours=ours,
        theirs=theirs,
        floor=floor,
        same=tuple(
            (places[0] / f"modules.{name}", places[1] / f"modules.{name}")
            for name in (*_TEXTS, *_INDEXES)
        ),
        read=contents,
        memory=True,
    )


def _runs(
    workshop: Workshop,
    kernel: str,
    before: Callable[[], None] | None = None,
    before_theirs: Callable[[], None] | None = None,
) -> tuple[Run, Run]:
    copies = workshop.copies(kernel)
    lkm: Words = [workshop.lkm, "depmod", "-b", copies.ours.root, copies.ours.release]
    kmod: Words = [workshop.kmod / "depmod", "-b", copies.theirs.root, copies.theirs.release]
    return Run(words=lkm, before=before), Run(words=kmod, before=before_theirs)


def contents(path: Path) -> object:
    """Return what must be equal of a file that depmod writes: the entries of a binary index."""
    if path.suffix == ".bin":
        return list(TrieIndex.from_bytes(path.read_bytes()).items())
    return path.read_bytes()


def _changer(tree: Tree) -> Callable[[], None]:
    """Return what puts, by turns, two modules that differ in all that counts into one place."""
    modules = _a_module("a", "crc32c"), _a_module("b", "usb_register_driver")
    return _by_turns(tree, "extra/lkm_bench.ko", *modules)


def _changer_of_needed(tree: Tree) -> Callable[[], None]:
    """Return the same for a module that takes the place of the kernel's own, as an update does.

    The one variant is the kernel's own; the other lacks half of its exports and has other aliases
    and other needs, so that the lines of those who need it change too.
    """
    (path,) = [path for path in tree.files if Path(path).name.split(".")[0] == _NEEDED]
    data = Path(path).read_bytes()
    changed = a_module(
        name=_NEEDED,
        modinfo=[f"alias=bench:needed{number}*" for number in range(20)],
        exports=[AnExport(name=export.name) for export in Module.open(path).exports[::2]],
        imports=["usb_register_driver", "_printk"],
    )
    own = lzma.decompress(data) if _packed(tree) else data
    return _by_turns(tree, f"updates/{_NEEDED}.ko", changed, own)


def _by_turns(tree: Tree, name: str, *variants: bytes) -> Callable[[], None]:
    """Return what puts the variants into one place of the tree by turns."""
    packed = _packed(tree)
    path = tree.directory / f"{name}{'.xz' if packed else ''}"
    turns = itertools.cycle([lzma.compress(data) if packed else data for data in variants])

    def change() -> None:
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(next(turns))

    return change


def _packed(tree: Tree) -> bool:
    return tree.files[0].endswith(".xz")


def _a_module(letter: str, needed: str) -> bytes:
    return a_module(
        name="lkm_bench",
        modinfo=[f"alias=bench:{letter}{number}*" for number in range(20)],
        exports=[AnExport(name=f"bench_{letter}{number}") for number in range(20)],
        imports=[needed, "_printk"],
    )
