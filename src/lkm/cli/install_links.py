"""Make lkm answer to the names of kmod's six tools: write symlinks to it into DIR.

They are depmod, insmod, lsmod, modinfo, modprobe and rmmod. DIR is made if it is not there. A link
that points to an lkm already is renewed; anything else of such a name is in the way: then nothing
is changed at all, unless --force says to replace it, which a folder never is. The links hold lkm's
absolute path, or with --relative the way to it from DIR, for a file system that is being staged.
Exit status: 0 they are there, 1 something is in the way, 3 they could not be written.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys

from lkm._text import printable
from lkm.cli.beside import written_beside
from lkm.cli.console import Console
from lkm.errors import FileError, UsageError

TOOLS = ("depmod", "insmod", "lsmod", "modinfo", "modprobe", "rmmod")
PROGRAM = "lkm"

MADE, REPLACED, KEPT, REFUSED, LEFT = "made", "replaced", "kept", "refused", "left"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("directory", metavar="DIR", help="where, such as /usr/local/sbin")
    parser.add_argument(
        "--program", metavar="FILE", help="the lkm that they point to, instead of this one"
    )
    parser.add_argument(
        "--relative", action="store_true", help="point to it by the way from DIR, not from /"
    )
    parser.add_argument("--force", action="store_true", help="replace files that are in the way")
    parser.add_argument("--dry-run", action="store_true", help="change nothing, tell what would be")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead")


def run(args: argparse.Namespace, console: Console) -> int:
    """Write the links; return 1, with nothing changed, where something is in the way."""
    program = os.path.abspath(args.program) if args.program else this_program()
    if not os.access(program, os.X_OK) or os.path.isdir(program):
        raise UsageError(f"{program} is no program that could be run")
    target = program
    if args.relative:
        folder = os.path.realpath(args.directory)
        target = os.path.relpath(os.path.realpath(os.path.dirname(program)), folder)
        target = os.path.normpath(os.path.join(target, os.path.basename(program)))
    actions = {name: _action(f"{args.directory}/{name}", target, args) for name in TOOLS}
    refused = [name for name, action in actions.items() if action == REFUSED]
    if not args.dry_run and not refused:
        _write(args.directory, target, actions)
    if refused:  # nothing is done about the others either
        change = {MADE: LEFT, REPLACED: LEFT}
        actions = {name: change.get(action, action) for name, action in actions.items()}
    _tell(args, program, target, actions, console)
    for name in refused:
        path = f"{args.directory}/{name}"
        if os.path.isdir(path) and not os.path.islink(path):
            console.error(f"{path} is a folder, which is never replaced")
        else:
            console.error(f"{path} is there and no link to lkm; --force replaces it")
    return 1 if refused else 0


def this_program() -> str:
    """Return the path of the ``lkm`` that is running. Raises ``UsageError`` where none can be told.

    Run as ``python -m lkm`` it is the one beside that Python, or else the one in PATH.
    """
    called = shutil.which(sys.argv[0])
    if called is not None and os.path.basename(called) == PROGRAM:
        return os.path.abspath(called)
    beside = os.path.join(os.path.dirname(sys.executable), PROGRAM)
    found = beside if os.access(beside, os.X_OK) else shutil.which(PROGRAM)
    if found is None:
        error = UsageError("this lkm was not started by a program of that name")
        error.remedy = "name one with --program FILE"
        raise error
    return os.path.abspath(found)


def _action(path: str, target: str, args: argparse.Namespace) -> str:
    """Return what is to be done about *path*, of which *target* should be the content."""
    if not os.path.lexists(path):
        return MADE
    if os.path.islink(path):
        there = os.readlink(path)
        if there == target:
            return KEPT
        if os.path.basename(there) == PROGRAM:
            return REPLACED
    elif os.path.isdir(path):
        return REFUSED
    return REPLACED if args.force else REFUSED


def _write(directory: str, target: str, actions: dict[str, str]) -> None:
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError as error:
        raise FileError.from_os("make", directory, error) from error
    for name, action in actions.items():
        if action != KEPT:
            with written_beside(os.path.join(directory, name)) as beside:
                os.symlink(target, beside)


def _tell(
    args: argparse.Namespace, program: str, target: str, actions: dict[str, str], console: Console
) -> None:
    if args.json:
        from lkm.report.documents.installing import links_document

        rows = [(name, target, action) for name, action in actions.items()]
        console.document = links_document(args.directory, program, rows, dry_run=args.dry_run)
        return
    if REFUSED in actions.values():
        return
    would = "would be " if args.dry_run else ""
    for name, action in actions.items():
        done = "is there already" if action == KEPT else f"{would}{action}"
        path = os.path.join(args.directory, name)
        console.out.write(printable(f"{path} -> {target}: {done}") + "\n")
