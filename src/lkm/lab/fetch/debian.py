"""Debian's kernels: which package is meant, what belongs to it, and unpacking that."""

from __future__ import annotations

import errno
import os
import re
import shutil
from dataclasses import dataclass

from lkm.errors import FetchError, FileError, NoSuchKernelError
from lkm.lab.fetch.apt import Apt, Package, Tick, run
from lkm.lab.fetch.sources import IMAGE, Source
from lkm.tree.installed import installed_kernels, release_order

# In newer series the image package needs others, which have the modules and the image itself.
_PARTS = ("linux-modules-", "linux-binary-")
_UNSIGNED = "-unsigned"
# As many releases of a series are told where none is the one asked for.
_SHOWN = 6
_NO_KERNEL = ("-dbg", "-dbgsym", "-signed-template")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The packages that make up a kernel: the image's own, and those that it is divided into."""

    image: Package
    parts: tuple[Package, ...] = ()

    @property
    def packages(self) -> tuple[Package, ...]:
        """All of them."""
        return (self.image, *self.parts)


def choose(apt: Apt, source: Source) -> Chosen:
    """Return the packages of the kernel that *source* means. Raises ``NoSuchKernelError``."""
    known = [name for name in apt.names(IMAGE) if not name.endswith(_NO_KERNEL)]
    name = _named(known, source) if source.package else _newest(known, source)
    package = apt.package(name) if name else None
    if package is None:
        raise _unknown(known, source)
    images = [each for each in package.depends if each.startswith(IMAGE)]
    if images:  # a package that only names the newest
        package = apt.package(images[0])
        if package is None:
            raise _unknown(known, source)
    parts = [apt.package(each) for each in package.depends if each.startswith(_PARTS)]
    return Chosen(package, tuple([part for part in parts if part is not None]))


def check_room(packages: tuple[Package, ...], folder: str) -> None:
    """Raise ``FileError`` where *packages*, downloaded and unpacked, do not fit into *folder*."""
    needed = sum(each.size + each.installed_size for each in packages)
    usage = shutil.disk_usage(folder)
    if needed > usage.free:
        raise FileError(
            "write",
            folder,
            errno.ENOSPC,
            f"it takes {needed >> 20} MiB, and {usage.free >> 20} MiB are free; LKM_DATA names "
            "another folder",
        )


def unpack(apt: Apt, packages: tuple[Package, ...], folder: str, tick: Tick) -> str:
    """Download *packages* into *folder* and return the root below it that they are unpacked in."""
    archives, root = f"{folder}/archives", f"{folder}/root"
    for made in (archives, root):
        shutil.rmtree(made, ignore_errors=True)  # of an attempt that failed
        os.mkdir(made, 0o755)
    for package in packages:
        apt.download(package.name, archives, tick)
    for name in sorted(os.listdir(archives)):
        if name.endswith(".deb"):
            run("dpkg-deb", "-x", f"{archives}/{name}", root, cwd=folder, tick=tick)
    shutil.rmtree(archives)
    return root


def _named(known: list[str], source: Source) -> str:
    signed, unsigned = source.package, source.package + _UNSIGNED
    if signed in known or not source.package.startswith(IMAGE):
        return signed
    return unsigned if unsigned in known else ""


def _newest(known: list[str], source: Source) -> str:
    """Return the newest package of the series, a signed one where there is any."""
    matching = [name for name in known if source.matches(release_of(name))]
    if not matching:
        return ""
    return max(matching, key=lambda name: (not name.endswith(_UNSIGNED), release_order(name)))


def _unknown(known: list[str], source: Source) -> NoSuchKernelError:
    """Return the error that tells which series there are, or which releases of this one."""
    releases = {release_of(name) for name in known}
    numbers = [re.match(r"\d+\.\d+", release) for release in releases]
    series = sorted({found[0] for found in numbers if found}, key=release_order)
    problem = f"apt knows no kernel {source.text} for {source.architecture}"
    if not series:
        remedy = "its sources, /etc/apt/sources.list and what lies beside it, have none for that"
        return NoSuchKernelError(problem, (), remedy)
    wanted = source.series or ".".join(source.package.removeprefix(IMAGE).split(".")[:2])
    near = [release for release in releases if release.startswith(f"{wanted}.")]
    if near:
        newest = ", ".join(sorted(near, key=release_order)[-_SHOWN:])
        return NoSuchKernelError(problem, tuple(series), f"the newest of {wanted} are {newest}")
    there = ", ".join([f"debian:{each}" for each in series])
    return NoSuchKernelError(problem, tuple(series), f"there are {there}")


def release_of(package: str) -> str:
    """Return the release of the kernel in an image's package, by its name."""
    return package.removeprefix(IMAGE).removesuffix(_UNSIGNED)


def release_in(root: str) -> str:
    """Return the release of the kernel unpacked in *root*. Raises ``FetchError`` without one."""
    found = installed_kernels(root)
    whole = [kernel.release for kernel in found if kernel.directory and kernel.image]
    if len(whole) != 1:
        raise FetchError(
            "the package holds no kernel with an image and modules",
            "name a package that has both, such as linux-image-amd64",
        )
    return whole[0]
