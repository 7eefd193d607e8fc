"""Show how a kernel was configured for loadable modules, each option with what it means.

The configuration is read from /proc/config.gz of the running kernel, from ROOT/boot/config-R, from
the modules directory, or from the image where it is built in. An image that was named is asked
first, then the config-R beside it. An option that the configuration does not name is not set in
that kernel. Exit status: 0, or 3 where it cannot be told.
"""

from __future__ import annotations

import argparse
import textwrap

from lkm.cli import which_kernel
from lkm.cli.console import Console
from lkm.diagnose.kconfig import find_config, module_options
from lkm.errors import NoTreeError
from lkm.vmlinux.answers import CouldNotTell

_INDENT = " " * 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    which_kernel.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead")


def run(args: argparse.Namespace, console: Console) -> int:
    """Print the options; return 3 where the configuration cannot be had."""
    kernel = which_kernel.chosen(args, console)
    try:
        directory = kernel.directory
    except NoTreeError:
        directory = ""  # a kernel without modules has a configuration all the same
    found = find_config(
        kernel.root, kernel.release, directory, image=kernel.image, running=kernel.running
    )
    if args.json:
        from lkm.report.documents.kconfig import kconfig_document

        console.document = kconfig_document(kernel.release, found)
        return 3 if isinstance(found, CouldNotTell) else 0
    if isinstance(found, CouldNotTell):
        console.error(str(found))
        return 3
    console.out.write(f"# {kernel.release}, from {found.source}\n")
    for option in module_options(found.config):
        value = option.value if option.value not in (None, "n", "") else "is not set"
        console.out.write(f"{option.name}: {value}\n")
        wrapped = textwrap.fill(
            option.meaning, 80, initial_indent=_INDENT, subsequent_indent=_INDENT
        )
        console.out.write(wrapped + "\n")
    return 0
