"""What is known of a kernel when the sandbox boots it: from its tree, and its Module.symvers.

There is no kernel image to look into yet, so what the kernel is like is taken from the modules
that were built for it: their vermagic (the most common one), whether they carry CRCs, and, where
no Module.symvers is found, what they need and none of them exports.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lkm._text import decode
from lkm.elf.constants import EM_X86_64
from lkm.errors import FileError, FormatError, LkmError
from lkm.loader.facts import KernelSymbol
from lkm.loader.symvers import parse_symvers
from lkm.module.facts import Module
from lkm.module.file import decompress
from lkm.module.scan import ScannedModule
from lkm.tree.builtin import read_builtins
from lkm.tree.scan import choose, scan_tree, walk
from lkm.tree.search import SearchRules


@dataclass(frozen=True, slots=True, kw_only=True)
class BootFacts:
    """A kernel as its tree shows it.

    *exports_source* is the file that *symbols* come from, empty where they are assumed. *vermagic*
    is empty where no module states one. *unreadable* counts the module files left out.
    """

    vermagic: str
    machine: int
    is_64bit: bool
    order: str
    modversions: bool
    retpoline: bool
    symbols: tuple[KernelSymbol, ...]
    exports_source: str
    sysfs_names: frozenset[str]
    modules: int
    unreadable: int


def boot_facts(root: str, release: str, directory: str, symvers: str = "") -> BootFacts:
    """Return what the tree at *directory* and the files beside it say about its kernel.

    Every module file is read once. *symvers* names a Module.symvers to use; without it one is
    looked for where builds and distributions leave it. Raises ``FileError`` and ``FormatError``
    for a *symvers* that cannot be read, and for a tree that cannot.
    """
    paths = choose(walk(directory).paths, directory, SearchRules()).values()
    scanned = scan_tree(tuple(paths))
    modules = [module for module in scanned.modules if module.modinfo or module.needs]
    source = symvers or _find_symvers(root, release, directory)
    symbols = _read_symvers(source) if source else _assumed(modules)
    vermagic = _most_common([_value(module, "vermagic") for module in modules])
    machine, is_64bit, order = _processor(modules)
    with_retpoline = sum([bool(_value(module, "retpoline")) for module in modules])
    return BootFacts(
        vermagic=vermagic,
        machine=machine,
        is_64bit=is_64bit,
        order=order,
        modversions="modversions" in vermagic.split(),
        retpoline=2 * with_retpoline > len(modules),
        symbols=tuple(symbols),
        exports_source=source,
        sysfs_names=_sysfs_names(directory),
        modules=len(modules),
        unreadable=len(scanned.modules) - len(modules),
    )


def _value(module: ScannedModule, wanted: str) -> str:
    return next((value for key, value in module.modinfo if key == wanted), "")


def _most_common(values: Sequence[str]) -> str:
    counted = Counter([value for value in values if value])
    return counted.most_common(1)[0][0] if counted else ""


def _processor(modules: Sequence[ScannedModule]) -> tuple[int, bool, str]:
    """Return e_machine, 64 bit or not, and byte order of the first module that can be opened."""
    for module in modules:
        try:
            with Module.open(module.path) as opened:
                return opened.elf.machine, opened.elf.is_64bit, opened.elf.order
        except LkmError:
            continue
    return EM_X86_64, True, "<"


def _assumed(modules: Sequence[ScannedModule]) -> Iterator[KernelSymbol]:
    """Yield what *modules* need and none of them exports, with the CRC that most of them state."""
    exported = {name for module in modules for name in module.exports}
    crcs: dict[str, Counter[int]] = {}
    for module in modules:
        for name, crc in zip(module.needs, module.need_crcs, strict=True):
            if name not in exported:
                counter = crcs.setdefault(name, Counter())
                if crc and crc < 1 << 32:
                    counter[crc] += 1
    for name, counter in sorted(crcs.items()):
        stated = counter.most_common(1)
        yield KernelSymbol(name=name, crc=stated[0][0] if stated else None)


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


def _read_symvers(path: str) -> tuple[KernelSymbol, ...]:
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
