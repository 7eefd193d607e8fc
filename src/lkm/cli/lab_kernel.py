"""Which kernel a lab starts: it has to have an image, which its modules belong to."""

from __future__ import annotations

import argparse
import copy
import errno
import os
from collections.abc import Iterator

from lkm.cli.console import Console
from lkm.cli.which_kernel import Chosen, chosen
from lkm.errors import FileError, LabError, LkmError, UsageError
from lkm.lab.architectures import Architecture, architecture, of_host
from lkm.lab.kernel_images import bootable
from lkm.lab.setup import LabKernel
from lkm.tree.fetched import fetched_roots
from lkm.tree.installed import installed_kernels, kernel_image


def lab_kernel(args: argparse.Namespace, console: Console) -> LabKernel:
    """Return the kernel that *args* name, or the running one.

    Where that has no image here it is the newest that was fetched, which is said on stderr.
    Raises ``LabError`` where none has an image, ``UsageError`` where it is for another machine
    than --arch says, and what reading it raises.
    """
    args = copy.copy(args)
    args.on = "live"
    wanted = architecture(args.arch) if args.arch else None
    if not (args.release or args.vmlinux or args.kernel or args.root):
        foreign = wanted is not None and wanted is not of_host()
        args.release = (
            _newest_fetched(wanted, console)
            if wanted is not None and foreign
            else _running_or_fetched(console)
        )
    found = chosen(args, console)
    image = found.image or kernel_image(found.root, found.release, _tree(found))
    if not image:
        raise _no_image(found)
    if not os.access(image, os.R_OK):
        # Ubuntu has them for root alone.
        remedy = f"sudo chmod +r {image}, or `lkm lab get debian:6.1` for one of your own"
        raise FileError("read", image, errno.EACCES, remedy)
    kernel = LabKernel(release=found.release, root=found.root, image=image, tree=found.tree)
    if wanted is not None and bootable(image).architecture is not wanted:
        raise UsageError(f"{image} is a kernel for another machine than {args.arch}")
    return kernel


def lab_kernels(
    text: str, args: argparse.Namespace, console: Console
) -> Iterator[tuple[str, LabKernel | LkmError]]:
    """Yield each release of *text*, a list with commas, with its kernel, or why there is none."""
    releases = [release for release in text.split(",") if release]
    if not releases:
        raise UsageError("--each takes releases, with commas between them")
    for release in releases:
        one = copy.copy(args)
        one.release = release
        try:
            yield release, lab_kernel(one, console)
        except UsageError:
            raise
        except LkmError as error:
            yield release, error


def _running_or_fetched(console: Console) -> str:
    running = os.uname().release
    if os.access(kernel_image("/", running, f"/lib/modules/{running}"), os.R_OK):
        return running
    fetched = _fetched_for(of_host())
    if not fetched:
        return running
    console.say(
        "NOTICE",
        f"{running} has no image here that can be read; taking {fetched[-1]}, which was fetched",
    )
    return fetched[-1]


def _fetched_for(machine: Architecture | None) -> list[str]:
    """Return the releases of the fetched kernels for that machine, oldest first."""
    found = []
    for release, root in fetched_roots().items():
        image = kernel_image(root, release, "")
        try:
            if image and bootable(image).architecture is machine:
                found.append(release)
        except LkmError:
            continue  # whoever names it is told what is wrong with it
    return found


def _tree(found: Chosen) -> str:
    try:
        return found.directory
    except LkmError:
        return ""


def _newest_fetched(wanted: Architecture, console: Console) -> str:
    """Return the release of the newest fetched kernel for that machine; says which it is."""
    found = _fetched_for(wanted)
    if found:
        console.say("NOTICE", f"taking {found[-1]}, the newest that was fetched for {wanted.name}")
        return found[-1]
    error = LabError(f"no kernel for {wanted.name} has been fetched")
    error.remedy = f"lkm lab get debian:6.1 --arch {wanted.name}, or name one by --vmlinux"
    raise error


def _no_image(found: Chosen) -> LabError:
    where = "here" if found.root == "/" else f"under {found.root}"
    error = LabError(f"the kernel {found.release} has no image {where}")
    others = [each.release for each in installed_kernels(found.root) if each.image]
    others += [release for release in fetched_roots() if release not in others]
    there = f"there are: {', '.join(others)} (--release)" if others else "there is none here"
    error.remedy = f"{there}; `lkm lab get debian:6.1` fetches one, --vmlinux FILE names one"
    return error
