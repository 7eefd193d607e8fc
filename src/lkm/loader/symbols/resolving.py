"""The walk over what a module imports: who is found for each undefined symbol, and what is said.

Later symbols depend on earlier ones: whoever inherits a taint sees no GPL-only symbol any more.
Source: kernel/module/main.c, simplify_symbols, resolve_symbol, find_symbol, inherit_taint.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from lkm.elf.constants import (
    EM_386,
    EM_X86_64,
    SHN_ABS,
    SHN_COMMON,
    SHN_UNDEF,
    STB_WEAK,
)
from lkm.elf.symbols import Symbol
from lkm.loader.facts import KernelFacts, KernelSymbol, ModuleFacts
from lkm.loader.findings import Finding, LogLine, refusal
from lkm.loader.releases import NAMESPACE_STRINGS
from lkm.loader.symbols.assumed import Assumed, is_told
from lkm.loader.symbols.crcs import compare_crc, in_doubt, is_forced, is_in_doubt
from lkm.loader.symbols.reasons import hidden_symbols, unknown_symbols
from lkm.loader.taint import Taint

SHN_LIVEPATCH = 0xFF20
"""Said of a symbol that livepatching looks up."""

AS_THEY_ARE = frozenset({SHN_ABS, SHN_COMMON, SHN_LIVEPATCH})
"""The section indexes of symbols whose values the loader does not change."""

# Assemblers leave it undefined without a use of it, and no kernel exports it.
_MAY_BE_MISSING = "_GLOBAL_OFFSET_TABLE_"
_LEAVES_IT = frozenset({EM_386, EM_X86_64})


@dataclass(frozen=True, slots=True)
class Resolution:
    """What came of the walk: *found* maps a symbol's index to who exports it; *findings* in order.

    What was refused, and weak ones that nobody exports, are not in *found*.
    """

    found: Mapping[int, KernelSymbol]
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class _Progress:
    """What the walk over the symbols has come to."""

    proprietary: bool
    forced: bool
    uses_gpl_only: bool = False
    found: dict[int, KernelSymbol] = field(default_factory=dict)
    unknown_crcs: dict[str, None] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    assumed: Assumed = field(default_factory=Assumed)


def resolve(module: ModuleFacts, kernel: KernelFacts) -> Resolution:
    """Look up every undefined symbol, in the order of the symbol table.

    Each failure is a finding of its own, and the walk goes on.
    """
    progress = _Progress(module.proprietary, is_forced(module, kernel))
    findings: list[Finding] = []
    for symbol in module.symbols[1:]:
        if symbol.section_index == SHN_UNDEF:
            findings += _undefined(symbol, module, kernel, progress)
        else:
            findings += _defined(symbol, module)
    _tell_of_all(findings, module, kernel, progress)
    if progress.unknown_crcs:
        # Before the refusals: the last finding that refuses is the answer.
        findings.insert(0, in_doubt(tuple(progress.unknown_crcs)))
    findings[:0] = progress.assumed.findings()
    return Resolution(progress.found, tuple(findings))


def _defined(symbol: Symbol, module: ModuleFacts) -> Iterator[Finding]:
    where, most = symbol.section_index, len(module.sections) - 1
    if where == SHN_COMMON and not symbol.name.startswith("__gnu_lto"):
        text = f"{module.name}: please compile with -fno-common"
        yield refusal("common-symbol", text, level=4, remedy="")
    elif where > most and where not in AS_THEY_ARE:
        text = (
            f"{module.name}: Symbol {symbol.name} has an invalid section index {where} (max {most})"
        )
        yield refusal("elf", text)


def _undefined(
    symbol: Symbol, module: ModuleFacts, kernel: KernelFacts, progress: _Progress
) -> Iterator[Finding]:
    found = _visible(symbol.name, kernel, proprietary=progress.proprietary)
    if found is None:
        if symbol.bind == STB_WEAK or _may_be_missing(symbol, kernel):
            return
        if is_told(symbol.name, kernel):
            yield _unknown(symbol.name, module, kernel, progress)
        else:
            progress.assumed.missing[symbol.name] = None
        return
    if kernel.exports_assumed and not found.owner:
        # A weak symbol that is hidden refuses nothing.
        if progress.proprietary and symbol.bind != STB_WEAK:
            progress.assumed.maybe_gpl_only[symbol.name] = None
        progress.assumed.used = True
    progress.uses_gpl_only |= found.gpl_only
    for finding in _checked(module, kernel, found, progress):
        refused = finding.errno
        if not refused:
            yield finding
            continue
        # ENOENT of a weak symbol is as if it were not there; any other errno is not.
        if refused == errno.ENOENT and symbol.bind == STB_WEAK:
            yield Finding(check=finding.check, log=finding.log, evidence=finding.evidence)
            return
        line = LogLine(4, f"{module.name}: Unknown symbol {symbol.name} (err {-refused})")
        yield replace(finding, log=(*finding.log, line))
        return
    progress.found[symbol.index] = found


def _may_be_missing(symbol: Symbol, kernel: KernelFacts) -> bool:
    return symbol.name == _MAY_BE_MISSING and kernel.machine in _LEAVES_IT


def _visible(name: str, kernel: KernelFacts, *, proprietary: bool) -> KernelSymbol | None:
    """Return the exporter that the kernel finds: GPL-only is invisible to the proprietary."""
    for candidate in kernel.symbols.get(name, ()):
        if not (candidate.gpl_only and proprietary):
            return candidate
    return None


def _unknown(name: str, module: ModuleFacts, kernel: KernelFacts, progress: _Progress) -> Finding:
    """Say why *name* is unknown; the last that is said tells of all before it as well."""
    if progress.proprietary and kernel.symbols.get(name, ()):
        progress.hidden.append(name)
        return hidden_symbols((name,), module, kernel)
    progress.missing.append(name)
    return unknown_symbols((name,), module, kernel)


def _tell_of_all(
    findings: list[Finding], module: ModuleFacts, kernel: KernelFacts, progress: _Progress
) -> None:
    """Have the last of *findings* that refuses tell of all the symbols that its check refused."""
    for at in range(len(findings) - 1, -1, -1):
        if findings[at].refuses:
            for names, tell in (
                (progress.missing, unknown_symbols),
                (progress.hidden, hidden_symbols),
            ):
                if names and findings[at] == tell(names[-1:], module, kernel):
                    findings[at] = tell(names, module, kernel)
            return


def _checked(
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
        yield refusal("inherit-taint", text, errno.ENOENT, remedy="")
        return
    if progress.assumed.used:
        progress.assumed.heirs[found.owner] = None
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
    if is_in_doubt(kernel, found):
        progress.unknown_crcs[found.name] = None
    for finding in compare_crc(module, kernel, found, errno.EINVAL):
        progress.forced = finding.taint == Taint.FORCED
        yield finding


def _namespace(
    module: ModuleFacts, kernel: KernelFacts, found: KernelSymbol, _progress: _Progress
) -> Iterator[Finding]:
    if not found.namespace or found.namespace in module.namespaces:
        return
    text = (
        f"{module.name}: module uses symbol ({found.name}) from namespace {found.namespace}, "
        "but does not import it."
    )
    quote = '"' if kernel.has(NAMESPACE_STRINGS) else ""
    remedy = f"add MODULE_IMPORT_NS({quote}{found.namespace}{quote}) to its source"
    if kernel.options.module_allow_missing_namespace_imports:
        line = LogLine(4, text)
        yield Finding(check="namespace", log=(line,), evidence=text, remedy=remedy)
    else:
        yield refusal("namespace", text, errno.EINVAL, remedy=remedy)


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
            f"{found.owner}, which exports {found.name}, is coming: the kernel waits up to 30 "
            "seconds for its init, goes on where that ends well, and answers EBUSY where it does "
            "not end"
        )
        remedy = f"try again when the init of {found.owner} has ended"
        yield refusal("owner-coming", text, errno.EBUSY, level=4, evidence=evidence, remedy=remedy)
