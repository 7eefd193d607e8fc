"""List the installed kernels: which one runs, and what each has.

One line a kernel that has a modules directory or an image: release, number of modules, state of
its indexes, image and configuration. A star marks the running one. The indexes are up to date;
stale: a module is newer than they are; missing; unusable: one is none, of another version or cut
off; or unreadable, as a tree may be that only root may read.
Without --root those that `lkm lab get` has fetched follow, marked by a plus: each has a root of its
own, the folder that its boot folder lies in.
Exit status: 0, or 1 where there is none.
"""

from __future__ import annotations

import argparse
import os

from lkm._text import printable
from lkm.cli.console import Console
from lkm.cli.opening import sandbox_status
from lkm.cli.which_kernel import add_no_cache
from lkm.tree.fetched import fetched_roots
from lkm.tree.installed import InstalledKernel, installed_kernels


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--on",
        choices=("live", "sandbox"),
        default="live",
        help="which kernel runs (default: live)",
    )
    parser.add_argument("--root", metavar="DIR", help="another file system root")
    add_no_cache(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead")


def run(args: argparse.Namespace, console: Console) -> int:
    """Print the list; return 1 where no kernel is installed under the root."""
    if args.on == "sandbox":
        status = sandbox_status(console)
        root, running = args.root or status.root, status.release
    else:
        root, running = args.root or "/", os.uname().release
    kernels = [(root, kernel) for kernel in installed_kernels(root)]
    has_tree = any(kernel.release == running and kernel.directory for _, kernel in kernels)
    if kernels and not has_tree and os.path.abspath(root) == "/":
        console.warning(f"the running kernel, {running}, has no modules directory here")
    if not args.root and args.on != "sandbox":
        for place in fetched_roots().values():
            kernels += [(place, kernel) for kernel in installed_kernels(place)]
    if args.json:
        from lkm.report.documents.trees import kernels_document

        console.document = kernels_document(root, running, kernels)
        return 0 if kernels else 1
    if not kernels:
        console.error(f"no kernel is installed under {root}; the running one is {running}")
        return 1
    _print(kernels, root, running, console)
    return 0


def _print(
    kernels: list[tuple[str, InstalledKernel]], root: str, running: str, console: Console
) -> None:
    rows = [("", "RELEASE", "MODULES", "INDEXES", "IMAGE", "CONFIG")]
    for place, kernel in kernels:
        mark = "+" if place != root else "*" if kernel.release == running else ""
        rows.append((mark, *_row(kernel)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        cells[2] = row[2].rjust(widths[2])
        console.out.write("  ".join(cells).rstrip() + "\n")


def _row(kernel: InstalledKernel) -> tuple[str, str, str, str, str]:
    count = "unknown" if kernel.module_count is None else str(kernel.module_count)
    return (
        printable(kernel.release),
        count,
        kernel.indexes or "none",
        printable(kernel.image) or "none",
        printable(kernel.config) or "none",
    )
