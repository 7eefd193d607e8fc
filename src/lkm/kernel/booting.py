"""What is known of a kernel when the sandbox boots it: from its image, tree and Module.symvers.

The image tells most: exports, CRCs, kallsyms, vermagic. Where there is none, or it does not tell,
what the kernel is like is taken from the modules that were built for it: their vermagic (the most
common one), whether they carry CRCs, and, where no Module.symvers is found either, what they need
and none of them exports.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from lkm._text import decode
from lkm.elf.constants import EM_X86_64
from lkm.errors import FileError, FormatError, LkmError
from lkm.kernel.image_facts import ImageFacts, image_facts, is_on, kernel_options, known_percpu_end
from lkm.loader.facts import KernelSymbol
from lkm.loader.memory.placing import PERCPU_START, TOLD_MACHINES
from lkm.loader.options import KernelOptions
from lkm.loader.symbols.symvers import parse_symvers
from lkm.module.facts import Module
from lkm.module.file import decompress
from lkm.module.scanned import ScannedModule
from lkm.tree.builtin import read_builtins
from lkm.tree.scan.reading import scan_tree
from lkm.tree.scan.search import SearchRules
from lkm.tree.scan.walking import choose, walk
from lkm.vmlinux.answers import Answer, CouldNotTell, NotThere
from lkm.vmlinux.btf import KernelBtf
from lkm.vmlinux.certificates import Certificate
from lkm.vmlinux.exports import KernelExport
from lkm.vmlinux.kallsyms import KernelSymbols

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class BootFacts:
    """A kernel as its image and its tree show it.

    *image* is the path of the image or of its saved facts, empty where none was read; *notes* say
    what could not be told, and why. *exports_source* is the file that *symbols* come from, empty
    where they are assumed: then *tree_exports* is what the tree's modules export. *vermagic* is
    the image's where *vermagic_told*, else that of most modules, empty where none states one.
    *assumed* are the names of the *options* that nothing tells. *kallsyms* is None where the
    kernel's own symbols are not known, *certificates* where it is not known whom it trusts, *btf*
    where its types are not; *enrolled* it was told to trust. *modules* are as many as the tree
    has, *unreadable* those left out, None where no module had to be read.
    """

    image: str
    banner: str
    notes: tuple[str, ...]
    vermagic: str
    vermagic_told: bool
    machine: int
    is_64bit: bool
    order: str
    modversions: bool
    retpoline: bool
    options: KernelOptions
    assumed: frozenset[str]
    config_source: str
    struct_module_size: int | None
    kallsyms: KernelSymbols | None
    percpu_end: int
    symbols: tuple[KernelSymbol, ...]
    exports_source: str
    tree_exports: frozenset[str]
    certificates: tuple[Certificate, ...] | None
    enrolled: tuple[Certificate, ...] = ()
    btf: KernelBtf | None
    sysfs_names: frozenset[str]
    modules: int
    unreadable: int | None


def boot_facts(
    root: str, release: str, directory: str, *, symvers: str = "", vmlinux: str = ""
) -> BootFacts:
    """Return what the kernel's image, the tree at *directory* and the files beside it say.

    The module files are read only for what nothing else tells, each once. *symvers* names a
    Module.symvers to use; without it, and without an image that tells the exports, one is looked
    for where builds and distributions leave it. *vmlinux* names the image, or saved facts. Raises
    ``FileError``, ``FormatError`` and ``UsageError`` for one of these that cannot be used, and for
    a tree that cannot be read.
    """
    image = image_facts(root, release, directory, vmlinux)
    told = _Told(image)
    retpoline = is_on(image.config, "RETPOLINE", "MITIGATION_RETPOLINE")
    if not symvers and told.exports is None:
        symvers = _find_symvers(root, release, directory)
    tree = _Tree(directory)
    vermagic = told.vermagic if told.vermagic is not None else tree.vermagic()
    options, assumed = kernel_options(image, vermagic)
    machine, is_64bit, order = told.processor or tree.processor()
    modversions = is_on(image.config, "MODVERSIONS")
    kallsyms = told.kallsyms if options.kallsyms else None
    percpu_end = known_percpu_end(kallsyms) if kallsyms is not None else None
    exports_source = symvers or (told.path if told.exports is not None else "")
    return BootFacts(
        image=image.path,
        banner=image.facts.banner or "" if image.facts else "",
        notes=(*told.notes, *_unknown_places(machine)),
        vermagic=vermagic,
        vermagic_told=told.vermagic is not None,
        machine=machine,
        is_64bit=is_64bit,
        order=order,
        modversions="modversions" in vermagic.split() if modversions is None else modversions,
        retpoline=tree.has_retpolines() if retpoline is None else retpoline,
        options=options,
        assumed=assumed,
        config_source=image.config_path,
        struct_module_size=told.struct_module_size,
        kallsyms=kallsyms,
        percpu_end=PERCPU_START if percpu_end is None else percpu_end,
        symbols=tuple(_symbols(told, symvers, tree)),
        exports_source=exports_source,
        tree_exports=frozenset() if exports_source else tree.exported,
        certificates=told.certificates,
        btf=told.btf,
        sysfs_names=_sysfs_names(directory),
        modules=tree.module_count,
        unreadable=tree.unreadable,
    )


def _unknown_places(machine: int) -> tuple[str, ...]:
    """Return what is to be said of the addresses of modules on *machine*."""
    if machine in TOLD_MACHINES:
        return ()
    note = "addresses of modules: where a kernel of this machine puts the first one differs"
    return (f"{note} from kernel to kernel; sizes and distances hold",)


class _Tree:
    """The modules of a tree, each read once, and only if one of them is asked for something."""

    def __init__(self, directory: str) -> None:
        self._paths = tuple(choose(walk(directory).paths, directory, SearchRules()).values())

    @cached_property
    def modules(self) -> tuple[ScannedModule, ...]:
        """Those that could be read."""
        scanned = scan_tree(self._paths, with_crcs=True).modules
        return tuple([module for module in scanned if module.modinfo_bytes or module.need_names])

    @cached_property
    def exported(self) -> frozenset[str]:
        """What they export."""
        return frozenset([name for module in self.modules for name in module.exports])

    @property
    def unreadable(self) -> int | None:
        """How many could not be read; None where none had to be."""
        return len(self._paths) - len(self.modules) if "modules" in self.__dict__ else None

    @property
    def module_count(self) -> int:
        """How many there are, those not counted that proved to be unreadable."""
        return len(self._paths) - (self.unreadable or 0)

    def vermagic(self) -> str:
        """Return the most common one, empty where no module states one."""
        counted = Counter([_value(module, "vermagic") for module in self.modules])
        counted.pop("", None)
        return counted.most_common(1)[0][0] if counted else ""

    def has_retpolines(self) -> bool:
        """Tell whether most modules were built with them."""
        return 2 * sum([bool(_value(each, "retpoline")) for each in self.modules]) > len(
            self.modules
        )

    def processor(self) -> tuple[int, bool, str]:
        """Return e_machine, 64 bit or not, and byte order of the first that can be opened."""
        for module in self.modules:
            try:
                with Module.open(module.path) as opened:
                    return opened.elf.machine, opened.elf.is_64bit, opened.elf.order
            except LkmError:
                continue
        return EM_X86_64, True, "<"

    def assumed_exports(self) -> Iterator[KernelSymbol]:
        """Yield what modules need and none exports, with the CRC that most of them state."""
        crcs: dict[str, Counter[int]] = {}
        for module in self.modules:
            for name, crc in zip(module.needs, module.need_crcs, strict=True):
                if name not in self.exported:
                    counter = crcs.setdefault(name, Counter())
                    if crc and crc < 1 << 32:
                        counter[crc] += 1
        for name, counter in sorted(crcs.items()):
            stated = counter.most_common(1)
            if stated:
                yield KernelSymbol(name=name, crc=stated[0][0])
            else:
                yield KernelSymbol(name=name, crc_known=False)


class _Told:
    """What the image tells, as values or None, with a note for each thing that it does not."""

    def __init__(self, image: ImageFacts) -> None:
        self.notes: list[str] = []
        self.path = image.path
        self.vermagic: str | None = None
        self.exports: tuple[KernelExport, ...] | None = None
        self.kallsyms: KernelSymbols | None = None
        self.struct_module_size: int | None = None
        self.certificates: tuple[Certificate, ...] | None = None
        self.btf: KernelBtf | None = None
        self.processor: tuple[int, bool, str] | None = None
        facts = image.facts
        if facts is None:
            self.notes.append(f"image: {image.why}")
            return
        self.vermagic = self._known("vermagic", facts.vermagic)
        self.exports = self._known("exports", facts.exports)
        self.kallsyms = self._known("kallsyms", facts.kallsyms)
        self.struct_module_size = self._known("size of struct module", facts.struct_module_size)
        self.certificates = self._known("certificates", facts.certificates)
        if isinstance(facts.btf, KernelBtf):  # else the size of struct module has a note
            self.btf = facts.btf
        if facts.machine is not None:
            self.processor = facts.machine, facts.is_64bit, facts.order

    def _known(self, what: str, answer: Answer[T]) -> T | None:
        if isinstance(answer, NotThere):
            self.notes.append(f"{what}: none: {answer.why}")
            return None
        if isinstance(answer, CouldNotTell):
            self.notes.append(f"{what}: {answer}")
            return None
        return answer


def _symbols(told: _Told, symvers: str, tree: _Tree) -> Iterable[KernelSymbol]:
    if symvers:
        return read_symvers(symvers)
    return tree.assumed_exports() if told.exports is None else _exported(told.exports)


def _exported(exports: Iterable[KernelExport]) -> Iterator[KernelSymbol]:
    for export in exports:
        yield KernelSymbol(
            name=export.name,
            crc=export.crc,
            gpl_only=export.gpl_only,
            namespace=export.namespace,
            address=export.address,
        )


def _value(module: ScannedModule, wanted: str) -> str:
    return next(iter(module.values(wanted)), "")


def _find_symvers(root: str, release: str, directory: str) -> str:
    base = root.rstrip("/")
    candidates = [f"{base}/usr/src/linux-headers-{release}/Module.symvers"]
    build = f"{directory}/build"
    if os.path.islink(build):
        # The link was made to be followed inside its own root.
        target = os.readlink(build)
        inside = base + target if target.startswith("/") else f"{directory}/{target}"
        candidates.append(f"{inside}/Module.symvers")
    candidates += [f"{directory}/Module.symvers"]
    candidates += [f"{directory}/symvers{suffix}" for suffix in (".gz", ".xz", ".zst")]
    candidates += [f"{base}/boot/symvers-{release}{suffix}" for suffix in (".gz", ".xz", ".zst")]
    return next((path for path in candidates if os.path.isfile(path)), "")


def read_symvers(path: str) -> tuple[KernelSymbol, ...]:
    """Return the exports in the Module.symvers at *path*. Raises ``FileError``, ``FormatError``."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise FileError.from_os("read", path, error) from None
    try:
        return parse_symvers(decode(decompress(data)[1]))
    except FormatError as error:
        raise error.at(path) from None


def _sysfs_names(directory: str) -> frozenset[str]:
    """Return the built-in modules that have a folder in ``/sys/module``.

    Those are the ones with a parameter or a version. (A parameter that nobody may read makes
    none; modules.builtin.modinfo does not tell.)
    """
    return frozenset(
        [
            builtin.name
            for builtin in read_builtins(directory)
            if any(key in {"parmtype", "version"} for key, _value in builtin.modinfo)
        ]
    )
