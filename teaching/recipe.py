"""Read what the teaching kernel is to be: ``kernel.toml`` and the prototypes in ``include``.

A prototype gives an export its CRC: here simply the CRC-32 of the prototype's text, where a
kernel's build takes it over every type that the prototype names, spelled out.
"""

from __future__ import annotations

import re
import tomllib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent

_MARKED = re.compile(r"^(PLAIN|GPL_ONLY|GPL_ONLY_IN|SHARED)\((.*)\);$", re.MULTILINE)
_NAME = re.compile(r"(\w+)(?=\(|\[|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prototype:
    """An export's declaration. For a module's, kind and namespace stand in the module's source.

    *is_data* tells that no function is exported, but a variable.
    """

    name: str
    crc: int
    gpl_only: bool = False
    namespace: str = ""
    is_data: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The kernel to build.

    *modules* and *out_of_tree* are paths in the modules directory, *exports* the kernel's own,
    *shared* those of the modules by name, *builtin* maps a name to its modinfo strings.
    """

    release: str
    banner: str
    vermagic: str
    struct_module_size: int
    modules: tuple[str, ...]
    out_of_tree: tuple[str, ...]
    config: Mapping[str, str]
    builtin: Mapping[str, tuple[str, ...]]
    exports: tuple[Prototype, ...]
    shared: Mapping[str, Prototype]

    def crc(self, symbol: str) -> int:
        """Return the CRC of *symbol*. Raises ``KeyError`` for one that has no prototype."""
        if symbol in self.shared:
            return self.shared[symbol].crc
        return next(export.crc for export in self.exports if export.name == symbol)


def read_recipe(folder: Path = FOLDER) -> Recipe:
    """Read the recipe in *folder*."""
    table = tomllib.loads((folder / "kernel.toml").read_text())
    return Recipe(
        release=table["release"],
        banner=table["banner"],
        vermagic=table["vermagic"],
        struct_module_size=table["struct_module_size"],
        modules=tuple(table["modules"]),
        out_of_tree=tuple(table["out_of_tree"]),
        config=table["config"],
        builtin={name: tuple(strings) for name, strings in table["builtin"].items()},
        exports=_prototypes((folder / "include/kernel.h").read_text()),
        shared={
            prototype.name: prototype
            for prototype in _prototypes((folder / "include/shared.h").read_text())
        },
    )


def _prototypes(text: str) -> tuple[Prototype, ...]:
    found = [_prototype(kind, marked) for kind, marked in _MARKED.findall(text)]
    return tuple(sorted(found, key=lambda prototype: prototype.name))


def _prototype(kind: str, marked: str) -> Prototype:
    namespace = ""
    if kind == "GPL_ONLY_IN":
        namespace, _, marked = marked.partition(", ")
    named = _NAME.search(marked)
    if named is None:
        raise ValueError(f"no name in {marked!r}")
    return Prototype(
        name=named[1],
        crc=zlib.crc32(marked.encode()),
        gpl_only=kind.startswith("GPL_ONLY"),
        namespace=namespace,
        is_data=marked.startswith("extern "),
    )
