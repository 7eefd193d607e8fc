"""The loader's checks of a module against a kernel, in the kernel's order.

``CHECKS`` is that order, as Linux 6.1 has it; ``examine`` goes through it. A refusal ends the
kernel's walk after the check that refuses: of several unknown symbols each is logged, and the last
one's errno is the answer.

A signature is taken for good where one is appended: verifying it needs the kernel's certificates.
Not looked at yet: capabilities and lockdown, relocations, BTF.
Source: kernel/module/main.c, load_module and what it calls; kernel/module/version.c.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from lkm.elf.constants import EM_X86_64, SHF_EXECINSTR, SHF_WRITE
from lkm.errors import FormatError
from lkm.loader.elf_checks import STRUCT_CHECKED, THIS_MODULE, elf_findings, struct_differs
from lkm.loader.facts import KernelFacts, ModuleFacts, find_section, module_facts
from lkm.loader.findings import Finding, LogLine, unforceable
from lkm.loader.parameter_values import Setting, set_parameters
from lkm.loader.parameters import declared_parameters
from lkm.loader.symbol_checks import duplicate_exports, linked_owners, module_layout, symbols
from lkm.loader.taint import UNTAINTED, Taint, ends_lock_debugging
from lkm.module.file import ModuleImage

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


def examine(
    image: ModuleImage, kernel: KernelFacts, *, flags: int = 0, params: str = ""
) -> Verdict:
    """Go through the checks as *kernel* would when asked to load *image*; stop where it stops.

    *flags* are finit_module's: 1 ignores CRCs, 2 the vermagic. *params* are the parameters given.
    """
    walk = _Walk(kernel)
    if walk.refused_by(elf_findings(image, kernel, flags)):
        return walk.verdict(None)
    try:
        module = module_facts(image, kernel, flags, params)
    except FormatError as error:
        walk.refused_by(iter([Finding(check="elf", errno=errno.ENOEXEC, evidence=str(error))]))
        return walk.verdict(None)
    for check in CHECKS:
        if walk.refused_by(check(module, walk.kernel)):
            return walk.verdict(module)
    return walk.verdict(module, linked_owners(module, kernel))


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
            self.log += finding.log
            self.taints |= finding.taint
            self.answer = finding.errno or self.answer
            if finding.kernel_taint:
                if ends_lock_debugging(finding.kernel_taint, self.kernel.tainted):
                    self.log.append(LogLine(4, "Disabling lock debugging due to kernel taint"))
                tainted = self.kernel.tainted | finding.kernel_taint
                self.kernel = replace(self.kernel, tainted=tainted)
        return self.answer != 0

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


def blacklist(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Look the name up in ``module_blacklist=``: exactly as written, dashes and all."""
    if module.log_name in kernel.blacklist:
        yield Finding(
            check="module-blacklist",
            errno=errno.EPERM,
            log=(LogLine(3, f"Module {module.log_name} is blacklisted"),),
            evidence=f"module_blacklist= on the kernel's command line names {module.log_name}",
            remedy="boot without it in module_blacklist=",
        )


