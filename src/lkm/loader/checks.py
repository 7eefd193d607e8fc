"""The loader's checks of a module against a kernel, in the kernel's order.

``checks_of`` is that order for a release; ``examine`` goes through it. A refusal ends the kernel's
walk after the check that refuses: of several unknown symbols each is logged, and the last one's
errno is the answer.

Source: kernel/module/main.c, load_module and what it calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from lkm._text import decode, encode
from lkm.errors import FormatError
from lkm.loader.btf.checks import btf
from lkm.loader.facts import KernelFacts, ModuleFacts
from lkm.loader.file import entry_checks
from lkm.loader.file.decompression import decompression
from lkm.loader.file.elf_checks import elf_checks
from lkm.loader.file.given import GivenFile
from lkm.loader.file.module_facts import module_facts
from lkm.loader.file.section_checks import found_sections
from lkm.loader.findings import Finding, LogLine, blind
from lkm.loader.init.checks import init
from lkm.loader.memory.checks import memory, name_free, percpu_memory, struct_size, writable_code
from lkm.loader.memory.placing import place
from lkm.loader.modinfo_checks import (
    blacklist,
    caught_names,
    content_taints,
    livepatch,
    source_taints,
    taints_at_once,
    vermagic,
)
from lkm.loader.parameters.checks import arguments, parameters, sysfs_name
from lkm.loader.releases import EARLY_CHECKS, LONG_LINES, was_read
from lkm.loader.relocations.arm64_plts import jump_tables
from lkm.loader.relocations.checks import relocations
from lkm.loader.signatures.checks import signature, unsigned
from lkm.loader.symbols.checks import duplicate_exports, linked_owners, symbols
from lkm.loader.symbols.crcs import exports_without_crcs, module_layout
from lkm.loader.taint import UNTAINTED, Taint, ends_lock_debugging
from lkm.module.file import ModuleImage

FileCheck = Callable[[GivenFile], Iterator[Finding]]
Check = Callable[[ModuleFacts, KernelFacts], Iterator[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the checks came to.

    *findings* are all that were made, in order. *errno* is the kernel's answer, 0 if the module
    loads. *log* is what the kernel logs up to its answer, *tainted* its taints then. *taints* are
    the module's own. *owners* are the loaded modules that it uses, in the order of first use.
    *module* is None for a file that is no module at all.
    """

    findings: tuple[Finding, ...]
    errno: int
    log: tuple[LogLine, ...]
    tainted: Taint
    taints: Taint = UNTAINTED
    owners: tuple[str, ...] = ()
    module: ModuleFacts | None = None

    @property
    def refusal(self) -> Finding | None:
        """Return the finding whose errno the kernel answers, None if the module loads."""
        refusing = [finding for finding in self.findings if finding.refuses]
        return refusing[-1] if refusing else None

    @property
    def doubts(self) -> tuple[Finding, ...]:
        """Return the findings of checks that could not tell."""
        return tuple([finding for finding in self.findings if finding.could_not_tell])


def examine(
    image: ModuleImage,
    kernel: KernelFacts,
    *,
    flags: int = 0,
    params: str | None = "",
    init_returns: int | None = None,
) -> Verdict:
    """Go through the checks as *kernel* would when asked to load *image*; stop where it stops.

    *flags* are finit_module's: 1 ignores CRCs, 2 the vermagic, 4 says that the file is compressed.
    *params* are the parameters given, None for a null pointer. *init_returns* is what the module's
    init function answers, None where nobody has said that.
    """
    walk = _Walk(kernel)
    given = GivenFile.of(image, kernel, flags)
    if walk.refused_by(file_findings(given)):
        return walk.verdict(None)
    try:
        module = module_facts(image.path, given, params, init_returns)
        module = replace(module, placed=place(module, kernel))
    except FormatError as error:
        walk.refused_by(iter([blind(error)]))
        return walk.verdict(None)
    for check_module in checks_of(kernel):
        if walk.refused_by(check_module(module, walk.kernel)):
            return walk.verdict(module)
    return walk.verdict(module, linked_owners(module))


def file_findings(given: GivenFile) -> Iterator[Finding]:
    """Yield what the kernel finds in the file before it knows a module, up to the first refusal.

    What *given* is wrapped in is taken off on the way.
    """
    for check in (*_FILE_CHECKS, *elf_checks(given)):
        for finding in check(given):
            yield finding
            if finding.refuses:
                return


class _Walk:
    """The way through the checks: what was found, and the kernel as it is tainted by then."""

    def __init__(self, kernel: KernelFacts) -> None:
        self.kernel = kernel
        self.findings: list[Finding] = []
        self.log: list[LogLine] = []
        self.taints = UNTAINTED
        self.answer = 0

    def refused_by(self, findings: Iterator[Finding]) -> bool:
        for finding in findings:
            self.findings.append(finding)
            self.log += [self._as_logged(line) for line in finding.log]
            self.taints |= finding.taint
            self.answer = finding.errno or self.answer
            if finding.kernel_taint:
                if ends_lock_debugging(finding.kernel_taint, self.kernel.tainted):
                    self.log.append(LogLine(4, "Disabling lock debugging due to kernel taint"))
                tainted = self.kernel.tainted | finding.kernel_taint
                self.kernel = replace(self.kernel, tainted=tainted)
        return self.answer != 0

    def _as_logged(self, line: LogLine) -> LogLine:
        """Return *line* as far as the kernel's log has room for it."""
        most = 1021 if self.kernel.has(LONG_LINES) else 989
        data = encode(line.text)
        return line if len(data) <= most else LogLine(line.level, decode(data[:most]))

    def verdict(self, module: ModuleFacts | None, owners: tuple[str, ...] = ()) -> Verdict:
        return Verdict(
            findings=tuple(self.findings),
            errno=self.answer,
            log=tuple(self.log),
            tainted=self.kernel.tainted,
            taints=self.taints,
            owners=owners,
            module=module,
        )


def release(_module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Say it once where *kernel* is of a release whose rules were not read."""
    if not was_read(kernel.version):
        yield Finding(
            check="release",
            evidence=(
                f"the rules of this release ({kernel.release}) were not read: it is taken for the "
                "one nearest to it"
            ),
            could_not_tell=True,
        )


def checks_of(kernel: KernelFacts) -> tuple[Check, ...]:
    """Return the checks of a module's parts that *kernel* makes, in its order."""
    return _EARLY if kernel.has(EARLY_CHECKS) else _LATE


_FILE_CHECKS: tuple[FileCheck, ...] = (
    entry_checks.supported,
    entry_checks.permitted,
    entry_checks.flags,
    entry_checks.length,
    decompression,
    signature,
)

_LINKING: tuple[Check, ...] = (
    exports_without_crcs,
    symbols,
    relocations,
    arguments,
    duplicate_exports,
    btf,
    parameters,
    sysfs_name,
    init,
)
_LATE: tuple[Check, ...] = (
    release,
    blacklist,
    module_layout,
    vermagic,
    source_taints,
    livepatch,
    content_taints,
    jump_tables,
    writable_code,
    memory,
    struct_size,
    name_free,
    unsigned,
    percpu_memory,
    found_sections,
    caught_names,
    *_LINKING,
)
_EARLY: tuple[Check, ...] = (
    release,
    blacklist,
    module_layout,
    vermagic,
    livepatch,
    name_free,
    jump_tables,
    writable_code,
    memory,
    taints_at_once,
    percpu_memory,
    found_sections,
    *_LINKING,
)
