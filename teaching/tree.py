"""Write the teaching kernel's root folder: modules, what a build lists of them, the indexes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lkm.elf.file import ElfFile
from lkm.module.symbols import exports
from lkm.tree.depmod.indexes import build_indexes, write_indexes
from teaching.recipe import Recipe
from teaching.symbols import symbol_table


def write_root(root: Path, recipe: Recipe, modules: Mapping[str, bytes]) -> None:
    """Write everything but the kernel's own facts below the new folder *root*."""
    directory = root / "lib/modules" / recipe.release
    for path, data in modules.items():
        _write(directory / path, data)
    _write(directory / "modules.order", _lines(recipe.modules))
    _write(directory / "modules.builtin", _lines(_builtin_paths(recipe)))
    _write(directory / "modules.builtin.modinfo", _builtin_modinfo(recipe))
    _write(root / "boot" / f"config-{recipe.release}", config_text(recipe).encode())
    _write(root / "boot" / f"System.map-{recipe.release}", _system_map(recipe))
    headers = root / "usr/src" / f"linux-headers-{recipe.release}"
    _write(headers / "Module.symvers", _symvers(recipe, modules).encode())
    indexes = build_indexes(str(directory))
    for problem in indexes.problems:
        raise ValueError(f"depmod: {problem}")
    write_indexes(indexes.files, str(directory))


def config_text(recipe: Recipe) -> str:
    """Return the kernel's configuration as its build writes it."""
    lines = ["#", "# The teaching kernel's configuration: what of one its modules show", "#"]
    for option, value in recipe.config.items():
        lines.append(f"# {option} is not set" if value == "n" else f"{option}={value}")
    return "\n".join(lines) + "\n"


def _system_map(recipe: Recipe) -> bytes:
    rows = symbol_table(recipe)
    return "".join([f"{address:016x} {kind} {name}\n" for address, kind, name in rows]).encode()


def _builtin_paths(recipe: Recipe) -> tuple[str, ...]:
    files = [
        string.removeprefix("file=")
        for strings in recipe.builtin.values()
        for string in strings
        if string.startswith("file=")
    ]
    return tuple([f"kernel/{file}.ko" for file in files])


def _builtin_modinfo(recipe: Recipe) -> bytes:
    strings = [
        f"{name}.{string}\0" for name, strings in recipe.builtin.items() for string in strings
    ]
    return "".join(strings).encode()


def _symvers(recipe: Recipe, modules: Mapping[str, bytes]) -> str:
    rows = [
        (export.crc, export.name, "vmlinux", export.gpl_only, export.namespace)
        for export in recipe.exports
    ]
    for path, data in modules.items():
        owner = path.removesuffix(".ko").removeprefix("kernel/")
        for export in exports(ElfFile.from_bytes(data, what="module")):
            crc = recipe.shared[export.name].crc
            rows.append((crc, export.name, owner, export.gpl_only, export.namespace))
    return "".join(
        [
            f"{crc:#010x}\t{name}\t{owner}\tEXPORT_SYMBOL{'_GPL' if gpl_only else ''}\t{space}\n"
            for crc, name, owner, gpl_only, space in rows
        ]
    )


def _lines(paths: tuple[str, ...]) -> bytes:
    return "".join([f"{path}\n" for path in paths]).encode()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
