"""What the checks look at: one module, and the kernel that is to take it, as values.

Neither knows where its facts came from: the kernel's may be those of the sandbox, of a kernel
image, or of a tree whose kernel is guessed from its modules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from lkm.elf.constants import ELFCLASS32, ELFCLASS64, ELFDATA2LSB, ELFDATA2MSB, EM_X86_64
from lkm.elf.file import ElfFile, Section
from lkm.elf.symbols import Symbol
from lkm.loader.options import DEBIAN, KernelOptions
from lkm.loader.releases import Change, Version, parse_version
from lkm.loader.taint import UNTAINTED, Taint
from lkm.module.symbols import Export
from lkm.vmlinux.btf import KernelBtf
from lkm.vmlinux.certificates import Certificate

if TYPE_CHECKING:
    from lkm.loader.memory.placing import Placed

ASKING = "modprobe"
"""The name of the process that asks the kernel, in the lines that have one."""

SHF_ALLOC = 2

# Source: include/linux/module.h, license_is_gpl_compatible. Case matters.
_FREE_LICENSES = frozenset(
    {
        "GPL",
        "GPL v2",
        "GPL and additional rights",
        "Dual BSD/GPL",
        "Dual MIT/GPL",
        "Dual MPL/GPL",
    }
)
# Source: kernel/module/main.c, check_module_license_and_versions.
_CAUGHT = frozenset({"driverloader", "lve"})


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelSymbol:
    """A symbol that a kernel, or a module loaded in it, exports.

    *crc* is None where it has none; with *crc_known* off it has one that nothing tells. *address*
    is None where it is not known. *owner* is a loaded module's name, empty for the kernel itself;
    *owner_taints* and *owner_state* are that module's.
    """

    name: str
    crc: int | None = None
    crc_known: bool = True
    gpl_only: bool = False
    namespace: str = ""
    address: int | None = None
    owner: str = ""
    owner_taints: Taint = UNTAINTED
    owner_state: str = "live"


@dataclass(frozen=True, slots=True)
class Providers:
    """The modules that offer an algorithm: those in the kernel, and those that could be loaded."""

    ready: tuple[str, ...]
    loadable: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelFacts:
    """A kernel as the module loader sees it.

    *vermagic* is None where it is not known: then a check says so. *modversions* tells whether
    it compares CRCs, *retpoline* whether it asks modules to be built with retpolines. *symbols*
    hold at least what the module asked about needs and exports: for each name the exporters in the
    kernel's search order. *loaded* maps names to states. *sysfs_names* are built-in modules with
    a folder of their own in ``/sys/module``. *modules_disabled* keeps all modules out; *nomodule*
    tells whether its command line did that. *tainted* is what the kernel is tainted by so far.
    *struct_module_size* is the size of its struct module in bytes, None where it is not known: then
    a check says so. *certificates* are those that it trusts from the start, None where they are not
    known; *enrolled* are others that it was told to trust. *btf* is what the type information of
    modules goes on from, None where that is not known; *btf_mismatch_told* tells whether it has
    logged, once, that some module's does not fit. *capable* tells whether the asking process has
    CAP_SYS_MODULE, *locked_down* whether the kernel was locked down.

    *areas_taken* are start and size of the pieces of memory that modules have, *percpu_taken* the
    same of per-CPU data, which begins at *percpu_end*, None where that is not known. *exporters*
    tells the modules of its tree that export a symbol, None where no index does. *algorithms*
    tells who offers the crypto API an algorithm, None where nobody knows. Where the kernel's own
    exports are only assumed, *tree_exports* tells whether a module of its tree exports a name;
    where they are known it is None. *asking* is the name of the process that asks it.
    """

    release: str
    machine: int = EM_X86_64
    is_64bit: bool = True
    order: str = "<"
    vermagic: str | None = None
    modversions: bool = False
    retpoline: bool = False
    symbols: Mapping[str, tuple[KernelSymbol, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    loaded: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    sysfs_names: frozenset[str] = frozenset()
    blacklist: frozenset[str] = frozenset()
    modules_disabled: bool = False
    nomodule: bool = False
    signatures_enforced: bool = False
    tainted: Taint = UNTAINTED
    options: KernelOptions = DEBIAN
    struct_module_size: int | None = None
    certificates: tuple[Certificate, ...] | None = None
    enrolled: tuple[Certificate, ...] = ()
    btf: KernelBtf | None = None
    btf_mismatch_told: bool = False
    capable: bool = True
    asking: str = ASKING
    locked_down: bool = False
    areas_taken: tuple[tuple[int, int], ...] = ()
    percpu_taken: tuple[tuple[int, int], ...] = ()
    percpu_end: int | None = None
    tree_exports: Callable[[str], bool] | None = None
    exporters: Callable[[str], tuple[str, ...]] | None = None
    algorithms: Callable[[str], Providers] | None = None

    @property
    def exports_assumed(self) -> bool:
        """Tell whether the kernel's own exports are only what modules of its tree need."""
        return self.tree_exports is not None

    @property
    def version(self) -> Version:
        """Return the numbers that the release begins with, zeros where it has none."""
        return parse_version(self.release)

    def has(self, change: Change) -> bool:
        """Tell whether its release has *change*."""
        return change.in_release(self.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleFacts:
    """A module file as the module loader sees it, once its ELF parts are known to be sound.

    *name* is the one in struct module, which it loads under; *log_name* is the modinfo's, which
    some log lines use. *versions* is None without a ``__versions`` section, or where it is to be
    ignored. *modinfo* holds the first value of each key, *namespaces* every ``import_ns``.
    *params* is what was given at its insert, None for no text at all. *placed* is where it lies in
    that kernel's memory. *init_returns* is what its init function answers, None where nobody has
    said that. *imports* are the exporters of its undefined symbols, by the symbols' indexes: the
    check of the symbols writes them down for those that come after it.
    """

    name: str
    log_name: str
    path: str
    elf: ElfFile
    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]
    string_table: Section
    symbol_table: Section
    modinfo: Mapping[str, str]
    namespaces: frozenset[str]
    exports: tuple[Export, ...]
    versions: Mapping[str, int] | None
    signed: bool
    flags: int
    is_64bit: bool
    params: str | None = ""
    init_returns: int | None = None
    placed: Placed | None = None
    imports: dict[int, KernelSymbol] = field(default_factory=dict, compare=False, repr=False)

    @property
    def license(self) -> str:
        """Return the licence, ``unspecified`` where the modinfo has none, as the kernel does."""
        return self.modinfo.get("license", "unspecified")

    @property
    def free_license(self) -> bool:
        """Tell whether the licence is one that the kernel takes for GPL-compatible."""
        return self.license in _FREE_LICENSES

    @property
    def caught(self) -> bool:
        """Tell whether it has the name of a module that once pretended to be free."""
        return self.name in _CAUGHT

    @property
    def proprietary(self) -> bool:
        """Tell whether it has taint P before its symbols are looked up."""
        return not self.free_license or self.caught

    @property
    def permanent(self) -> bool:
        """Tell whether it cannot be removed: it has an init and no exit function."""
        names = {symbol.name for symbol in self.symbols if symbol.section_index}
        return "init_module" in names and "cleanup_module" not in names


def as_native(data: bytes, kernel: KernelFacts) -> bytes:
    """Return *data* with the class and byte order of *kernel* in its ELF identification.

    The loader does not look at those two bytes: it takes the file for its own kind.
    """
    kind = ELFCLASS64 if kernel.is_64bit else ELFCLASS32
    order = ELFDATA2LSB if kernel.order == "<" else ELFDATA2MSB
    if data[4:6] == bytes((kind, order)):
        return data
    return data[:4] + bytes((kind, order)) + data[6:]


def find_section(elf: ElfFile, name: str) -> Section | None:
    """Return the first section of that name that takes memory, as the loader looks for them."""
    for section in elf.sections[1:]:
        if section.flags & SHF_ALLOC and section.name == name:
            return section
    return None


def allocated(elf: ElfFile, name: str) -> bytes:
    """Return the contents of ``find_section``'s answer, nothing where there is none."""
    section = find_section(elf, name)
    return b"" if section is None else elf.contents(section)