def vermagic(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Compare the vermagic; where CRCs are compared the release in it is not."""
    theirs = None if module.flags & 2 else module.modinfo.get("vermagic")
    if theirs is None and not kernel.options.module_force_load:
        yield unforceable("vermagic", "it has no vermagic to compare, or is told to ignore it")
        return
    if theirs is None:
        yield taint_finding(
            "vermagic", Taint.FORCED, f"{module.name}: bad vermagic: kernel tainted.", kernel
        )
        return
    ours = kernel.vermagic
    has_versions = kernel.modversions and module.versions is not None
    if ours is None or _same_magic(theirs, ours, has_versions=has_versions):
        return
    text = f"{module.log_name}: version magic '{theirs}' should be '{ours}'"
    yield Finding(
        check="vermagic",
        errno=errno.ENOEXEC,
        log=(LogLine(3, text),),
        evidence=f"the module was built for '{theirs}', the kernel is '{ours}'",
        remedy="take the module file built for exactly this kernel, or build it against it",
    )


def _same_magic(theirs: str, ours: str, *, has_versions: bool) -> bool:
    if has_versions:
        theirs, ours = theirs.partition(" ")[2], ours.partition(" ")[2]
    return theirs == ours


def modinfo_taints(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Taint by what the modinfo says, and by what it does not say."""
    name, modinfo = module.name, module.modinfo
    if "intree" not in modinfo:
        text = f"{name}: loading out-of-tree module taints kernel."
        yield taint_finding("out-of-tree", Taint.OUT_OF_TREE, text, kernel)
    if kernel.retpoline and kernel.machine == EM_X86_64 and "retpoline" not in modinfo:
        text = f"{name}: loading module not compiled with retpoline compiler."
        spectre = LogLine(3, "Spectre V2 : System may be vulnerable to spectre v2")
        yield Finding(check="retpoline", log=(spectre, LogLine(4, text)), evidence=text)
    if "staging" in modinfo:
        text = (
            f"{name}: module is from the staging directory, the quality is unknown, you have been "
            "warned."
        )
        yield taint_finding("staging", Taint.STAGING, text, kernel, always=True)
    if "livepatch" in modinfo:
        text = f"{name}: tainting kernel with TAINT_LIVEPATCH"
        yield taint_finding("livepatch", Taint.LIVEPATCH, text, kernel, level=5)
    if module.proprietary:
        text = f"{name}: module license '{module.license}' taints kernel."
        yield taint_finding("license", Taint.PROPRIETARY, text, kernel)
    if "test" in modinfo:
        text = f"{name}: loading test module taints kernel."
        yield taint_finding("test-module", Taint.TEST, text, kernel)


def taint_finding(
    check: str,
    taint: Taint,
    text: str,
    kernel: KernelFacts,
    *,
    level: int = 4,
    always: bool = False,
) -> Finding:
    """Return the finding that taints module and kernel.

    The kernel logs *text* the first time that it gets this taint, or *always*.
    """
    said = always or not kernel.tainted & taint
    return Finding(
        check=check,
        log=(LogLine(level, text),) if said else (),
        evidence=text,
        taint=taint,
        kernel_taint=taint,
    )


def writable_code(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Refuse a section that is both writable and executable (CONFIG_STRICT_MODULE_RWX)."""
    if not kernel.options.strict_module_rwx:
        return
    both = SHF_WRITE | SHF_EXECINSTR
    for section in module.sections:
        if section.flags & both == both:
            text = (
                f"{module.name}: section {section.name} (index {section.index}) has invalid "
                "WRITE|EXEC flags"
            )
            yield Finding(
                check="writable-code",
                errno=errno.ENOEXEC,
                log=(LogLine(3, text),),
                evidence=text,
                remedy="build the module without sections that are writable and executable",
            )
            return


def struct_size(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Refuse what an older kernel would oops on: a struct module of another size than its own."""
    if kernel.version >= STRUCT_CHECKED:
        return  # looked at long before, with a line of the kernel's own
    this_module = find_section(module.elf, THIS_MODULE)
    if this_module is not None and struct_differs(this_module, kernel):
        yield Finding(
            check="struct-size",
            errno=errno.ENOEXEC,
            evidence=(
                f"struct module has {this_module.size} bytes in the file, "
                f"{kernel.struct_module_size} in the kernel; Linux before 6.4 does not look, "
                "takes what lies behind the struct for its part, and oopses: lkm refuses instead"
            ),
            remedy="take the module file built for exactly this kernel; never load this one there",
        )


def name_free(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Refuse a name that a loaded module has: the name in struct module counts."""
    state = kernel.loaded.get(module.name)
    if state is None:
        return
    yield Finding(
        check="already-loaded",
        errno=errno.EEXIST if state == "live" else errno.EBUSY,
        evidence=f"a module named {module.name} is {state}",
        remedy=f"remove {module.name} first, if this file is to replace it",
    )


def unsigned(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Taint by a module without a signature, on a kernel that knows of signatures."""
    if kernel.options.module_sig and not module.signed:
        text = (
            f"{module.name}: module verification failed: signature and/or required key missing - "
            "tainting kernel"
        )
        yield taint_finding("unsigned", Taint.UNSIGNED, text, kernel, level=5)


def exports_without_crcs(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Taint by exports that have no CRC, on a kernel that compares CRCs."""
    if kernel.modversions and any(export.crc is None for export in module.exports):
        if not kernel.options.module_force_load:
            yield unforceable("export-crc", "it exports symbols without CRCs")
            return
        text = f"{module.name}: no versions for exported symbols: kernel tainted."
        yield taint_finding("export-crc", Taint.FORCED, text, kernel)


def parameters(module: ModuleFacts, _kernel: KernelFacts) -> Iterator[Finding]:
    """Set the parameters that were given; what cannot be set refuses the module."""
    try:
        declared = declared_parameters(module)
    except FormatError as error:
        yield Finding(check="elf", errno=errno.ENOEXEC, evidence=str(error))
        return
    yield from set_parameters(module.name, declared, module.params, Setting())


def sysfs_name(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Refuse the name of a built-in that has its own folder in ``/sys/module``."""
    if module.name in kernel.sysfs_names:
        yield Finding(
            check="builtin-name",
            errno=errno.EINVAL,
            log=(LogLine(3, f"{module.name}: module is already loaded"),),
            evidence=f"{module.name} is built into the kernel",
            remedy="it need not be loaded: the kernel has it",
        )


CHECKS: tuple[Check, ...] = (
    blacklist,
    module_layout,
    vermagic,
    modinfo_taints,
    writable_code,
    struct_size,
    name_free,
    unsigned,
    exports_without_crcs,
    symbols,
    duplicate_exports,
    parameters,
    sysfs_name,
)
