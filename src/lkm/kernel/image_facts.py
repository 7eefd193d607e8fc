"""What a kernel's image, or the facts saved of one, tell the sandbox that boots it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from lkm.cache import default_cache
from lkm.errors import FileError, FormatError, LkmError, UsageError
from lkm.loader.options import DEBIAN, OPTION_NAMES, KernelOptions
from lkm.tree.installed import kernel_config, kernel_image
from lkm.vmlinux.answers import CouldNotTell, NotThere
from lkm.vmlinux.config import Config, read_config_file
from lkm.vmlinux.facts import VmlinuxFacts, read_facts
from lkm.vmlinux.kallsyms import KernelSymbols
from lkm.vmlinux.saved import load

_SAVED = b"LKMFACTS"
# Types of kallsyms that only data has; without KALLSYMS_ALL there is only code in it.
_DATA_TYPES = frozenset("bBdD")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """A kernel as its image and its configuration show it.

    *path* is the image, or the file of saved facts, empty where there is none that can be read;
    *facts* is None then, and *why* says why. *config_path* is where the configuration comes from,
    empty where it is not known.
    """

    path: str = ""
    facts: VmlinuxFacts | None = None
    why: str = ""
    config_path: str = ""
    config: Config | None = None


def image_facts(root: str, release: str, directory: str, vmlinux: str = "") -> ImageFacts:
    """Return what the image of *release* says, which lies under *root* or is *vmlinux*.

    Raises ``LkmError`` for a *vmlinux* that cannot be read, or is of another release. An image
    that was only found is left out then, and the answer says why.
    """
    base = "" if root == "/" else root
    saved = f"{base}/boot/facts-{release}"
    path = vmlinux or kernel_image(root, release, directory)
    if not path and os.path.isfile(saved):
        path = saved
    facts, why = None, "there is no kernel image beside its modules"
    if path:
        try:
            facts = _read(path, release)
        except LkmError as error:
            if vmlinux:
                raise
            why = str(error)
    found = ImageFacts(path=path, facts=facts) if facts is not None else ImageFacts(why=why)
    return _with_config(found, root, release, directory)


def _read(path: str, release: str) -> VmlinuxFacts:
    facts = read_kernel_facts(path)
    if facts.release not in {None, release}:
        raise UsageError(f"{path} is the kernel {facts.release}, not {release}")
    return facts


def read_kernel_facts(path: str) -> VmlinuxFacts:
    """Return the facts of the kernel image, or those saved, at *path*; an image's are remembered.

    Raises ``FileError``, ``FormatError`` and ``MissingLibraryError``.
    """
    try:
        with open(path, "rb") as file:
            if file.read(len(_SAVED)) == _SAVED:
                return load(_SAVED + file.read())
    except OSError as error:
        raise FileError.from_os("read", path, error) from None
    except FormatError as error:
        raise error.at(path) from None
    return read_facts(path, cache=default_cache())


def _with_config(found: ImageFacts, root: str, release: str, directory: str) -> ImageFacts:
    """Add the configuration: the image's own, else the one that lies beside it."""
    if found.facts is not None:
        config = found.facts.config
        if not isinstance(config, NotThere | CouldNotTell):
            return replace(found, config=config, config_path=found.path)
    path = kernel_config(root, release, directory)
    if not path:
        return found
    try:
        return replace(found, config=read_config_file(path), config_path=path)
    except LkmError:
        return found  # as good as none: what it would tell is assumed, and said to be


def kernel_options(image: ImageFacts, vermagic: str) -> tuple[KernelOptions, frozenset[str]]:
    """Return the kernel's options, and the names of those that nothing tells.

    Without a configuration the vermagic tells whether modules can be removed, and the image's
    symbol table whether there is one and whether data is in it.
    """
    if image.config is not None:
        return KernelOptions.from_config(image.config), frozenset()
    told: dict[str, bool] = {"MODULES": True}  # it has modules
    if vermagic:
        told["MODULE_UNLOAD"] = "mod_unload" in vermagic.split()
    kallsyms = None if image.facts is None else image.facts.kallsyms
    if isinstance(kallsyms, NotThere):
        told |= {"KALLSYMS": False, "KALLSYMS_ALL": False}
    elif isinstance(kallsyms, KernelSymbols):
        told |= {"KALLSYMS": True, "KALLSYMS_ALL": not _DATA_TYPES.isdisjoint(kallsyms.types)}
    values = {name.lower(): value for name, value in told.items()}
    return replace(DEBIAN, **values), frozenset(OPTION_NAMES) - told.keys()


def known_percpu_end(kallsyms: KernelSymbols) -> int | None:
    """Return where the kernel's own per-CPU data ends, None where its symbols do not tell."""
    try:
        return kallsyms.addresses[kallsyms.names.index("__per_cpu_end")]
    except ValueError:
        return None


def is_on(config: Mapping[str, str] | None, *names: str) -> bool | None:
    """Tell whether *config* sets one of the options *names*; None without a configuration."""
    if config is None:
        return None
    return any(config.get(f"CONFIG_{name}") in {"y", "m"} for name in names)
