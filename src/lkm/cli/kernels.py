"""List the installed kernels: which one runs, and what each has.

One line a kernel: release, number of modules, state of its indexes (up to date, stale: a module
is newer than they are, missing), image and configuration. A star marks the running one.
Exit status: 0, or 1 where there is none.
"""

from __future__ import annotations

import argparse
import os

from lkm.cli.console import Console
from lkm.cli.which_kernel import add_root_argument
from lkm.tree.installed import installed_kernels


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_root_argument(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead")


def run(args: argparse.Namespace, console: Console) -> int:
    """Print the list; return 1 where no kernel is installed under the root."""
    kernels = installed_kernels(args.root)
    running = os.uname().release
    if args.json:
        from lkm.report.documents.trees import kernels_document  # noqa: PLC0415  # only --json needs it
        from lkm.report.documents.writing import write  # noqa: PLC0415  # only --json needs it

        write(kernels_document(args.root, running, kernels), console.out)
        return 0 if kernels else 1
    if not kernels:
        console.error(f"no kernel is installed under {args.root}; the running one is {running}")
        return 1
    rows = [("", "RELEASE", "MODULES", "INDEXES", "IMAGE", "CONFIG")]
    for kernel in kernels:
        mark = "*" if kernel.release == running else ""
        count = str(kernel.module_count)
        image, config = kernel.image or "none", kernel.config or "none"
        rows.append((mark, kernel.release, count, kernel.indexes, image, config))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        cells[2] = row[2].rjust(widths[2])
        console.out.write("  ".join(cells).rstrip() + "\n")
    return 0
