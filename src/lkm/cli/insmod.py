"""lkm insmod: insert one module file."""

from __future__ import annotations

import errno
import os

from lkm.cli.dropin import HELP, JSON, ON, SYSLOG, VERBOSE, VERSION, Command
from lkm.cli.opening import open_kernel
from lkm.cli.options import Option
from lkm.errors import FileError, KernelError
from lkm.kernel.protocol import IGNORE_MODVERSIONS, IGNORE_VERMAGIC
from lkm.module.file import read_image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.cli.console import Console
    from lkm.cli.options import Parsed

FORCE_VERMAGIC = Option(
    "force_vermagic", "", ("force-vermagic",), "load a module built for another kernel"
)
FORCE_MODVERSION = Option(
    "force_modversion", "", ("force-modversion",), "load without comparing symbol CRCs"
)

COMMAND = Command(
    "insmod",
    "insmod [OPTION...] FILE [PARAMETER[=VALUE]...]",
    "Insert one module file, without its dependencies.",
    (
        Option("force", "f", ("force",), "both of the following: dangerous"),
        FORCE_MODVERSION,
        FORCE_VERMAGIC,
        SYSLOG,
        VERBOSE,
        ON,
        JSON,
        VERSION,
        HELP,
    ),
)

_WORDS = {
    errno.ENOEXEC: "Invalid module format",
    errno.ENOENT: "Unknown symbol in module",
    errno.ESRCH: "Module has wrong symbol version",
    errno.EINVAL: "Invalid parameters",
}


def run(parsed: Parsed, console: Console) -> int:
    """Insert the file; return 0, or 1 and the reason on stderr."""
    if not parsed.arguments:
        console.error("missing filename.")
        return 1
    path, *words = parsed.arguments
    if path == "-":
        console.error("this tool does not support loading from stdin!")
        return 1
    try:
        image = read_image(path)
    except FileError as error:
        console.error(f"could not load module {path}: {os.strerror(error.errno)}")
        return 1
    kernel = open_kernel(parsed.last("on"), console)
    try:
        kernel.insert(image, " ".join(words), flags=force_flags(parsed))
    except KernelError as error:
        reason = _WORDS.get(error.errno, os.strerror(error.errno))
        console.refused(f"could not insert module {path}: {reason}", error, on=kernel.name)
        return 1
    if console.json:
        from lkm.report.documents.loaded import insert_document

        console.document = insert_document(kernel, image)
    return 0


def force_flags(parsed: Parsed) -> int:
    """Return the insertion flags that the force options stand for."""
    flags = 0
    if parsed.has("force") or parsed.has("force_modversion"):
        flags |= IGNORE_MODVERSIONS
    if parsed.has("force") or parsed.has("force_vermagic"):
        flags |= IGNORE_VERMAGIC
    return flags
