"""The options by which every own verb is told which kernel and which tree it is about."""

from __future__ import annotations

import argparse
import os

from lkm.cli.opening import sandbox_status
from lkm.errors import UsageError
from lkm.tree.catalog import Catalog
from lkm.tree.installed import tree_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.cli.console import Console


def add_root_argument(parser: argparse.ArgumentParser) -> None:
    """Declare --root."""
    parser.add_argument("--root", default="/", metavar="DIR", help="another file system root")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare --on, --root, --release and their short form --kernel."""
    parser.add_argument(
        "--on", choices=("live", "sandbox"), default="live", help="whose tree (default: live)"
    )
    parser.add_argument("--root", metavar="DIR", help="another file system root")
    parser.add_argument("--release", metavar="R", help="the kernel's release, as uname -r says it")
    parser.add_argument(
        "--kernel", metavar="X", help="short for --release, or for a path where X has a slash"
    )


def tree_of(args: argparse.Namespace, console: Console) -> Catalog:
    """Return the tree that the arguments name; says on stderr why its indexes are not used.

    A path given with --kernel is the tree's directory. Raises ``NoTreeError``.
    """
    if args.kernel and args.release:
        raise UsageError("--kernel and --release say the same; give one")
    is_path = args.kernel is not None and "/" in args.kernel
    directory = args.kernel if is_path else _directory(args)
    catalog = Catalog.open(directory)
    if catalog.notice:
        console.warning(catalog.notice)
    return catalog


def _directory(args: argparse.Namespace) -> str:
    release = args.kernel or args.release
    if args.on == "live":
        return tree_directory(args.root or "/", release or os.uname().release)
    status = sandbox_status()
    if not args.root and release in (None, status.release):
        return status.directory
    return tree_directory(args.root or status.root, release or status.release)
