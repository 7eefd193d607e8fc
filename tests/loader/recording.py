"""Record what a real kernel shows of its modules, once they are live.

``python -m tests.loader.recording PACKAGE NAME...`` boots the kernel of a Debian package in QEMU,
loads the modules named with what they depend on, and prints a document as in ``tests/data``. A
hundred modules take some minutes.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from lkm.lab import qemu
from lkm.lab.initramfs import files_in, script_initramfs
from lkm.module.file import read_image
from lkm.names import module_name_of_path
from lkm.tree.catalog import Catalog
from lkm.vmlinux.image import KernelImage
from tests.debian import unpacked

# libcrc32c looks for an implementation of crc32c, which no dependency names.
FIRST = ("crc32c_generic",)


def recorded(package: str, names: tuple[str, ...]) -> dict[str, tuple[int, int, str]]:
    """Return size, number of symbols and the hash of their list, by module."""
    root = unpacked(package)
    (tree,) = (root / "lib/modules").iterdir()
    files = _in_order(tree, names)
    script = "".join([f"insmod /m/{name}.ko || echo FAILED {name}\n" for name in files])
    script += "echo ==\ncat /proc/modules\necho ==\ngrep '\\[' /proc/kallsyms\n"
    extra = files_in("m", {f"{name}.ko": read_image(path).data for name, path in files.items()})
    kernel = KernelImage.open(str(root / f"boot/vmlinuz-{tree.name}")).data
    initramfs = script_initramfs(script, extra)
    ended = qemu.run(kernel, initramfs, memory_mb=1500, timeout_s=1800)
    failures, modules, symbols = ended.output.split("==\n")
    sys.stderr.write(failures)
    lists: dict[str, list[str]] = {}
    for line in symbols.splitlines():
        symbol, _tab, module = line.partition("\t")
        lists.setdefault(module.strip("[]"), []).append(symbol.split(" ", 1)[1])
    sizes = [line.split()[:2] for line in modules.splitlines()]
    return {
        name: (int(size), len(lists[name]), _hash("\n".join(lists[name])))
        for name, size in sorted(sizes)
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _in_order(tree: Path, names: tuple[str, ...]) -> dict[str, str]:
    """Return the files to load by module, dependencies first; those not there are left out."""
    catalog = Catalog.open(str(tree))
    order: dict[str, str] = {}
    for name in (*FIRST, *names):
        entry = catalog.entry(module_name_of_path(f"{name}.ko"))
        if entry is None:
            sys.stderr.write(f"{tree.name} has no module {name}\n")
            continue
        for path in (*reversed(entry.depends), entry.path):
            order.setdefault(str(module_name_of_path(path)), catalog.file(path))
    return order


if __name__ == "__main__":
    found = recorded(sys.argv[1], tuple(sys.argv[2:]))
    source = f"Debian's {sys.argv[1]} under QEMU, recorded by tests/loader/recording.py"
    print(json.dumps({"source": source, "modules": found}))
