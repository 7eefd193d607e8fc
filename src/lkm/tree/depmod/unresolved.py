"""What modules need that nobody offers, or offers in another version: depmod -e.

Source: depmod(8), -e; kmod, tools/depmod.c, depmod_load_module_dependencies.
"""

from __future__ import annotations

from lkm.elf.file import ElfFile
from lkm.errors import LkmError
from lkm.module.file import read_image
from lkm.module.symbols import imports
from lkm.tree.depmod.kernel_symbols import as_exported, without_prefix
from lkm.tree.problem import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lkm.module.scanned import ScannedModule
    from lkm.tree.depmod.kernel_symbols import KernelSymbols


def unresolved(
    modules: Sequence[ScannedModule], kernel: KernelSymbols, prefix: str = ""
) -> Iterator[Problem]:
    """Yield a warning for each need of *modules* that neither they nor the *kernel* meet.

    A weak one may stay unmet. Where the kernel's file has CRCs, each need's is compared with that
    of the symbol found, be it the kernel's or a module's.
    """
    crcs = dict(kernel.crcs)
    for module in modules:
        crcs.update(
            (without_prefix(symbol, prefix), crc)
            for symbol, crc in zip(module.exports, module.crcs, strict=True)
        )
    for module in modules:
        yield from _unresolved_of(module, crcs, prefix, has_crcs=kernel.has_crcs)


def _unresolved_of(
    module: ScannedModule, crcs: Mapping[str, int], prefix: str, *, has_crcs: bool
) -> Iterator[Problem]:
    unmet: list[tuple[str, tuple[int, int] | None]] = []
    for name, crc in zip(module.needs, module.need_crcs, strict=True):
        found = crcs.get(as_exported(name, prefix))
        if found is None:
            unmet.append((name, None))
        elif has_crcs and found != crc:
            unmet.append((name, (crc, found)))
    # Few modules come here, so only of them it is asked which of their needs are weak.
    weak = _weak_needs(module.path) if unmet else frozenset()
    for name, versions in unmet:
        if name not in weak:
            unknown = versions is None
            says = "needs unknown symbol" if unknown else "disagrees about version of symbol"
            yield Problem(
                "WARNING",
                f"{module.path} {says} {name}",
                kind="unknown-symbol" if unknown else "symbol-version",
                path=module.path,
                modules=(module.name,),
                symbol=name,
                crcs=versions,
            )


def _weak_needs(path: str) -> frozenset[str]:
    try:
        elf = ElfFile.from_bytes(read_image(path).data, what="module")
        return frozenset([need.name for need in imports(elf) if need.weak])
    except LkmError:
        return frozenset()  # it has changed since it was scanned
