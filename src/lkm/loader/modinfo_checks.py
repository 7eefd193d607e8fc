"""The checks of what a module says of itself in its modinfo: its name, vermagic, licence, taints.

Source: kernel/module/main.c, check_modinfo, early_mod_check and module_augment_kernel_taints;
kernel/module/version.c, same_magic.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from itertools import chain

from lkm.elf.constants import EM_X86_64
from lkm.loader.facts import KernelFacts, ModuleFacts
from lkm.loader.findings import Finding, LogLine, refusal, taint_finding, unforceable
from lkm.loader.signatures.checks import unsigned
from lkm.loader.taint import UNTAINTED, Taint

# It runs proprietary code, but may use GPL-only symbols itself: only the kernel is tainted.
_WRAPPER = "ndiswrapper"


def blacklist(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Look the name up in ``module_blacklist=``: exactly as written, dashes and all."""
    if module.log_name in kernel.blacklist:
        yield Finding(
            check="module-blacklist",
            errno=errno.EPERM,
            log=(LogLine(3, f"Module {module.log_name} is blacklisted"),),
            evidence=f"module_blacklist= on the kernel's command line names {module.log_name}",
            remedy=f"boot without {module.log_name} in module_blacklist=",
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
    if ours is None:
        yield Finding(
            check="vermagic",
            evidence=f"whether the kernel's vermagic, which is not known, is '{theirs}'",
            remedy="boot with the kernel's image",
            could_not_tell=True,
        )
        return
    if _same_magic(theirs, ours, has_versions=has_versions):
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


def livepatch(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Refuse a live patch on a kernel that was built without them."""
    if "livepatch" in module.modinfo and not kernel.options.livepatch:
        text = (
            f"{module.name}: module is marked as livepatch module, but livepatch support is "
            "disabled"
        )
        yield refusal("livepatch", text, remedy="boot a kernel with CONFIG_LIVEPATCH")


def source_taints(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Taint by where the module comes from and how it was built."""
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


def content_taints(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Taint by what the module is: a live patch, proprietary, a test."""
    name, modinfo = module.name, module.modinfo
    if "livepatch" in modinfo:
        text = f"{name}: tainting kernel with TAINT_LIVEPATCH"
        yield taint_finding("livepatch", Taint.LIVEPATCH, text, kernel, level=5)
    if not module.free_license:
        text = f"{name}: module license '{module.license}' taints kernel."
        yield taint_finding("license", Taint.PROPRIETARY, text, kernel)
    if "test" in modinfo:
        text = f"{name}: loading test module taints kernel."
        yield taint_finding("test-module", Taint.TEST, text, kernel)


def caught_names(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Taint by the names of modules that once pretended to be free, whatever their licence."""
    yield from _told_again(_caught_names(module), module, kernel)


def taints_at_once(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Taint by all that there is, as EARLY_CHECKS has it: once the name is taken."""
    findings = chain(
        source_taints(module, kernel),
        content_taints(module, kernel),
        unsigned(module, kernel),
        _caught_names(module),
    )
    yield from _told_again(findings, module, kernel)


def _caught_names(module: ModuleFacts) -> Iterator[Finding]:
    if module.caught or module.name == _WRAPPER:
        yield Finding(
            check="license",
            evidence=f"the kernel takes every module named {module.name} for proprietary",
            taint=Taint.PROPRIETARY if module.caught else UNTAINTED,
            kernel_taint=Taint.PROPRIETARY,
        )


def _told_again(
    findings: Iterable[Finding], module: ModuleFacts, kernel: KernelFacts
) -> Iterator[Finding]:
    """Yield *findings*, and a line more where they are the first that give *kernel* taint P."""
    first = False
    for finding in findings:
        first |= bool(finding.kernel_taint & Taint.PROPRIETARY & ~kernel.tainted)
        yield finding
    if first:
        text = f"{module.name}: module license taints kernel."
        yield Finding(check="license", log=(LogLine(4, text),), evidence=text)
