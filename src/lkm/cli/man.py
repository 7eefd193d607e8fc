"""Show a manual page of lkm, or write all of them.

PAGE is one of lkm's commands, or modprobe.d or depmod.d, the files of their configuration; without
it the page is lkm's own. In a terminal the page is shown by man(1), elsewhere its mdoc source is
printed. --to DIR writes every page into DIR/man1, man5 and man8, where man finds them if DIR is in
its path, such as /usr/local/share/man. Their names (lkm-modprobe.8) are none of kmod's.
Exit status: 0, 2 for an unknown PAGE, 3 if they could not be written.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile

from lkm._text import printable, quoted
from lkm.cli.beside import written_beside
from lkm.cli.console import Console
from lkm.cli.manual.page import page, page_file, page_names
from lkm.errors import FileError, UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("page", nargs="?", metavar="PAGE", help="the page (default: lkm)")
    parser.add_argument("--to", metavar="DIR", help="write all pages into folders below DIR")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead")


def run(args: argparse.Namespace, console: Console) -> int:
    """Show one page or write them all."""
    if args.to is not None:
        if args.page:
            raise UsageError("--to writes all pages; name none")
        return _write_all(args.to, console)
    name = args.page or "lkm"
    if name not in page_names():
        error = UsageError(f"no page for {quoted(name)}")
        error.remedy = "lkm --help lists the commands"
        raise error
    source = page(name)
    if args.json:
        from lkm.report.documents.installing import pages_document

        console.document = pages_document([(name, page_file(name), None, source)])
    elif not (console.out.isatty() and _shown(page_file(name), source)):
        console.out.write(source)
    return 0


def _shown(file: str, source: str) -> bool:
    """Show the page as man does; tell whether there is a man that takes a file."""
    man = shutil.which("man")
    if man is None:
        return False
    with tempfile.TemporaryDirectory(prefix="lkm-man-") as folder:
        path = os.path.join(folder, file)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(source)
        return subprocess.run([man, "-l", path], check=False).returncode == 0


def _write_all(directory: str, console: Console) -> int:
    written: list[tuple[str, str, str, None]] = []
    for name in page_names():
        file = page_file(name)
        path = os.path.join(directory, f"man{file[-1]}", file)
        _write(path, page(name))
        written.append((name, file, path, None))
    if console.json:
        from lkm.report.documents.installing import pages_document

        console.document = pages_document(written)
    else:
        console.out.write("".join([printable(path) + "\n" for _, _, path, _ in written]))
    return 0


def _write(path: str, source: str) -> None:
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    except OSError as error:
        raise FileError.from_os("write", path, error) from error
    with written_beside(path) as beside, open(beside, "w", encoding="utf-8") as stream:
        stream.write(source)
