"""Put a lab together for one kernel: find out what is missing before anything is started."""

from __future__ import annotations

import os
from dataclasses import dataclass

from lkm.errors import LabError, NoTreeError
from lkm.lab.accelerators import accelerator_for
from lkm.lab.architectures import Architecture
from lkm.lab.contents.copied import files_named
from lkm.lab.contents.modules import (
    check_release,
    modules_asked_for,
    modules_named,
    needed_by_files,
)
from lkm.lab.contents.shell import busybox_here
from lkm.lab.fetch.programs import fetched_busybox
from lkm.lab.guest import Wanted, initramfs, is_foreign, kernel_command_line
from lkm.lab.kernel_images import bootable
from lkm.lab.needs import check_config, memory_for
from lkm.lab.qemu import Machine, program_of
from lkm.names import is_module_file
from lkm.tree.catalog import Catalog
from lkm.tree.installed import kernel_config, tree_directory
from lkm.vmlinux.config import read_config_file


@dataclass(frozen=True, slots=True, kw_only=True)
class LabKernel:
    """A kernel to start: its *image*, and the *root* that its tree lies under.

    *tree* is the tree itself where it lies elsewhere.
    """

    release: str
    root: str
    image: str
    tree: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabRequest:
    """What a user wants of a lab; see ``Wanted``. *memory_mb* None leaves it to the lab.

    *modules* are names and aliases; those that *command* names, and what files of modules in it
    depend on, come along by themselves. With *optional_modules* one that the kernel lacks is left
    out.
    """

    command: tuple[str, ...] = ()
    on_terminal: bool = False
    modules: tuple[str, ...] = ()
    optional_modules: bool = False
    copies: tuple[str, ...] = ()
    append: str = ""
    memory_mb: int | None = None
    folder: str = "/"
    stdin: bytes = b""
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A machine that can be started, and what is good to know of it beforehand."""

    machine: Machine
    notices: tuple[str, ...]
    module_count: int


def set_up(kernel: LabKernel, request: LabRequest) -> Lab:
    """Return the lab for *kernel*.

    Raises ``LabError`` for whatever is known to keep it from working, and ``FileError``,
    ``FormatError``, ``NoSuchModuleError``.
    """
    boot = bootable(kernel.image)
    program_of(boot.architecture)
    notices: list[str] = []
    directory = _directory(kernel, request, notices)
    modules = _modules(directory, request) if directory else ()
    check_release(modules, kernel.release)
    config = kernel_config(kernel.root, kernel.release, directory)
    if config:
        check_config(
            read_config_file(config), config, boot.architecture, with_modules=bool(modules)
        )
    wanted = Wanted(
        architecture=boot.architecture,
        release=kernel.release,
        directory=directory,
        modules=modules,
        boot_files=_boot_files(kernel, config),
        copies=request.copies,
        command=request.command,
        on_terminal=request.on_terminal,
        folder=request.folder,
        stdin=request.stdin,
        roots=_roots(kernel.root),
        environment=dict(request.environment),
        busybox=_busybox(boot.architecture, notices),
    )
    parts = initramfs(wanted)
    size = os.path.getsize(boot.file) if isinstance(boot.file, str) else len(boot.file)
    machine = Machine(
        kernel=boot.file,
        initramfs=parts,
        command_line=kernel_command_line(boot.architecture, request.append),
        architecture=boot.architecture,
        accelerator=accelerator_for(boot.architecture),
        memory_mb=memory_for(size, sum(map(len, parts)), request.memory_mb),
    )
    return Lab(machine=machine, notices=tuple(notices), module_count=len(modules))


def _directory(kernel: LabKernel, request: LabRequest, notices: list[str]) -> str:
    """Return the tree, empty without one: that is an error only where modules are asked for."""
    try:
        return kernel.tree or tree_directory(kernel.root, kernel.release)
    except NoTreeError as error:
        if request.modules and not request.optional_modules:
            raise
        notices.append(f"{error}: the guest has only what is built into its kernel")
        return ""


def _modules(directory: str, request: LabRequest) -> tuple[str, ...]:
    catalog = Catalog.open(directory)
    files = [path for path in files_named(request.command) if is_module_file(path)]
    asked = request.modules
    if request.optional_modules:
        asked = modules_named(catalog, " ".join(asked))
    words = (
        *asked,
        *modules_named(catalog, " ".join(request.command)),
        *needed_by_files(catalog, files),
    )
    return modules_asked_for(catalog, words)


def _boot_files(kernel: LabKernel, config: str) -> tuple[str, ...]:
    """Return what lies beside an installed image and tells of its kernel."""
    folder = f"{kernel.root.rstrip('/')}/boot"
    found = [config, f"{folder}/System.map-{kernel.release}"]
    return tuple(path for path in found if os.path.isfile(path) and os.access(path, os.R_OK))


def _roots(root: str) -> tuple[str, ...]:
    path = os.path.abspath(root or "/")
    return () if path == "/" else (path,)


def _busybox(architecture: Architecture, notices: list[str]) -> str:
    """Return the busybox for the guest; the host's own tools do where it has none."""
    fetched = fetched_busybox(architecture.name) or ""
    if not is_foreign(architecture):
        return busybox_here() or fetched
    if not fetched:
        error = LabError(f"there is no busybox for {architecture.name}, which its guest needs")
        error.remedy = (
            f"`lkm lab get debian:6.1 --arch {architecture.name}` brings it along with a kernel"
        )
        raise error
    notices.append(
        f"a guest of another machine ({architecture.name}) has busybox, and neither Python nor lkm"
    )
    return fetched
