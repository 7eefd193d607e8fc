"""lkm lsmod: list the loaded modules."""

from __future__ import annotations

import errno
import os

from lkm.cli.dropin import HELP, JSON, NO_CACHE_OF_IMAGE, ON, SYSLOG, VERBOSE, VERSION, Command
from lkm.cli.opening import open_kernel
from lkm.errors import FileError, NoModuleSupportError
from lkm.report.text import lsmod_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.cli.console import Console
    from lkm.cli.options import Parsed

COMMAND = Command(
    "lsmod",
    "lsmod [OPTION...]",
    "List the loaded modules: name, size in bytes, how many use it, and which modules do.",
    (SYSLOG, VERBOSE, ON, NO_CACHE_OF_IMAGE, JSON, VERSION, HELP),
)


def run(parsed: Parsed, console: Console) -> int:
    """Print the table, newest module first; return 0, or 1 where it cannot be had."""
    if parsed.arguments:
        console.misused("too many arguments provided.")
        return 1
    kernel = open_kernel(parsed.last("on"), console)
    try:
        if console.json:
            modules, folders = kernel.snapshot()
        else:
            modules, folders = kernel.modules(), None
    except (FileError, NoModuleSupportError) as error:
        # kmod knows such a kernel by the missing file only.
        missing = isinstance(error, NoModuleSupportError)
        reason = os.strerror(errno.ENOENT if missing else error.errno)
        console.error(f"could not open /proc/modules: {reason}")
        console.failed_by(f"could not get list of modules: {reason}", error)
        if console.json:
            from lkm.report.documents.loaded import unlisted_document

            console.document = unlisted_document(kernel, supported=not missing)
        return 1
    if console.json:
        from lkm.report.documents.loaded import lsmod_document

        console.document = lsmod_document(kernel, modules, folders)
    else:
        console.out.write(lsmod_table(modules))
    return 0
