"""Lay out a root folder with a small kernel's modules in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.builders.elf import AnExport, a_module

RELEASE = "6.1.0-test"


def a_root(
    folder: Path,
    modules: Mapping[str, bytes] | None = None,
    *,
    release: str = RELEASE,
    builtin: Mapping[str, Sequence[str]] | None = None,
    modprobe_d: Mapping[str, str] | None = None,
) -> Path:
    """Write a tree below *folder* and return *folder*; no index is written.

    *modules* are files by their path in the tree (``kernel/fs/fat.ko``), by default the teaching
    quartet: ``vfat`` needs ``fat`` and, softly, ``nls_test``; ``lone`` needs nobody. *builtin*
    maps a built-in's path (``kernel/fs/ext2.ko``) to its modinfo entries. *modprobe_d* are files
    of ``/etc/modprobe.d``.
    """
    tree = folder / "lib/modules" / release
    files = the_quartet() if modules is None else modules
    for path, data in files.items():
        file = tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    tree.mkdir(parents=True, exist_ok=True)
    (tree / "modules.order").write_text("".join(f"{path}\n" for path in files))
    built = builtin or {}
    (tree / "modules.builtin").write_text("".join(f"{path}\n" for path in built))
    modinfo = b"".join(
        f"{Path(path).stem.replace('-', '_')}.{entry}".encode() + b"\0"
        for path, entries in built.items()
        for entry in entries
    )
    (tree / "modules.builtin.modinfo").write_bytes(modinfo)
    for name, text in (modprobe_d or {}).items():
        file = folder / "etc/modprobe.d" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def the_quartet() -> dict[str, bytes]:
    """Return four modules, with CRCs, for the kernel 6.1.0-test."""
    kernel = {"module_layout": 0x11111111, "_printk": 0x22222222}
    return {
        "kernel/fs/fat/fat.ko": a_module(
            name="fat",
            modinfo=["description=FAT core", "author=A. Nobody", "intree=Y"],
            exports=[
                AnExport(name="fat_attach", crc=0x33333333),
                AnExport(name="fat_detach", crc=0x44444444, gpl_only=True),
            ],
            imports=["_printk"],
            versions=kernel,
        ),
        "kernel/fs/fat/vfat.ko": a_module(
            name="vfat",
            modinfo=[
                "alias=fs-vfat",
                "alias=pci:v00001234d*",
                "softdep=pre: nls-test",
                "description=VFAT filesystem support",
                "author=B. Somebody",
                "parm=debug:Say more",
                "parmtype=debug:bool",
                "firmware=vfat.bin",
                "intree=Y",
            ],
            imports=["_printk", "fat_attach", "fat_detach"],
            versions={**kernel, "fat_attach": 0x33333333, "fat_detach": 0x44444444},
            depends="fat",
        ),
        "kernel/fs/nls/nls-test.ko": a_module(
            name="nls_test", modinfo=["intree=Y"], imports=["_printk"], versions=kernel
        ),
        "kernel/lone.ko": a_module(
            name="lone", modinfo=["intree=Y"], imports=["_printk"], versions=kernel
        ),
    }
