"""lkm kmod static-nodes: the device nodes whose opening loads a module."""

from __future__ import annotations

import os

from lkm import _text
from lkm.cli.dropin import HELP, JSON, NO_CACHE, ON, Command
from lkm.cli.options import Option
from lkm.cli.target import Target
from lkm.errors import FileError, NoTreeError, UsageError
from lkm.report.static_nodes import FORMATS
from lkm.tree.tables import devname_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.cli.console import Console
    from lkm.cli.options import Parsed

COMMAND = Command(
    "static-nodes",
    "kmod static-nodes [OPTION...]",
    "Show the device nodes of modules.devname of the running kernel: to open one loads its module.",
    (
        Option(
            "format",
            "f",
            ("format",),
            "as human (default), tmpfiles (as in tmpfiles.d) or devname (as in modules.devname)",
            argument="FORMAT",
        ),
        Option(
            "output",
            "o",
            ("output",),
            "write to this file, whose folders are made",
            argument="FILE",
        ),
        ON,
        NO_CACHE,
        JSON,
        HELP,
    ),
    permute=False,  # kmod's own options come first, and getopt keeps to that
)


def run(parsed: Parsed, console: Console) -> int:
    """Print the nodes; return 1 if a line was malformed or the output cannot be written."""
    for each in parsed.every("format"):
        if each not in FORMATS:
            console.cause = UsageError(f"unknown format: {each}")
            console.raw(f"Unknown format: '{each}'.")
            if not console.json:
                console.out.write(COMMAND.help_text())
            return 1
    path = _path(parsed, console)
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        text = f"{path} not found - ignoring"
        console.raw(f"Warning: {text}", "WARNING", text)
        data = None
    except OSError as error:
        reason = FileError.from_os("read", path, error)
        return _failed(f"could not open {path} - {error.strerror}", reason, console)
    lines = devname_lines(data or b"")
    bad = [line for line, node in lines if node is None]
    nodes = [node for _, node in lines if node is not None]
    status = 0
    output = parsed.last("output") if parsed.has("output") else None
    if data is not None and not (console.json and output is None):
        write = FORMATS[parsed.last("format", "human")]
        status = _write("".join([write(node) for node in nodes]), output, console)
    for line in [] if status else bad:
        text = f"invalid devname entry: {line}"
        console.raw(f"Error: {text}", "ERROR", text)
    if console.json:
        from lkm.report.documents.trees import static_nodes_document

        console.document = static_nodes_document(path, nodes, bad)
    return 1 if bad else status


def _path(parsed: Parsed, console: Console) -> str:
    try:
        directory = Target(parsed.last("on"), console).directory
    except NoTreeError as error:
        directory = error.directory
    return f"{directory}/modules.devname"


def _write(text: str, output: str | None, console: Console) -> int:
    if output is None:
        console.out.write(text)
        return 0
    parent = os.path.dirname(output)
    try:
        if parent:
            os.makedirs(parent, mode=0o755, exist_ok=True)
    except OSError as error:
        # makedirs says "File exists" of a file in the way.
        in_the_way = isinstance(error, FileExistsError)
        shown = "Not a directory" if in_the_way else error.strerror
        reason = FileError.from_os("write", output, error)
        text = f"could not create parent directory for {output} - {shown}."
        return _failed(text, reason, console)
    try:
        with open(output, "wb") as file:
            file.write(_text.encode(text))
    except OSError as error:
        reason = FileError.from_os("write", output, error)
        return _failed(f"could not create {output} - {error.strerror}", reason, console)
    return 0


def _failed(text: str, error: FileError, console: Console) -> int:
    console.cause = error
    console.raw(f"Error: {text}", "ERROR", text)
    return 1
