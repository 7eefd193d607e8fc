"""Whole kernels, each twice: indexed by kmod's depmod and by ours; and how both are called."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile, zip_longest
from pathlib import Path

from lkm._text import decode
from tests.cli.running import Ran, lkm
from tests.debian import a_kernel, newest, unpacked
from tests.oracle.declared import DIFFERENCES

KERNELS: Mapping[str, Callable[[], Path]] = {
    "amd64": lambda: a_kernel("linux-image-amd64"),
    "arm64": lambda: a_kernel("linux-image-arm64", "arm64"),
    "s390x": lambda: a_kernel("linux-image-s390x", "s390x"),
    "6.12": lambda: unpacked(newest(r"^linux-image-6\.12\.[0-9.]+\+deb12-amd64$")),
    "cloud": lambda: a_kernel("linux-image-cloud-amd64"),
}

_NONE = object()  # stands where one side has fewer answers, or there is no subject
# The declared differences that real kernels' modules show. Of the others some have patterns that
# are right for a case's answer, and would be too wide for that of thousands of modules.
_MET_HERE = ("build-id", "library-messages", "no-symbols", "tools-messages", "weakdep-printed")

# So many differences of one comparison are shown, and so many characters of each.
SHOWN = 5
_WIDTH = 300


@dataclass(frozen=True)
class Result:
    """What came of one comparison: *equal* of *total*, and the first of those that differ."""

    name: str
    equal: int
    total: int
    differences: tuple[str, ...] = ()


def compared(
    name: str, subjects: Iterable[str], theirs: Iterable[object], ours: Iterable[object]
) -> Result:
    """Compare what kmod and what lkm say of each subject, in their order."""
    equal, total = 0, 0
    differences: list[str] = []
    for subject, their, our in zip_longest(subjects, theirs, ours, fillvalue=_NONE):
        total += 1
        if their == our is not _NONE and subject is not _NONE:
            equal += 1
        elif len(differences) < SHOWN:
            differences.append(f"{subject}\n{_apart(repr(their), repr(our))}")
    return Result(name, equal, total, tuple(differences))


def _apart(theirs: str, ours: str) -> str:
    """Return both from a little before the place where they part."""
    same = sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(theirs, ours, strict=False))
    )
    start = max(same - 60, 0)
    return f"  kmod: {theirs[start:][:_WIDTH]}\n  lkm:  {ours[start:][:_WIDTH]}"


@dataclass(frozen=True)
class Pair:
    """One kernel in two roots: *theirs* has kmod's indexes, *ours* lkm's. *said*: by depmod."""

    tools: Path
    release: str
    theirs: Path
    ours: Path
    said: tuple[str, str]

    def files(self) -> list[str]:
        """Return the path of every module file of *theirs*."""
        return sorted(map(str, (self.theirs / "lib/modules" / self.release).rglob("*.ko*")))

    def options(self, config: Path, root: Path | None = None) -> list[str]:
        """Return modprobe's options for *root* (default: *theirs*) under *config* alone."""
        return ["-d", str(root or self.theirs), "-S", self.release, "-C", str(config)]

    def kmod(self, tool: str, *words: str) -> Ran:
        """Run one of kmod's tools."""
        return kmod(self.tools, tool, *words)


def kmod(tools: Path, tool: str, *words: str) -> Ran:
    """Run one of kmod's tools, whose symlinks lie in *tools*."""
    done = subprocess.run([str(tools / tool), *words], capture_output=True, check=False)
    return _as_declared("kmod", Ran(done.returncode, decode(done.stdout), decode(done.stderr)))


def our(tool: str, *words: str) -> Ran:
    """Run our tool in this process."""
    return _as_declared("lkm", lkm(tool, *words))


def _as_declared(program: str, ran: Ran) -> Ran:
    """Return what *program* said after the declared differences have been applied to it."""
    texts = {"out": ran.out, "err": ran.err}
    for each in DIFFERENCES:
        if each.of == program and each.stream in texts and each.id in _MET_HERE:
            text = texts[each.stream]
            texts[each.stream] = re.sub(each.pattern, each.becomes, text, flags=re.MULTILINE)
    return Ran(ran.status, texts["out"], texts["err"])


def known_to_kmod(file: str) -> bool:
    """Tell whether kmod 30, too, writes an index *file*."""
    return not any(
        each.stream == "file" and re.search(each.pattern, f"/{file}") for each in DIFFERENCES
    )


@contextmanager
def a_pair(root: Path, folder: Path, tools: Path) -> Iterator[Pair]:
    """Copy the kernel in *root* twice into *folder* and have each copy indexed."""
    (tree,) = (root / "lib/modules").iterdir()
    roots = []
    for name in ("kmods", "lkms"):
        roots.append(folder / name)
        copy_tree(tree, folder / name / "lib/modules" / tree.name)
    theirs = kmod(tools, "depmod", "-b", str(roots[0]), tree.name)
    ours = our("depmod", "-b", str(roots[1]), tree.name)
    yield Pair(tools, tree.name, roots[0], roots[1], (theirs.err, ours.err))
    for copy in roots:
        shutil.rmtree(copy)


def copy_tree(tree: Path, copy: Path) -> None:
    """Copy *tree* by hard links where the file system can."""
    shutil.copytree(tree, copy, copy_function=_link, symlinks=True)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def chunks(words: Sequence[str], size: int) -> list[Sequence[str]]:
    """Return *words* in pieces of *size*: a command line is not endless."""
    return [words[start : start + size] for start in range(0, len(words), size)]
