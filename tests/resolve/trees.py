"""Small module trees: as text indexes for the unit tests, as module files for kmod."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from lkm.config.modprobe_d import parse
from lkm.config.settings import Settings
from lkm.tree.catalog import Catalog
from tests.builders.elf import AnExport, a_module

RELEASE = "1.2.3"

# module -> what it needs, itself; the files keep their dashes
NEEDS: Mapping[str, Sequence[str]] = {
    "c": (),
    "b": ("c",),
    "a": ("b", "c"),
    "snd-pcm": ("snd-core",),
    "snd-core": (),
    "h1": ("a",),
    "h2": ("a",),
    "h3": ("h1",),
    "p": (),
    "q": ("p",),
    "both": (),
    "own": (),
    "s1": (),
    "s2": (),
}
MODINFO: Mapping[str, Sequence[str]] = {
    "snd-core": ("alias=sound:x*",),
    "p": ("alias=sound:xy*", "alias=al-[a-b]-?"),
    "q": ("alias=sound:xy*",),
    "own": ("softdep=pre: p post: q", "softdep=pre: c"),
}
BUILTIN = ("bi-one", "both")
# The last one is not in modules.builtin, as Linux has some that only their aliases make known.
BUILTIN_MODINFO = (
    b"bi_one.alias=bi:z*\0bi_one.license=GPL\0both.alias=bi:zz\0both.license=GPL\0"
    b"core.alias=fs-core\0core.license=GPL\0"
)


def a_tree(root: Path) -> Path:
    """Write the tree's text indexes and empty module files below *root*; return its directory."""
    tree = _with_builtins(root)
    order = list(NEEDS)
    lines, symbols, aliases = [], [], []
    for module in order:
        closure = sorted(_closure(module), key=order.index, reverse=True)
        lines.append(f"{_path(module)}:{''.join(' ' + _path(need) for need in closure)}\n")
        symbols.append(f"alias symbol:{_symbol(module)} {_name(module)}\n")
        for entry in MODINFO.get(module, ()):
            key, _, value = entry.partition("=")
            if key == "alias":
                aliases.append(f"alias {value} {_name(module)}\n")
        (tree / _path(module)).touch()
    (tree / "modules.dep").write_text("".join(lines))
    (tree / "modules.alias").write_text("".join(aliases))
    (tree / "modules.symbols").write_text("".join(symbols))
    (tree / "modules.softdep").write_text("softdep own pre: p post: q\nsoftdep own pre: c\n")
    return tree


def a_tree_by_depmod(root: Path, depmod: Path) -> Path:
    """Write the same tree as real module files, and its indexes by *depmod*."""
    tree = _with_builtins(root)
    for module, needs in NEEDS.items():
        (tree / _path(module)).write_bytes(
            a_module(
                name=_name(module),
                exports=[AnExport(name=_symbol(module), crc=1)],
                imports=[_symbol(need) for need in needs],
                modinfo=MODINFO.get(module, ()),
            )
        )
    subprocess.run([str(depmod), "-b", str(root), RELEASE], check=True, capture_output=True)
    return tree


def a_catalog(root: Path) -> Catalog:
    return Catalog.open(str(a_tree(root)))


def settings(text: str = "", catalog: Catalog | None = None, command_line: str = "") -> Settings:
    """Return what *text* says; the softdeps of *catalog* come after it."""
    parsed = list(parse(text, "a.conf"))
    for path, own in catalog.config_texts() if catalog is not None else ():
        parsed += parse(own, path)
    return Settings([*parsed, *Settings.read("/nonexistent", command_line=command_line).directives])


def _with_builtins(root: Path) -> Path:
    tree = root / "lib/modules" / RELEASE
    (tree / "kernel").mkdir(parents=True)
    (tree / "modules.order").write_text("".join(f"{_path(module)}\n" for module in NEEDS))
    (tree / "modules.builtin").write_text("".join(f"{_path(module)}\n" for module in BUILTIN))
    (tree / "modules.builtin.modinfo").write_bytes(BUILTIN_MODINFO)
    return tree


def _closure(module: str) -> set[str]:
    direct = NEEDS[module]
    return set(direct).union(*(_closure(need) for need in direct))


def _path(module: str) -> str:
    return f"kernel/{module}.ko"


def _name(module: str) -> str:
    return module.replace("-", "_")


def _symbol(module: str) -> str:
    return f"sym_{_name(module)}"
