"""What is asked of a kernel that has been indexed: facts of its modules, look-ups, searches."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from bench.depmods import HERE, floor
from bench.timing import Contest, Run, Words
from bench.workshop import Tree, Workshop
from lkm.tree.catalog import Catalog
from tests.oracle.whole_words import concrete, spoiled

_KERNEL = "6.1"
WORDS = 2000


def modinfo(workshop: Workshop, *options: str) -> Contest:
    """Return modinfo of all files in one call."""
    files = workshop.copies(_KERNEL).theirs.files
    return Contest(
        ours=Run(words=[workshop.lkm, "modinfo", *options, *files]),
        theirs=Run(words=[workshop.kmod / "modinfo", *options, *files]),
        floor=floor(workshop, "modinfo", _KERNEL),
    )


def find(workshop: Workshop, criterion: str, text: str) -> Contest:
    """Return a search whose facts are remembered, since a depmod has filled the cache."""
    copies = workshop.copies(_KERNEL)
    ours = copies.ours
    Run(words=[workshop.lkm, "depmod", "-b", ours.root, ours.release]).seconds()
    which: Words = ["--root", ours.root, "--release", ours.release]
    return Contest(
        ours=Run(words=[workshop.lkm, "find", *which, criterion, text]),
        theirs=Run(words=[workshop.kmod / "modinfo", *copies.theirs.files]),
    )


def in_one_process(workshop: Workshop) -> Contest:
    """Return the resolving of many modaliases by lkm and by libkmod, each by one process."""
    tree = workshop.copies(_KERNEL).theirs
    words = _modaliases(workshop, tree)
    counts = workshop.folder / "counts-lkm", workshop.folder / "counts-kmod"
    return Contest(
        ours=Run(words=[*_lookups("lkm", tree, words), counts[0]], tells=True),
        theirs=Run(words=[*_lookups("libkmod", tree, words), counts[1]], tells=True),
        same=(counts,),
    )


def by_modprobe(workshop: Workshop) -> Contest:
    """Return the resolving of many modaliases by an lkm and by a modprobe for each."""
    tree = workshop.copies(_KERNEL).theirs
    words = _modaliases(workshop, tree)
    modprobe = f"{workshop.kmod}/modprobe -q -R -d {tree.root} -S {tree.release}"
    each = f'while read -r word; do {modprobe} "$word"; done <{words}'
    return Contest(
        ours=Run(words=[*_lookups("lkm", tree, words), "/dev/null"]),
        # 1 is the last word's, where it is unknown.
        theirs=Run(words=["sh", "-c", each], statuses=frozenset({0, 1})),
    )


def _lookups(who: str, tree: Tree, words: Path) -> Words:
    return [sys.executable, "-I", HERE / "lookups.py", who, tree.directory, words]


def _modaliases(workshop: Workshop, tree: Tree) -> Path:
    """Write words that the tree's patterns match, and one in ten that may match none."""
    source = random.Random(6)
    catalog = Catalog.open(str(tree.directory))
    patterns = [key for key, _, _ in catalog.all_aliases() if ":" in key]
    words = [concrete(source, pattern) for pattern in source.sample(patterns, WORDS)]
    words[::10] = [spoiled(source, word) for word in words[::10]]
    listed = workshop.folder / "modaliases"
    listed.write_text("\n".join(words) + "\n")
    return listed


def show_config(workshop: Workshop) -> Contest:
    """Return modprobe -c, which prints all aliases and symbols of the indexes."""
    tree = workshop.copies(_KERNEL).theirs
    words: Words = ["-c", "-d", tree.root, "-S", tree.release]
    return Contest(
        ours=Run(words=[workshop.lkm, "modprobe", *words]),
        theirs=Run(words=[workshop.kmod / "modprobe", *words]),
    )


def start(workshop: Workshop) -> Contest:
    """Return a short command, and the interpreter alone."""
    return Contest(
        # 1 where the running kernel takes no modules: it says so, and has started all the same.
        ours=Run(words=[workshop.lkm, "lsmod"], statuses=frozenset({0, 1})),
        theirs=Run(words=[sys.executable, "-I", "-c", "pass"]),
    )


def kallsyms(workshop: Workshop, work: str, file: str, *, against: str = "split") -> Contest:
    """Return one work of ``tables.py``, against another."""
    folder = workshop.folder / "kallsyms"
    script: Words = [sys.executable, "-I", HERE / "tables.py", folder]
    if not folder.is_dir():
        folder.mkdir()
        Run(words=script).seconds()
    return Contest(
        ours=Run(words=[*script, work, file], tells=True),
        theirs=Run(words=[*script, against, file], tells=True),
    )
