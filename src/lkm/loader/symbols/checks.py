"""The checks of what a module imports and exports: existence, licence, CRC, namespace, owner.

Source: kernel/module/main.c, simplify_symbols, resolve_symbol, find_symbol, inherit_taint and
verify_exported_symbols; kernel/module/version.c, check_version.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass

from lkm.elf.constants import SHN_COMMON, SHN_LORESERVE, SHN_UNDEF, STB_WEAK
from lkm.elf.symbols import Symbol
from lkm.loader.facts import KernelFacts, KernelSymbol, ModuleFacts
from lkm.loader.findings import Finding, LogLine, unforceable
from lkm.loader.taint import Taint

# Linkers make it themselves, and no kernel exports it.
_NEVER_LOOKED_UP = "_GLOBAL_OFFSET_TABLE_"
_LAYOUT = "module_layout"


@dataclass(slots=True)
class _Progress:
    """What the walk over the symbols has come to: later symbols depend on earlier ones."""

    proprietary: bool
    uses_gpl_only: bool = False
    forced: bool = False


def module_layout(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Compare the CRC of ``module_layout``, which stands for the layout of struct module."""
    known = kernel.symbols.get(_LAYOUT, ())
    if known:
        # Another answer than for any other symbol: ENOEXEC, not EINVAL.
        yield from _compare_crc(module, kernel, known[0], errno.ENOEXEC)


