"""lkm insmod: insert one module file."""

from __future__ import annotations

import errno
import os

from lkm.cli.dropin import (
    HELP,
    INIT_RETURNS,
    JSON,
    NO_CACHE_OF_IMAGE,
    ON,
    SYSLOG,
    VERBOSE,
    VERSION,
    Command,
)
from lkm.cli.opening import open_kernel
from lkm.cli.options import Option
from lkm.errors import CannotTellError, FileError, KernelError, LkmError, MissingLibraryError
from lkm.kernel.apply import image_for
from lkm.kernel.protocol import IGNORE_MODVERSIONS, IGNORE_VERMAGIC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lkm.cli.console import Console
    from lkm.cli.options import Parsed

FORCE_VERMAGIC = Option(
    "force_vermagic",
    "",
    ("force-vermagic",),
    "load a module although it was built for another kernel (its vermagic differs)",
)
FORCE_MODVERSION = Option(
    "force_modversion",
    "",
    ("force-modversion",),
    "load a module although CRCs of its symbols may differ from the kernel's",
)

COMMAND = Command(
    "insmod",
    "insmod [OPTION...] MODULEFILE [PARAMETER[=VALUE]...]",
    "Insert the module in MODULEFILE; what it depends on must be loaded already.",
    (
        Option("force", "f", ("force",), "both of the following; dangerous"),
        FORCE_MODVERSION,
        FORCE_VERMAGIC,
        SYSLOG,
        VERBOSE,
        ON,
        INIT_RETURNS,
        NO_CACHE_OF_IMAGE,
        JSON,
        VERSION,
        HELP,
    ),
    words=("MODULEFILE", "PARAMETER..."),
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
        console.misused("missing filename.")
        return 1
    if parsed.has("init_returns"):
        from lkm.cli.answers import init_answer  # it is said rarely

        init_answer(parsed)
    path, *words = parsed.arguments
    if path == "-":
        console.misused("this tool does not support loading from stdin!")
        return 1
    try:
        # A path that ends in a slash names no module.
        os.stat(path if not path.endswith("/") else "")
    except OSError as error:
        missing = FileError.from_os("read", path, error)
        console.failed_by(f"could not load module {path}: {error.strerror}", missing)
        return 1
    kernel = open_kernel(parsed.last("on"), console, asking="insmod")
    try:
        image = image_for(kernel, path)
        if parsed.has("init_returns"):
            from lkm.cli.answers import answer_inits, init_answer  # see above

            answer_inits(kernel, [image.name], init_answer(parsed))
        loaded_as = kernel.insert(image, joined(words), flags=force_flags(parsed))
    except LkmError as error:
        _say_failed(path, error, console)
        return 1
    if console.json:
        from lkm.report.documents.loaded import insert_document

        console.document = insert_document(kernel, image, loaded_as or image.name)
    return 0


def joined(words: Sequence[str]) -> str:
    """Return the parameters *words* as the kernel gets them: empty ones at the start are lost."""
    text = ""
    for word in words:
        text = f"{text} {word}" if text else word
    return text


def _say_failed(path: str, error: LkmError, console: Console) -> None:
    text = f"could not insert module {path}: {reason(error, _WORDS)}"
    if isinstance(error, KernelError):
        failed_to_insert(path, error, console)
        console.refused(text, error)
    else:
        console.failed_by(text, error)


def failed_to_insert(path: str, error: KernelError, console: Console) -> None:
    """Say what libkmod says itself of a call that failed, at the level INFO."""
    absolute = path if path.startswith("/") else f"{os.getcwd()}/{path}"
    console.info(f"Failed to insert module '{absolute}': {os.strerror(error.errno)}")


def reason(error: LkmError, words: Mapping[int, str]) -> str:
    """Return kmod's word, one of *words* or strerror's, for why a module was not inserted.

    What a decompressor says of a damaged file is EINVAL to kmod, one that is missing ENOSYS. That
    something cannot be told, kmod never says.
    """
    if isinstance(error, CannotTellError):
        return "Cannot tell what the kernel would do"
    if isinstance(error, FileError | KernelError):
        number = error.errno
    else:
        number = errno.ENOSYS if isinstance(error, MissingLibraryError) else errno.EINVAL
    return words.get(number, os.strerror(number))


def force_flags(parsed: Parsed) -> int:
    """Return the insertion flags that the force options stand for."""
    flags = 0
    if parsed.has("force") or parsed.has("force_modversion"):
        flags |= IGNORE_MODVERSIONS
    if parsed.has("force") or parsed.has("force_vermagic"):
        flags |= IGNORE_VERMAGIC
    return flags
