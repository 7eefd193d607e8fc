"""The kernels that ``lkm lab get`` has fetched: where they lie, and which of them count.

    folder    LKM_DATA, else lkm in XDG_DATA_HOME, else ~/.local/share/lkm
    kernels   below it, a root folder for each release: kernels/RELEASE/boot, .../lib/modules
    programs  for guests of other machines: programs/ARCHITECTURE/NAME

Only what belongs to this user or to root, and what nobody else may write, is believed: sudo keeps
the user's HOME, and root must not take a modprobe.d for its own that somebody else wrote.
"""

from __future__ import annotations

import os
import stat

from lkm.tree.installed import kernel_image, modules_folder, release_order, root_base

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def data_folder(environment: Mapping[str, str] | None = None) -> str:
    """Return the folder that keeps what was fetched; it need not be there."""
    environment = os.environ if environment is None else environment
    named = environment.get("LKM_DATA", "")
    if named:
        return os.path.abspath(named)
    base = environment.get("XDG_DATA_HOME", "")
    if not base.startswith("/"):  # the XDG specification: relative ones are to be ignored
        base = os.path.join(os.path.expanduser("~"), ".local", "share")
    return os.path.join(base, "lkm")


def kernels_folder() -> str:
    """Return the folder of the fetched kernels; it need not be there."""
    return f"{data_folder()}/kernels"


def is_believed(path: str) -> bool:
    """Tell whether *path* is there, belongs to this user or root, and is for no other to write."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return False
    foreign = found.st_uid not in (os.geteuid(), 0)
    return not foreign and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def fetched_roots() -> dict[str, str]:
    """Return the root folder of each fetched kernel by its release, oldest first."""
    folder = kernels_folder()
    if not is_believed(folder):
        return {}
    try:
        names = os.listdir(folder)
    except OSError:
        return {}
    kernels = {name: f"{folder}/{name}" for name in sorted(names, key=release_order)}
    return {
        name: root
        for name, root in kernels.items()
        # Those that begin with a dot are being fetched, or what is left of that.
        if not name.startswith(".") and os.path.isdir(root) and is_believed(root)
    }


def root_of_release(release: str, first: str = "/") -> str:
    """Return the root folder that has *release*: *first*, else the one it was fetched into.

    *first* as well where nobody has it.
    """
    if not release or "/" in release or has_kernel(first, release):
        return first
    return fetched_roots().get(release, first)


def has_kernel(root: str, release: str) -> bool:
    """Tell whether *root* has modules of *release*, or its image."""
    base = root_base(root)
    directory = f"{base}/{modules_folder(base, release)}/{release}"
    return os.path.isdir(directory) or bool(kernel_image(root, release, ""))
