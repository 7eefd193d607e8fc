"""What is asked of a kernel that has been indexed: facts of its modules, look-ups, searches."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
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
        floor=floor(workshop, "field" if options else "modinfo", _KERNEL),
    )


def find(workshop: Workshop, criteria: Sequence[str]) -> Contest:
    """Return a search whose facts are remembered, since a depmod has filled the cache."""
    copies = workshop.copies(_KERNEL)
    ours = copies.ours
    Run(words=[workshop.lkm, "depmod", "-b", ours.root, ours.release]).seconds()
    which: Words = ["--root", ours.root, "--release", ours.release]
    return Contest(
        ours=Run(words=[workshop.lkm, "find", *which, *criteria]),
        theirs=Run(words=[workshop.kmod / "modinfo", *copies.theirs.files]),
    )


def in_one_process(workshop: Workshop) -> Contest:
    """Return the resolving of many modaliases by lkm and by libkmod, each by one process."""
    tree = workshop.copies(_KERNEL).theirs
    words = _modaliases(workshop, tree)
    names = workshop.folder / "names-lkm", workshop.folder / "names-kmod"
    return Contest(
        ours=Run(words=[*_lookups("lkm", tree, words), names[0]], tells=True),
        theirs=Run(words=[*_lookups("libkmod", tree, words), names[1]], tells=True),
        same=(names,),
    )


def by_modprobe(workshop: Workshop) -> Contest:
    """Return the resolving of many modaliases by one lkm modprobe and by a modprobe for each."""
    tree = workshop.copies(_KERNEL).theirs
    words = _modaliases(workshop, tree)
    modprobe = f"{workshop.kmod}/modprobe -q -R -d {tree.root} -S {tree.release}"
    each = f'while read -r word; do {modprobe} "$word"; done <{words}'
    return _show_aliases(workshop, tree, words, ["sh", "-c", each])


def by_one_modprobe(workshop: Workshop) -> Contest:
    """Return the resolving of many modaliases by one modprobe each."""
    tree = workshop.copies(_KERNEL).theirs
    words = _modaliases(workshop, tree)
    which: Words = ["-q", "-a", "-R", "-d", tree.root, "-S", tree.release]
    theirs: Words = [workshop.kmod / "modprobe", *which, *words.read_text().split()]
    return _show_aliases(workshop, tree, words, theirs)


def _show_aliases(workshop: Workshop, tree: Tree, listed: Path, theirs: Words) -> Contest:
    """Return one lkm modprobe -a -R of all words *listed* against *theirs*."""
    outputs = workshop.folder / "shown-lkm", workshop.folder / "shown-kmod"
    which: Words = ["-q", "-a", "-R", "-d", tree.root, "-S", tree.release]
    ours: Words = [workshop.lkm, "modprobe", *which, *listed.read_text().split()]
    statuses = frozenset({0, 1})  # 1 where a word is unknown; of one for each, where the last is
    return Contest(
        ours=Run(words=ours, statuses=statuses, output=outputs[0]),
        theirs=Run(words=theirs, statuses=statuses, output=outputs[1]),
        same=(outputs,),
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
