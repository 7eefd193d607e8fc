"""Fetch a kernel into the data folder, whole or not at all.

    kernels/RELEASE/               the kernel's root: boot, lib/modules or usr/lib/modules, ...
    kernels/RELEASE/fetched.json   what it was fetched as

A kernel gets its name by one rename, when its indexes are made; before that nothing of it counts.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import asdict, dataclass

from lkm.errors import FetchError, FileError
from lkm.lab.fetch.apt import Apt, Package, native_architecture
from lkm.lab.fetch.debian import check_room, choose, release_in, release_of, unpack
from lkm.lab.fetch.folders import private_folder
from lkm.lab.fetch.sources import Source, architecture_of, parse_source
from lkm.lab.fetch.watching import Watch, download_tick, unwatched
from lkm.lab.fetch.with_apt import with_apt
from lkm.tree.depmod.indexes import build_indexes, write_indexes
from lkm.tree.fetched import fetched_roots, kernels_folder
from lkm.tree.installed import kernel_image, tree_directory

RECORD = "fetched.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a kernel was fetched as: *source* as asked for, Debian's package and its version."""

    source: str
    package: str
    version: str
    architecture: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedKernel:
    """A kernel in the data folder.

    *directory* is its tree, *bytes* what all of *root* holds. *record* is None where nobody knows
    what it was fetched as.
    """

    release: str
    root: str
    image: str
    directory: str
    bytes: int
    already_there: bool
    record: Record | None


def fetch_kernel(
    text: str, architecture: str = "", *, update: bool = False, watch: Watch | None = None
) -> FetchedKernel:
    """Return the kernel that *text* means, for *architecture* (this machine's), fetched if need be.

    One of the series that is there already will do, unless *update* asks for the newest. Raises
    ``UsageError``, ``FetchError``, ``FileError``.
    """
    source = parse_source(text, architecture_of(architecture or native_architecture()))
    watch = watch or unwatched
    found = None if update else _there(source)
    if found is not None:
        return found
    with private_folder(kernels_folder(), watch) as folder:
        found = None if update else _there(source)  # somebody else may have fetched it meanwhile
        return found or _fetched(source, folder, watch)


def known_kernel(release: str, *, already_there: bool = True) -> FetchedKernel:
    """Return the kernel that was fetched as *release*. Raises ``FetchError`` if none was."""
    root = fetched_roots().get(release)
    if root is None:
        raise FetchError(f"no kernel {release} was fetched", "lkm kernels lists them")
    directory = tree_directory(root, release)
    return FetchedKernel(
        release=release,
        root=root,
        image=kernel_image(root, release, directory),
        directory=directory,
        bytes=_size(root),
        already_there=already_there,
        record=_read_record(root),
    )


def _there(source: Source) -> FetchedKernel | None:
    """Return the newest fetched kernel that *source* may mean."""
    for release, root in reversed(fetched_roots().items()):
        record = _read_record(root)
        again = record is not None and (record.source, record.architecture) == (
            source.text,
            source.architecture,
        )
        if again or source.matches(release):
            return known_kernel(release)
    return None


def _fetched(source: Source, folder: str, watch: Watch) -> FetchedKernel:
    def fetch(apt: Apt) -> tuple[Package, str]:
        chosen = choose(apt, source)
        if release_of(chosen.image.name) in fetched_roots():
            return chosen.image, ""
        check_room(chosen.packages, folder)
        tick = download_tick(chosen.packages, folder, watch)
        return chosen.image, unpack(apt, chosen.packages, folder, tick)

    package, root = with_apt(source.architecture, folder, watch, fetch)
    release = release_in(root) if root else release_of(package.name)
    if release in fetched_roots():
        return known_kernel(release)
    _index(root, release, watch)
    _write_record(
        root,
        Record(
            source=source.text,
            package=package.name,
            version=package.version,
            architecture=source.architecture,
        ),
    )
    _put_in_place(root, release)
    return known_kernel(release, already_there=False)


def _index(root: str, release: str, watch: Watch) -> None:
    """Make the tree's indexes, which Debian's packages leave to the machine that installs them."""
    directory = tree_directory(root, release)
    if not os.path.exists(f"{directory}/modules.dep.bin"):
        watch("indexing the modules", 0, 0)
        # Without a cache: what is remembered is found by paths, and this one is not for long.
        write_indexes(build_indexes(directory).files, directory)


def _put_in_place(root: str, release: str) -> None:
    place = f"{kernels_folder()}/{release}"
    if os.path.lexists(place):
        raise FetchError(
            f"{place} is in the way: others may write it, or it belongs to another user",
            "move it away",
        )
    try:
        # The mode is the archive's; what others may write would not be believed.
        os.chmod(root, os.stat(root).st_mode & ~(stat.S_IWGRP | stat.S_IWOTH))
        os.rename(root, place)
    except OSError as error:
        raise FileError.from_os("write", place, error) from None


def _write_record(root: str, record: Record) -> None:
    path = f"{root}/{RECORD}"
    try:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(asdict(record), file, indent=1)
    except OSError as error:
        raise FileError.from_os("write", path, error) from None


def _read_record(root: str) -> Record | None:
    try:
        with open(f"{root}/{RECORD}", encoding="utf-8") as file:
            fields = json.load(file)
        return Record(**{name: str(fields[name]) for name in Record.__slots__})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _size(root: str) -> int:
    total = 0
    for folder, _, files in os.walk(root):
        for name in files:
            try:
                total += os.lstat(f"{folder}/{name}").st_size
            except FileNotFoundError:
                continue  # being removed
    return total
