"""Compare lkm with kmod over whole real kernels: ``python -m tests.oracle.whole [KERNEL...]``.

Without words these are Debian's kernels for amd64, arm64 and s390x, and the one whose modules are
compressed. Prints how many answers are equal, of how many, in each comparison; what differs goes
to stderr, and makes the exit status 1. Downloads what is not there yet.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from lkm.tree.catalog import Catalog
from tests.debian import CACHE, NotHere
from tests.oracle.whole_compression import compare_compressions
from tests.oracle.whole_indexes import compare_indexes, compare_kmod_on_ours
from tests.oracle.whole_kernels import KERNELS, Pair, Result, a_pair
from tests.oracle.whole_modinfo import compare_modinfo
from tests.oracle.whole_modprobe import compare_modprobe
from tests.oracle.whole_words import write_configurations

_ALL = ("amd64", "arm64", "s390x", "6.12")


def compare(pair: Pair, folder: Path, *, words: int, every: int, sample: int) -> Iterator[Result]:
    """Yield every comparison of one kernel.

    *words*: so many modaliases; *every*: each so many-th word is asked about on its own; *sample*:
    so many modules are wrapped in each container.
    """
    catalog = Catalog.open(str(pair.theirs / "lib/modules" / pair.release))
    configs = write_configurations(folder, catalog)
    names = [entry.name for entry in catalog.entries()]
    yield from compare_indexes(pair)
    yield from compare_kmod_on_ours(pair, configs["empty"], names)
    yield from compare_modinfo(pair)
    yield from compare_modprobe(pair, configs, words, every)
    yield from compare_compressions(pair, folder, sample)


def main(names: list[str]) -> int:
    """Compare the kernels *names*; return 1 if anything differs or a kernel is not to be had."""
    tool = shutil.which("kmod", path=os.environ.get("PATH", "") + ":/usr/bin:/bin:/usr/sbin:/sbin")
    if tool is None:
        print("kmod is not installed", file=sys.stderr)
        return 1
    status = 0
    for name in names or _ALL:
        with tempfile.TemporaryDirectory(prefix="whole-", dir=_near_the_cache()) as folder:
            os.environ.pop("MODPROBE_OPTIONS", None)
            os.environ.update(LKM_CACHE=f"{folder}/cache", LC_ALL="C.UTF-8")
            try:
                status |= _one(name, Path(folder), Path(tool))
            except NotHere as error:
                print(f"{name}: {error}", file=sys.stderr)
                status = 1
    return status


def _one(name: str, folder: Path, tool: Path) -> int:
    if name not in KERNELS:
        raise NotHere(f"no such kernel; there are {', '.join(KERNELS)}")
    root = KERNELS[name]()
    tools = folder / "tools"
    tools.mkdir()
    for link in ("modinfo", "modprobe", "depmod"):
        (tools / link).symlink_to(tool)
    start = time.monotonic()
    status = 0
    with a_pair(root, folder, tools) as pair:
        print(f"{name}: {pair.release}, {len(pair.files())} modules")
        for result in compare(pair, folder, words=4000, every=20, sample=100):
            print(f"  {result.equal:7} / {result.total:<7} {result.name}", flush=True)
            if result.equal < result.total:
                status = 1
                print("\n".join([f"{result.name}:", *result.differences]), file=sys.stderr)
    print(f"  {time.monotonic() - start:.0f} s")
    return status


def _near_the_cache() -> Path:
    # Hard links reach no other file system.
    CACHE.mkdir(parents=True, exist_ok=True)
    return CACHE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
