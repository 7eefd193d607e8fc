"""The options by which every own verb is told which kernel and which tree it is about."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lkm.cli.opening import sandbox_status
from lkm.errors import UsageError
from lkm.tree.catalog import Catalog
from lkm.tree.installed import releases, tree_directory

if TYPE_CHECKING:
    from lkm.cli.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare --on, --root, --release, --vmlinux and the short form --kernel."""
    parser.add_argument(
        "--on", choices=("live", "sandbox"), default="live", help="which kernel (default: live)"
    )
    parser.add_argument("--root", metavar="DIR", help="another file system root")
    parser.add_argument("--release", metavar="R", help="the kernel's release, as uname -r says it")
    parser.add_argument("--vmlinux", metavar="FILE", help="the kernel's image")
    parser.add_argument(
        "--kernel",
        metavar="X",
        help="short: an image or a tree where X has a slash, else a release",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The kernel that the arguments name.

    *running* tells whether it is the running one. *image* is empty where none was named; the
    installed one stands in for it. *named* tells whether any argument named a kernel.
    """

    on: str
    root: str
    release: str
    image: str
    running: bool
    named: bool
    tree: str = ""

    @property
    def directory(self) -> str:
        """The tree's directory. Raises ``NoTreeError``."""
        return self.tree or tree_directory(self.root, self.release)

    def catalog(self, console: Console) -> Catalog:
        """Return the tree; says on stderr why its indexes are not used. Raises ``NoTreeError``."""
        catalog = Catalog.open(self.directory)
        if catalog.notice:
            console.warning(catalog.notice)
        return catalog


def chosen(args: argparse.Namespace, console: Console) -> Chosen:
    """Return the kernel that the arguments name: from an image its release, else the other way.

    Raises ``UsageError`` where they contradict each other, and what reading an image raises.
    """
    release, image, tree = args.release or "", args.vmlinux or "", ""
    if args.kernel and (release or image):
        raise UsageError("--kernel stands for --release or --vmlinux; give one of them")
    if args.kernel and os.path.isdir(args.kernel):
        tree = args.kernel
        release = os.path.basename(os.path.abspath(tree))
    elif args.kernel and "/" in args.kernel:
        image = args.kernel
    elif args.kernel:
        release = args.kernel
    if image and not release:
        release = _release_of(image)
    named = bool(args.root or release or image)
    if args.on == "sandbox":
        status = sandbox_status(console)
        if not tree and not args.root and release in ("", status.release):
            tree = status.directory
        root, default = args.root or status.root, status.release
    else:
        root, default = args.root or "/", os.uname().release
    return Chosen(
        on=args.on,
        root=root,
        release=release or default,
        image=image,
        running=args.on == "live" and not args.root and release in ("", default),
        named=named,
        tree=tree,
    )


def _release_of(image: str) -> str:
    from lkm.kernel.image_facts import read_kernel_facts  # most calls name a release

    release = read_kernel_facts(image).release
    if not release:
        raise UsageError(f"{image} does not say which release it is; add --release")
    return release


def only_release(root: str) -> str:
    """Return the release that is meant where none was named: the only one, or the running one.

    Raises ``UsageError``, which names those that are there.
    """
    found = releases(root)
    if len(found) == 1:
        return found[0]
    running = os.uname().release
    if running in found and root == "/":
        return running
    there = ", ".join(found) or "none"
    raise UsageError(f"--release is needed: the kernels under {root} are {there}")
