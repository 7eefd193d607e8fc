"""State the teaching kernel's own facts, which of a real kernel would be read from its image."""

from __future__ import annotations

from lkm.elf.constants import EM_X86_64
from lkm.vmlinux.answers import NotThere
from lkm.vmlinux.certificates import parse_certificate
from lkm.vmlinux.config import parse_config
from lkm.vmlinux.exports import KernelExport
from lkm.vmlinux.facts import VmlinuxFacts
from lkm.vmlinux.kallsyms import KernelSymbols
from teaching.recipe import Recipe
from teaching.symbols import symbol_table
from teaching.tree import config_text


def kernel_facts(recipe: Recipe, certificate: bytes) -> VmlinuxFacts:
    """Return the facts of the kernel, which trusts *certificate*."""
    rows = symbol_table(recipe)
    places = {name: address for address, _kind, name in rows}
    exports = [
        KernelExport(
            name=export.name,
            crc=export.crc,
            gpl_only=export.gpl_only,
            namespace=export.namespace,
            address=places[export.name],
        )
        for export in sorted(recipe.exports, key=lambda export: (export.gpl_only, export.name))
    ]
    return VmlinuxFacts(
        release=recipe.release,
        banner=recipe.banner,
        machine=EM_X86_64,
        is_64bit=True,
        order="<",
        vermagic=recipe.vermagic,
        struct_module_size=recipe.struct_module_size,
        type_count=NotThere("the teaching kernel has no BTF"),
        exports=tuple(exports),
        kallsyms=KernelSymbols(
            addresses=tuple([address for address, _kind, _name in rows]),
            types="".join([kind for _address, kind, _name in rows]),
            names=tuple([name for _address, _kind, name in rows]),
        ),
        config=parse_config(config_text(recipe)),
        certificates=(parse_certificate(certificate),),
        btf=NotThere("the teaching kernel has no BTF"),
    )
