"""The kernel's options for loadable modules, and what each means to whoever uses the kernel.

Source: kernel/module/Kconfig, init/Kconfig, security/lockdown/Kconfig and lib/Kconfig.debug of
Linux 6.1 and 6.12; the sentences are ours.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from lkm.errors import UsageError
from lkm.kernel.image_facts import config_file, find_image, first_bytes, read_kernel_facts
from lkm.vmlinux.answers import CouldNotTell, NotThere
from lkm.vmlinux.config import Config, read_config_file
from lkm.vmlinux.system_map import START_SIZE, is_system_map


@dataclass(frozen=True, slots=True)
class OptionFact:
    """One option. *value* is as in the configuration file; None where it does not name it.

    A configuration leaves out what its kernel does not know or what other options rule out, so
    None means "not set" to whoever uses that kernel. *meaning* is one sentence.
    """

    name: str
    value: str | None
    meaning: str


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What an option means if it is set, and if not.

    One *of_some* kernels only says nothing where the configuration does not name it.
    """

    yes: str
    no: str
    of_some: bool = False


# In the order in which a reader meets them: may modules be loaded, unloaded, which ones fit,
# which are trusted, how they are packed, and what the symbol table shows.
_MEANINGS: Mapping[str, _Meaning] = {
    "MODULES": _Meaning(
        "The kernel takes loadable modules.",
        "The kernel takes no modules: everything is built in, and lsmod and modprobe have no use.",
    ),
    "MODULE_UNLOAD": _Meaning(
        "Modules can be removed again, and the kernel counts who uses each.",
        "A loaded module stays until the next boot, and nobody counts its users.",
    ),
    "MODULE_FORCE_UNLOAD": _Meaning(
        "rmmod -f removes a module that is in use or has no exit: that can crash the kernel.",
        "rmmod -f is no use: a module in use stays.",
    ),
    "MODULE_FORCE_LOAD": _Meaning(
        "modprobe -f loads a module without version information, at the price of a taint.",
        "modprobe -f is no use: what was built for another kernel is refused.",
    ),
    "MODVERSIONS": _Meaning(
        "Each symbol has a CRC of its interface, and a module must state the same one.",
        "Only the version text tells whether a module fits: it must be built for this release.",
    ),
    "BASIC_MODVERSIONS": _Meaning(
        "Modules carry CRCs in the classic table, for names of up to 55 bytes.",
        "Modules need not carry the classic table of CRCs.",
        of_some=True,
    ),
    "EXTENDED_MODVERSIONS": _Meaning(
        "Modules carry CRCs in the newer tables, for names of any length.",
        "Modules carry no CRCs for names longer than 55 bytes.",
        of_some=True,
    ),
    "MODULE_SRCVERSION_ALL": _Meaning(
        "modinfo shows a checksum of the sources (srcversion) for every module.",
        "modinfo shows srcversion only for modules that state a version of their own.",
    ),
    "MODULE_SIG": _Meaning(
        "The kernel looks at signatures: a module without a good one taints it (E).",
        "The kernel does not look at signatures.",
    ),
    "MODULE_SIG_FORCE": _Meaning(
        "Only signed modules load, always.",
        "Unsigned modules load, unless module.sig_enforce=1 or lockdown forbids it.",
    ),
    "MODULE_SIG_ALL": _Meaning(
        "The kernel's build signed all of its own modules.",
        "The kernel's build did not sign its modules; the distributor may have done so later.",
    ),
    "MODULE_SIG_HASH": _Meaning(
        "This digest is used to sign the kernel's own modules.",
        "No digest is chosen, for the build signs no modules.",
        of_some=True,
    ),
    "MODULE_SIG_KEY": _Meaning(
        "The build took its signing key from here.",
        "The build has no key of its own to sign with.",
        of_some=True,
    ),
    "MODULE_COMPRESS_NONE": _Meaning(
        "Module files are installed uncompressed (.ko).",
        "Module files may be installed compressed.",
        of_some=True,
    ),
    "MODULE_COMPRESS": _Meaning(
        "Module files may be installed compressed.",
        "Module files are installed uncompressed, or this kernel names only the format.",
        of_some=True,
    ),
    "MODULE_COMPRESS_GZIP": _Meaning("Module files are .ko.gz.", "Module files are not .ko.gz."),
    "MODULE_COMPRESS_XZ": _Meaning("Module files are .ko.xz.", "Module files are not .ko.xz."),
    "MODULE_COMPRESS_ZSTD": _Meaning("Module files are .ko.zst.", "Module files are not .ko.zst."),
    "MODULE_COMPRESS_ALL": _Meaning(
        "Every module is compressed when it is installed.",
        "Modules are not all compressed when they are installed.",
        of_some=True,
    ),
    "MODULE_DECOMPRESS": _Meaning(
        "The kernel unpacks compressed modules itself, which module signing policies may need.",
        "User space unpacks compressed modules before it hands them to the kernel.",
    ),
    "MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS": _Meaning(
        "A module that uses a namespace without importing it is only warned about.",
        "A module must import the namespaces of the symbols that it uses.",
        of_some=True,
    ),
    "MODULE_ALLOW_BTF_MISMATCH": _Meaning(
        "A module whose type information does not fit loads all the same.",
        "A module whose type information does not fit is refused, where the kernel has such.",
        of_some=True,
    ),
    "MODPROBE_PATH": _Meaning(
        "The kernel runs this program when it wants a module.",
        "The kernel's default, /sbin/modprobe, is run when it wants a module.",
        of_some=True,
    ),
    "TRIM_UNUSED_KSYMS": _Meaning(
        "Only symbols that the kernel's own modules use are exported: others' may not load.",
        "All symbols marked for modules are exported.",
    ),
    "STRICT_MODULE_RWX": _Meaning(
        "A module's code cannot be written and its data cannot be run.",
        "A module's memory is not protected from itself.",
    ),
    "KALLSYMS": _Meaning(
        "/proc/kallsyms lists functions by name: the kernel's, and those of modules it has loaded.",
        "/proc/kallsyms does not exist, and crashes are printed without names.",
    ),
    "KALLSYMS_ALL": _Meaning(
        "/proc/kallsyms lists variables as well.",
        "/proc/kallsyms lists functions only.",
    ),
    "KALLSYMS_ABSOLUTE_PERCPU": _Meaning(
        "Per-CPU variables stand in the symbol table as offsets.",
        "Per-CPU variables stand in the symbol table as addresses.",
        of_some=True,
    ),
    "SECURITY_LOCKDOWN_LSM": _Meaning(
        "Lockdown is there; once on, unsigned modules are refused, also to root.",
        "There is no lockdown.",
    ),
    "SECURITY_LOCKDOWN_LSM_EARLY": _Meaning(
        "Lockdown may be on from the first moment of the boot.",
        "Lockdown is not there at the first moment of the boot.",
        of_some=True,
    ),
    "LOCK_DOWN_KERNEL_FORCE_NONE": _Meaning(
        "Lockdown is off until Secure Boot, the command line or root turns it on.",
        "Lockdown is not left off: another of these options forces it on from the start.",
        of_some=True,
    ),
    "LOCK_DOWN_KERNEL_FORCE_INTEGRITY": _Meaning(
        "Lockdown is always on: unsigned modules are refused.",
        "Lockdown is not always on.",
        of_some=True,
    ),
    "LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY": _Meaning(
        "Lockdown is always on, and hides kernel memory as well.",
        "Lockdown does not always hide kernel memory.",
        of_some=True,
    ),
    "LOCK_DOWN_IN_EFI_SECURE_BOOT": _Meaning(
        "Lockdown goes on by itself where the machine boots with Secure Boot.",
        "Secure Boot alone does not turn lockdown on.",
        of_some=True,
    ),
}


