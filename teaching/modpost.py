"""Make a module of a compiled source: the second half of a kernel's build of modules.

It states what the first half cannot know: whom the undefined symbols belong to (``depends=``),
with which CRCs (``__versions``), the CRCs of the exports, the vermagic, and the struct that the
kernel finds the module by. All of it goes into a ``NAME.mod.c``, compiled and linked to the first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lkm.elf.file import ElfFile
from lkm.elf.symbols import read_symbols
from lkm.module.modinfo import parse_modinfo
from lkm.module.symbols import imports
from lkm.names import module_name_of_path
from teaching.recipe import Recipe

_LAYOUT = "module_layout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """One module's own object file. *path* is where the module is to go, *needs* are undefined."""

    path: str
    source: bytes
    object: bytes
    needs: tuple[str, ...]
    exports: tuple[tuple[str, bool], ...]  # name, GPL-only
    in_tree: bool
    old_style: bool

    @property
    def name(self) -> str:
        """Return the module's name."""
        return module_name_of_path(self.path)


def compiled(path: str, source: bytes, data: bytes, *, in_tree: bool) -> Compiled:
    """Return what the object file *data* of *source* needs and exports."""
    elf = ElfFile.from_bytes(data, what="object file")
    undefined = [each.name for each in imports(elf)]
    exported = [
        (name, kind == "___ksymtab_gpl")
        for kind, plus, name in [section.name.partition("+") for section in elf.sections]
        if plus and kind in {"___ksymtab", "___ksymtab_gpl"}
    ]
    return Compiled(
        path=path,
        source=source,
        object=data,
        needs=tuple([name for name in undefined if not name.startswith(("__crc_", "__this_"))]),
        exports=tuple(exported),
        in_tree=in_tree,
        old_style=b"#define OLD_STYLE_EXPORTS" in source,
    )


def mod_c(module: Compiled, owners: Mapping[str, str], recipe: Recipe) -> str:
    """Return the second source of *module*; *owners* are the modules that export, by symbol."""
    lines = ['#include "module.h"', ""]
    lines += _modinfo(module, owners, recipe)
    lines += ["", "static const struct {", "\tunsigned long crc;", "\tchar name[56];"]
    lines += ['} ____versions[] __used __in("__versions") = {']
    lines += [f'\t{{ {recipe.crc(name):#010x}, "{name}" }},' for name in (*module.needs, _LAYOUT)]
    lines += ["};", ""]
    lines += [_export_crc(module, name, gpl_only, recipe) for name, gpl_only in module.exports]
    lines += ["", 'struct module __this_module __used __in(".gnu.linkonce.this_module") = {']
    defined = _defined(module.object)
    lines += [f'\t.name = "{module.name}",']
    lines += ["\t.init = init_module,"] * ("init_module" in defined)
    lines += ["\t.exit = cleanup_module,"] * ("cleanup_module" in defined)
    return "\n".join([*lines, "};", ""])


def _modinfo(module: Compiled, owners: Mapping[str, str], recipe: Recipe) -> Iterator[str]:
    elf = ElfFile.from_bytes(module.object, what="object file")
    keys = {key for key, _value in parse_modinfo(elf.section_data(".modinfo") or b"")}
    if "version" in keys:  # a checksum of the source goes with an author's version
        checksum = hashlib.sha256(module.source).hexdigest()[:23].upper()
        yield f'MODINFO(srcversion, "srcversion", "{checksum}");'
    depends = dict.fromkeys([owners[name] for name in module.needs if name in owners])
    yield f'MODINFO(depends, "depends", "{",".join(depends)}");'
    yield 'MODINFO(retpoline, "retpoline", "Y");'
    if module.in_tree:
        yield 'MODINFO(intree, "intree", "Y");'
    yield f'MODINFO(name, "name", "{module.name}");'
    yield f'MODINFO(vermagic, "vermagic", "{recipe.vermagic}");'


def _export_crc(module: Compiled, name: str, gpl_only: bool, recipe: Recipe) -> str:
    crc = recipe.shared[name].crc
    if module.old_style:  # genksyms through the linker: the symbol's value is the CRC
        return f'asm(".globl __crc_{name}\\n\\t.set __crc_{name}, {crc:#010x}\\n");'
    kind = "_gpl" if gpl_only else ""
    return (
        f'asm(".pushsection \\"___kcrctab{kind}+{name}\\",\\"a\\"\\n.balign 4\\n"\n'
        f'    "__crc_{name}:\\t.long {crc:#010x}\\n.popsection\\n");'
    )


def _defined(data: bytes) -> set[str]:
    elf = ElfFile.from_bytes(data, what="object file")
    return {symbol.name for symbol in read_symbols(elf) if symbol.section_index}
