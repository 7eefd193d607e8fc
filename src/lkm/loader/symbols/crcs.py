"""The comparison of the CRCs that a module was built for with those of what it would use.

Source: kernel/module/version.c, check_version and check_modstruct_version.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence

from lkm.loader.facts import KernelFacts, KernelSymbol, ModuleFacts
from lkm.loader.findings import Finding, LogLine, refusal, taint_finding, unforceable
from lkm.loader.symbols.assumed import REMEDY, listed
from lkm.loader.taint import Taint

_LAYOUT = "module_layout"


def module_layout(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Compare the CRC of ``module_layout``, which stands for the layout of struct module."""
    if not kernel.modversions:
        return
    layout = _layout(kernel)
    if layout is None or is_in_doubt(kernel, layout):
        yield in_doubt([_LAYOUT])
    if layout is not None:
        # Another answer than for any other symbol: ENOEXEC, not EINVAL.
        yield from compare_crc(module, kernel, layout, errno.ENOEXEC)


def exports_without_crcs(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Taint by exports that have no CRC, on a kernel that compares CRCs."""
    if kernel.modversions and any(export.crc is None for export in module.exports):
        if not kernel.options.module_force_load:
            yield unforceable("export-crc", "it exports symbols without CRCs")
            return
        text = f"{module.name}: no versions for exported symbols: kernel tainted."
        yield taint_finding("export-crc", Taint.FORCED, text, kernel)


def is_forced(module: ModuleFacts, kernel: KernelFacts) -> bool:
    """Tell whether *module* came past ``module_layout`` by force: it has no CRCs at all."""
    layout = _layout(kernel)
    has_crc = layout is not None and layout.crc is not None
    return kernel.modversions and module.versions is None and has_crc


def compare_crc(
    module: ModuleFacts, kernel: KernelFacts, found: KernelSymbol, number: int
) -> Iterator[Finding]:
    """Compare the CRC of *found*; *number* is the errno of one that differs."""
    if not kernel.modversions or found.crc is None:
        return
    if module.versions is None and not kernel.options.module_force_load:
        yield unforceable("crc", f"it has no CRC of {found.name} to compare", number)
        return
    if module.versions is None:
        text = f"{module.name}: {found.name}: kernel tainted."
        yield Finding(
            check="crc",
            log=() if kernel.tainted & Taint.FORCED else (LogLine(4, text),),
            evidence=f"the module has no CRC of {found.name} to compare",
            taint=Taint.FORCED,
            kernel_taint=Taint.FORCED,
        )
        return
    theirs = module.versions.get(found.name)
    if theirs is None:
        text = f"{module.log_name}: no symbol version for {found.name}"
        evidence = f"the module has CRCs, but none of {found.name}"
    elif theirs == found.crc:
        return
    elif kernel.exports_assumed and not found.owner:
        yield _other_than_most(found, theirs, number)
        return
    else:
        text = f"{module.log_name}: disagrees about version of symbol {found.name}"
        evidence = (
            f"{found.name}: the module was built for CRC {theirs:#010x}, "
            f"{found.owner or 'the kernel'} has {found.crc:#010x}"
        )
    yield refusal(
        "crc", text, number, level=4, evidence=evidence, remedy="build it against this kernel"
    )


def is_in_doubt(kernel: KernelFacts, found: KernelSymbol) -> bool:
    """Tell whether *kernel* compares the CRC of *found*, which is not known."""
    return kernel.modversions and not found.crc_known


def in_doubt(names: Sequence[str]) -> Finding:
    """Return the one finding for the symbols *names*, whose CRCs in the kernel are not known."""
    return Finding(
        check="crc",
        evidence=(
            "whether the CRCs that it was built for are the kernel's, which are not known: "
            f"{listed(names)}"
        ),
        remedy=REMEDY,
        could_not_tell=True,
    )


def _other_than_most(found: KernelSymbol, theirs: int, number: int) -> Finding:
    """Say that the CRC *theirs* is not the one that is assumed: either may be the kernel's."""
    return Finding(
        check="crc",
        errno=number,
        evidence=(
            f"whether {theirs:#010x}, which it was built for, is the kernel's CRC of {found.name} "
            f"is not known: most modules of the tree were built for {found.crc or 0:#010x}"
        ),
        remedy=REMEDY,
        could_not_tell=True,
    )


def _layout(kernel: KernelFacts) -> KernelSymbol | None:
    """Return ``module_layout``, None where it is not known: every kernel that compares has it."""
    known = kernel.symbols.get(_LAYOUT, ())
    return known[0] if known else None
