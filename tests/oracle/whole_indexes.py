"""depmod over a whole kernel: the files of both, and kmod's own modprobe reading ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from lkm._text import decode
from lkm.tree.trie.index import TrieIndex
from tests.oracle.whole_kernels import Pair, Result, compared, known_to_kmod
from tests.oracle.whole_modprobe import answers


def compare_indexes(pair: Pair) -> Iterator[Result]:
    """Compare every file that depmod writes, and what it says."""
    theirs, ours = (root / "lib/modules" / pair.release for root in (pair.theirs, pair.ours))
    names = sorted({path.name for path in theirs.iterdir() if path.name.startswith("modules.")})
    found = sorted({path.name for path in ours.iterdir() if path.name.startswith("modules.")})
    texts = [name for name in names if not name.endswith(".bin")]
    binaries = [name for name in names if name.endswith(".bin")]
    yield compared(
        "depmod: names of the files", names, names, [name for name in found if known_to_kmod(name)]
    )
    yield compared("depmod: messages", ["stderr"], [pair.said[0]], [pair.said[1]])
    yield compared(
        "depmod: text files, by bytes",
        texts,
        [_lines(theirs / name) for name in texts],
        [_lines(ours / name) for name in texts],
    )
    for name in binaries:
        entries = items(theirs / name)
        keys = [key for key, _, _ in entries]
        yield compared(f"depmod: entries of {name}", keys, entries, items(ours / name))


def compare_kmod_on_ours(pair: Pair, config: Path, names: Sequence[str]) -> Iterator[Result]:
    """Let kmod's modprobe answer from our indexes what it answers from its own.

    *names* are asked for by -D and by -R; and -c prints the whole of two indexes.
    """
    for option in ("-D", "-R"):
        by_root = [
            [
                _rootless(answer, root)
                for answer in answers(pair.kmod, pair.options(config, root), option, names).each
            ]
            for root in (pair.theirs, pair.ours)
        ]
        yield compared(f"kmod on our indexes: modprobe {option}", names, *by_root)
    shown = [
        pair.kmod("modprobe", *pair.options(config, root), "-c").out.splitlines()
        for root in (pair.theirs, pair.ours)
    ]
    yield compared("kmod on our indexes: modprobe -c, lines", shown[0], *shown)


def items(path: Path) -> list[tuple[str, str, int]]:
    """Return (key, value, priority) of a binary index, in its order."""
    data = path.read_bytes()
    # Empty is what kmod writes where the build left no list of built-in modules.
    return list(TrieIndex.from_bytes(data).items()) if data else []


def _lines(path: Path) -> list[str]:
    # As lines, so that a difference can be shown; the last one tells of the final newline.
    return decode(path.read_bytes()).split("\n") if path.exists() else []


def _rootless(text: str, root: Path) -> str:
    return text.replace(str(root), "ROOT")