def symbols(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Look up every undefined symbol, in the order of the symbol table.

    Each failure is a finding of its own, and the walk goes on.
    """
    count = len(module.sections)
    layout = kernel.symbols.get(_LAYOUT, ())
    forced = module.versions is None and bool(layout) and layout[0].crc is not None
    progress = _Progress(module.proprietary, forced=forced)
    for symbol in module.symbols[1:]:
        where = symbol.section_index
        if where == SHN_UNDEF:
            yield from _undefined(symbol, module, kernel, progress)
        elif where == SHN_COMMON and not symbol.name.startswith("__gnu_lto"):
            text = f"{module.name}: please compile with -fno-common"
            yield _refusal("common-symbol", text, errno.ENOEXEC, level=4)
        elif count <= where < SHN_LORESERVE:
            text = (
                f"{module.name}: Symbol {symbol.name} has an invalid section index {where} "
                f"(max {count - 1})"
            )
            yield _refusal("elf", text, errno.ENOEXEC)


def linked_owners(module: ModuleFacts, kernel: KernelFacts) -> tuple[str, ...]:
    """Return the loaded modules whose symbols *module* uses, in the order of first use.

    Only for a module that the checks let through.
    """
    owners: dict[str, None] = {}
    proprietary = module.proprietary
    for symbol in module.symbols[1:]:
        if symbol.section_index == SHN_UNDEF:
            found = _visible(symbol.name, kernel, proprietary=proprietary)
            if found is not None and found.owner:
                owners[found.owner] = None
                proprietary = proprietary or bool(found.owner_taints & Taint.PROPRIETARY)
    return tuple(owners)


def duplicate_exports(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Refuse an export that the kernel or a loaded module has already."""
    for export in module.exports:
        known = kernel.symbols.get(export.name, ())
        if known:
            owner = known[0].owner or "kernel"
            text = f"{module.name}: exports duplicate symbol {export.name} (owned by {owner})"
            yield _refusal("duplicate-export", text, errno.ENOEXEC, remedy=f"remove {owner} first")
            return


def _undefined(
    symbol: Symbol, module: ModuleFacts, kernel: KernelFacts, progress: _Progress
) -> Iterator[Finding]:
    found = _visible(symbol.name, kernel, proprietary=progress.proprietary)
    if found is None:
        if symbol.bind != STB_WEAK and symbol.name != _NEVER_LOOKED_UP:
            yield _unknown(symbol.name, module, kernel, progress)
        return
    progress.uses_gpl_only |= found.gpl_only
    refused = 0
    for finding in _resolved(module, kernel, found, progress):
        refused = finding.errno
        if not refused:
            yield finding
            continue
        # ENOENT of a weak symbol is as if it were not there; any other errno is not.
        if refused == errno.ENOENT and symbol.bind == STB_WEAK:
            yield Finding(check=finding.check, log=finding.log, evidence=finding.evidence)
            return
        line = LogLine(4, f"{module.name}: Unknown symbol {symbol.name} (err {-refused})")
        yield Finding(
            check=finding.check,
            errno=refused,
            log=(*finding.log, line),
            evidence=finding.evidence,
            remedy=finding.remedy,
        )
        return


def _visible(name: str, kernel: KernelFacts, *, proprietary: bool) -> KernelSymbol | None:
    """Return the exporter that the kernel finds: GPL-only is invisible to the proprietary."""
    for candidate in kernel.symbols.get(name, ()):
        if not (candidate.gpl_only and proprietary):
            return candidate
    return None


def _unknown(name: str, module: ModuleFacts, kernel: KernelFacts, progress: _Progress) -> Finding:
    """Say why *name* is unknown; the kernel's own line is the same for every reason."""
    check, evidence, remedy = "unknown-symbol", f"nobody exports {name}", "load its dependencies"
    hidden = kernel.symbols.get(name, ())
    if hidden and progress.proprietary:
        owner = hidden[0].owner or "the kernel"
        check = "gpl-only"
        evidence = f"{owner} exports {name} to GPL-compatible modules only"
        remedy = f"the module's licence is '{module.license}'"
    line = LogLine(4, f"{module.name}: Unknown symbol {name} (err -{errno.ENOENT})")
    return Finding(check=check, errno=errno.ENOENT, log=(line,), evidence=evidence, remedy=remedy)


def _resolved(
    module: ModuleFacts, kernel: KernelFacts, found: KernelSymbol, progress: _Progress
) -> Iterator[Finding]:
    """Check one symbol that was found: taint to inherit, CRC, namespace, state of its owner."""
    for check in (_inherit_taint, _crc, _namespace, _owner_state):
        for finding in check(module, kernel, found, progress):
            yield finding
            if finding.refuses:
                return


def _inherit_taint(
    module: ModuleFacts, _kernel: KernelFacts, found: KernelSymbol, progress: _Progress
) -> Iterator[Finding]:
    if not found.owner_taints & Taint.PROPRIETARY or progress.proprietary:
        return
    if progress.uses_gpl_only:
        text = (
            f"{module.name}: module using GPL-only symbols uses symbols {found.name} from "
            f"proprietary module {found.owner}."
        )
        yield _refusal("inherit-taint", text, errno.ENOENT)
        return
    progress.proprietary = True
    text = (
        f"{module.name}: module uses symbols {found.name} from proprietary module {found.owner}, "
        "inheriting taint."
    )
    yield Finding(
        check="inherit-taint", log=(LogLine(4, text),), evidence=text, taint=Taint.PROPRIETARY
    )


def _crc(
    module: ModuleFacts, kernel: KernelFacts, found: KernelSymbol, progress: _Progress
) -> Iterator[Finding]:
    if progress.forced:
        return
    for finding in _compare_crc(module, kernel, found, errno.EINVAL):
        progress.forced = finding.taint == Taint.FORCED
        yield finding


def _compare_crc(
    module: ModuleFacts, kernel: KernelFacts, found: KernelSymbol, number: int
) -> Iterator[Finding]:
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
    if theirs == found.crc:
        return
    if theirs is None:
        text = f"{module.log_name}: no symbol version for {found.name}"
        evidence = f"the module has CRCs, but none of {found.name}"
    else:
        text = f"{module.log_name}: disagrees about version of symbol {found.name}"
        evidence = (
            f"{found.name}: the module was built for CRC {theirs:#010x}, "
            f"{found.owner or 'the kernel'} has {found.crc:#010x}"
        )
    yield _refusal(
        "crc", text, number, level=4, evidence=evidence, remedy="build it against this kernel"
    )


def _namespace(
    module: ModuleFacts, _kernel: KernelFacts, found: KernelSymbol, _progress: _Progress
) -> Iterator[Finding]:
    if found.namespace and found.namespace not in module.namespaces:
        text = (
            f"{module.name}: module uses symbol ({found.name}) from namespace {found.namespace}, "
            "but does not import it."
        )
        remedy = f"add MODULE_IMPORT_NS({found.namespace}) to its source"
        yield _refusal("namespace", text, errno.EINVAL, remedy=remedy)


def _owner_state(
    module: ModuleFacts, _kernel: KernelFacts, found: KernelSymbol, _progress: _Progress
) -> Iterator[Finding]:
    if found.owner_state == "going":
        yield Finding(
            check="unknown-symbol",
            errno=errno.ENOENT,
            evidence=f"{found.owner}, which exports {found.name}, is being removed",
        )
    elif found.owner_state == "coming":
        text = f"{module.name}: gave up waiting for init of module {found.owner}."
        evidence = (
            f"{found.owner}, which exports {found.name}, is coming: the kernel waits 30 seconds "
            "for its init to end"
        )
        remedy = f"try again when the init of {found.owner} has ended"
        yield _refusal("owner-coming", text, errno.EBUSY, level=4, evidence=evidence, remedy=remedy)


def _refusal(
    check: str,
    text: str,
    number: int,
    *,
    level: int = 3,
    evidence: str = "",
    remedy: str = "",
) -> Finding:
    return Finding(
        check=check,
        errno=number,
        log=(LogLine(level, text),),
        evidence=evidence or text,
        remedy=remedy,
    )
