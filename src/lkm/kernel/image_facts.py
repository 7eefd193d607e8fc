"""What a kernel's image, or the facts saved of one, tell, and where these and its files lie."""

from __future__ import annotations

import os
import stat
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
from lkm.vmlinux.saved import load, save
from lkm.vmlinux.system_map import START_SIZE, is_system_map, release_of_system_map

_SAVED = b"LKMFACTS"
# As a tree, or a build, names its image; beside it the configuration has no release in its name.
_NAMES_IN_A_TREE = ("vmlinuz", "vmlinux")
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
    path = vmlinux or find_image(root, release, directory)
    facts, why = None, "there is no kernel image beside its modules"
    if path:
        try:
            facts = _read(path, release)
        except LkmError as error:
            if vmlinux:
                raise
            why = str(error)
    found = ImageFacts(path=path, facts=facts) if facts is not None else ImageFacts(why=why)
    return _with_config(found, config_file(root, release, directory, image=vmlinux))


def find_image(root: str, release: str, directory: str) -> str:
    """Return the path of the installed image of *release*, or of facts that were saved of it.

    Empty where there is neither. *directory* is its tree, empty where it has none.
    """
    saved = f"{'' if root == '/' else root}/boot/facts-{release}"
    return kernel_image(root, release, directory) or (saved if os.path.isfile(saved) else "")


def config_file(root: str, release: str, directory: str, *, image: str = "") -> str:
    """Return the path of the configuration of *release*, empty where there is none.

    The one beside an *image* that was named goes before those under *root* and in *directory*.
    """
    if image:
        folder, _slash, name = os.path.abspath(image).rpartition("/")
        names = [f"config-{release}"]
        if name in _NAMES_IN_A_TREE:
            names.append("config")
        for beside in names:
            if os.path.isfile(f"{folder}/{beside}"):
                return f"{folder}/{beside}"
    return kernel_config(root, release, directory)


def release_of(path: str) -> str:
    """Return the release that the image, the saved facts or the System.map at *path* is of.

    A System.map has it in its name only. Empty where nothing tells it. Raises what
    ``read_kernel_facts`` raises.
    """
    if is_system_map(first_bytes(path, START_SIZE)):
        return release_of_system_map(path)
    return read_kernel_facts(path).release or ""


def first_bytes(path: str, size: int) -> bytes:
    """Return the first *size* bytes of the file at *path*, fewer where it has no more.

    Raises ``FileError``, and ``FormatError`` for a device or a pipe, which is not waited for.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise FormatError("kernel image", "not a regular file", path=path, remedy="")
            return os.read(descriptor, size)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise FileError.from_os("read", path, error) from None


def _read(path: str, release: str) -> VmlinuxFacts:
    facts = read_kernel_facts(path)
    if facts.release not in {None, release}:
        raise UsageError(f"{path} is the kernel {facts.release}, not {release}")
    return facts


def read_kernel_facts(path: str) -> VmlinuxFacts:
    """Return the facts of the kernel image, or those saved, at *path*; an image's are remembered.

    Raises ``FileError``, ``FormatError`` and ``MissingLibraryError``.
    """
    if first_bytes(path, len(_SAVED)) != _SAVED:
        return read_facts(path, cache=default_cache())
    try:
        with open(path, "rb") as file:
            return load(file.read())
    except OSError as error:
        raise FileError.from_os("read", path, error) from None
    except FormatError as error:
        raise error.at(path) from None


def write_facts(facts: VmlinuxFacts, path: str) -> None:
    """Save *facts* at *path*, a file that then stands in for the image wherever one is named.

    The file is replaced as a whole or not at all. Raises ``FileError``.
    """
    partial = f"{path}.{os.getpid()}.partial"
    try:
        with open(partial, "wb") as file:
            file.write(save(facts))
        os.replace(partial, path)
    except OSError as error:
        if os.path.lexists(partial):
            os.unlink(partial)
        raise FileError.from_os("write", path, error) from None


def _with_config(found: ImageFacts, path: str) -> ImageFacts:
    """Add the configuration: the image's own, else that of the file at *path*, if there is one."""
    if found.facts is not None:
        config = found.facts.config
        if not isinstance(config, NotThere | CouldNotTell):
            return replace(found, config=config, config_path=found.path)
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