def module_options(config: Mapping[str, str]) -> tuple[OptionFact, ...]:
    """Return the options for loadable modules, in reading order.

    *config* maps options, with their ``CONFIG_``, to values as ``vmlinux.config`` reads them; what
    is "not set" may be ``n`` or missing. Of a kernel without modules there is only to say that it
    has none, and what its symbol table shows.
    """
    facts = []
    has_modules = config.get("CONFIG_MODULES") == "y"
    for name, meaning in _MEANINGS.items():
        if not has_modules and name != "MODULES" and not name.startswith("KALLSYMS"):
            continue
        value = config.get(f"CONFIG_{name}")
        if value is None and meaning.of_some:
            continue
        is_set = value not in (None, "n", "")
        facts.append(OptionFact(name, value, meaning.yes if is_set else meaning.no))
    return tuple(facts)


@dataclass(frozen=True, slots=True)
class FoundConfig:
    """A kernel's configuration, and the file it was read from."""

    config: Config
    source: str


def find_config(
    root: str, release: str, directory: str, *, image: str = "", running: bool = False
) -> FoundConfig | CouldNotTell:
    """Return the configuration of the kernel *release* under *root*.

    An *image* that was named (saved facts are as good) is asked first, then the file beside it.
    Then come ``/proc/config.gz`` where that kernel is *running*, the text files that distributions
    leave in ``/boot`` and in the tree at *directory*, and the installed image. Raises
    ``FileError`` and ``FormatError`` for a file that is there and no good, and ``UsageError`` for
    an image of another release.
    """
    own = _built_in(image, release) if image else None
    if isinstance(own, FoundConfig):
        return own
    if running and not image and os.path.exists("/proc/config.gz"):
        return FoundConfig(read_config_file("/proc/config.gz"), "/proc/config.gz")
    path = config_file(root, release, directory, image=image)
    if path:
        return FoundConfig(read_config_file(path), path)
    if own is None:
        installed = find_image(root, release, directory)
        if not installed:
            return CouldNotTell(f"{release} has neither a configuration file nor an image")
        own = _built_in(installed, release)
    if isinstance(own, FoundConfig):
        return own
    return CouldNotTell(f"{own.why}, and there is no file config-{release}")


def _built_in(image: str, release: str) -> FoundConfig | CouldNotTell:
    """Return the configuration that the kernel at *image* has in it."""
    if is_system_map(first_bytes(image, START_SIZE)):
        return CouldNotTell(f"{image}: a System.map has no configuration in it")
    facts = read_kernel_facts(image)
    if facts.release not in {None, release}:
        raise UsageError(f"{image} is the kernel {facts.release}, not {release}")
    if isinstance(facts.config, CouldNotTell | NotThere):
        return CouldNotTell(f"{image}: {facts.config.why}")
    return FoundConfig(facts.config, image)
