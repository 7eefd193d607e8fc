"""A sample of a kernel's modules in every container: plain, gzip, xz and zstd.

Debian's kmod reads no gzip. What is expected there is its answer for the plain files, under the
name of the wrapped ones.
"""

from __future__ import annotations

import gzip
import lzma
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from lkm._text import decode
from lkm.tree.catalog import Catalog
from tests.oracle.whole_indexes import items
from tests.oracle.whole_kernels import Pair, Result, compared, known_to_kmod, our

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

WRAPPERS: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": lambda data: gzip.compress(data, 1),
    # As the kernel's build does, since its own decoder knows no other checksum.
    ".xz": lambda data: lzma.compress(data, check=lzma.CHECK_CRC32, preset=0),
    ".zst": zstd.compress,  # with the size, without which kmod takes no frame
}


def compare_compressions(pair: Pair, folder: Path, count: int) -> Iterator[Result]:
    """Compare depmod and modinfo of about *count* modules, in each container.

    What they need is among them.
    """
    tree = pair.theirs / "lib/modules" / pair.release
    catalog = Catalog.open(str(tree))
    entries = catalog.entries()
    chosen = {
        path
        for entry in entries[:: max(len(entries) // count, 1)]
        for path in (entry.path, *entry.depends)
    }
    images = {re.sub(r"\.(xz|gz|zst)$", "", path): _image(tree / path) for path in sorted(chosen)}
    for suffix, wrap in WRAPPERS.items():
        wrapped = {path: wrap(data) for path, data in images.items()}
        yield from _one_container(pair, folder, suffix, wrapped)
    shutil.rmtree(folder / "kmods-sample")


def _image(path: Path) -> bytes:
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def _one_container(
    pair: Pair, folder: Path, suffix: str, files: Mapping[str, bytes]
) -> Iterator[Result]:
    """Compare one container; the plain one is the first, and leaves kmod's answers for gzip."""
    theirs, ours = folder / "kmods-sample", folder / "lkms-sample"
    build = pair.theirs / "lib/modules" / pair.release
    for root in (ours,) if suffix == ".gz" else (theirs, ours):
        shutil.rmtree(root, ignore_errors=True)
        tree = root / "lib/modules" / pair.release
        for path, data in files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / f"{path}{suffix}").write_bytes(data)
        for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
            shutil.copy(build / name, tree)
    tree, plain = (root / "lib/modules" / pair.release for root in (ours, theirs))
    if suffix != ".gz":
        pair.kmod("depmod", "-b", str(theirs), pair.release)
    said = our("depmod", "-b", str(ours), pair.release)
    kind = suffix.removeprefix(".") or "plain"
    yield compared(
        f"depmod of {kind} modules: status, messages", [kind], [(0, "")], [(said.status, said.err)]
    )
    names = sorted([p.name for p in tree.glob("modules.*") if known_to_kmod(p.name)])
    yield compared(
        f"depmod of {kind} modules: index files",
        names,
        [_content(plain / name, suffix) for name in names],
        [_content(tree / name, "") for name in names],
    )
    there = suffix if suffix != ".gz" else ""
    yield compared(
        f"modinfo of {kind} modules",
        files,
        [
            _renamed(pair.kmod("modinfo", str(plain / f"{path}{there}")).out, suffix).replace(
                str(theirs), str(ours), 1
            )
            for path in files
        ],
        [our("modinfo", str(tree / f"{path}{suffix}")).out for path in files],
    )
    shutil.rmtree(ours)


def _content(path: Path, suffix: str) -> object:
    if path.name.endswith(".bin"):
        return [(key, _renamed(value, suffix), rank) for key, value, rank in items(path)]
    text = decode(path.read_bytes())
    return _renamed(text, suffix) if path.name == "modules.dep" else text


def _renamed(text: str, suffix: str) -> str:
    """Return *text* about plain files as one about gzip files, where *suffix* is theirs."""
    return re.sub(r"\.ko(?=[:\s]|$)", ".ko.gz", text) if suffix == ".gz" else text
