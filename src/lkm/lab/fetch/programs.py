"""The static busybox of any architecture, for guests whose machine is not the host's.

It lies in the data folder, in programs/ARCHITECTURE.
"""

from __future__ import annotations

import os

from lkm.errors import FetchError
from lkm.lab.contents.shell import busybox_here
from lkm.lab.fetch.apt import Apt, native_architecture
from lkm.lab.fetch.debian import unpack
from lkm.lab.fetch.folders import private_folder
from lkm.lab.fetch.sources import architecture_of
from lkm.lab.fetch.watching import Watch, download_tick, unwatched
from lkm.lab.fetch.with_apt import with_apt
from lkm.tree.fetched import data_folder, is_believed

_PACKAGE = "busybox-static"
_PLACES = ("bin/busybox", "usr/bin/busybox")


def fetched_busybox(architecture: str) -> str | None:
    """Return the path of the busybox fetched for *architecture*, by any word for it; or None.

    Raises ``UsageError`` for an unknown architecture.
    """
    path = _path(architecture_of(architecture))
    return path if is_believed(path) and os.path.isfile(path) else None


def needs_busybox(architecture: str) -> bool:
    """Tell whether a guest of *architecture* has no busybox yet, neither fetched nor installed."""
    architecture = architecture_of(architecture)
    if fetched_busybox(architecture) is not None:
        return False
    return architecture != native_architecture() or not busybox_here()


def fetch_busybox(architecture: str, watch: Watch = unwatched) -> str:
    """Fetch the busybox of *architecture*, unless it is there; return its path.

    Raises ``UsageError``, ``FetchError``, ``FileError``.
    """
    architecture = architecture_of(architecture)
    path = _path(architecture)
    with private_folder(os.path.dirname(path), watch) as folder:
        found = fetched_busybox(architecture)
        if found is not None:
            return found

        def fetch(apt: Apt) -> str:
            package = apt.package(_PACKAGE)
            if package is None:
                raise FetchError(f"apt knows no {_PACKAGE} for {architecture}")
            packages = (package,)
            return unpack(apt, packages, folder, download_tick(packages, folder, watch))

        root = with_apt(architecture, folder, watch, fetch)
        for place in _PLACES:
            if os.path.isfile(f"{root}/{place}"):
                os.replace(f"{root}/{place}", path)
                return path
    raise FetchError(f"the package {_PACKAGE} holds no busybox")


def _path(architecture: str) -> str:
    return f"{data_folder()}/programs/{architecture}/busybox"
