"""lkm sandbox finish, hold, release and write: what code of modules, or root, would do there."""

from __future__ import annotations

import argparse

from lkm.cli.answers import init_number
from lkm.cli.console import Console
from lkm.errors import FileError, KernelError
from lkm.kernel.sandbox import Sandbox
from lkm.names import module_name


def finish(sandbox: Sandbox, args: argparse.Namespace, console: Console) -> int:
    """Let what waits return; say whether the module is there then."""
    name, returned = module_name(args.module), init_number(args.returns)
    try:
        left = sandbox.finish(name, returned)
    except KernelError as error:
        return _refused(error, console)
    if args.json:
        from lkm.report.documents.sandbox import sandbox_module_document

        console.document = sandbox_module_document(name, left)
    else:
        console.out.write(f"{name} is {'gone' if left is None else left.state}\n")
    return 0


def hold(sandbox: Sandbox, args: argparse.Namespace, console: Console) -> int:
    """Take a reference; say how many there are then."""
    return _change(sandbox, args, console, taking=True)


def release(sandbox: Sandbox, args: argparse.Namespace, console: Console) -> int:
    """Give a reference back; say how many there are then."""
    return _change(sandbox, args, console, taking=False)


def write(sandbox: Sandbox, args: argparse.Namespace, console: Console) -> int:
    """Write to a file; say what it shows then, where it can be read."""
    try:
        sandbox.write(args.path, args.value)
    except FileError as error:
        return _refused(error, console)
    try:
        data = sandbox.read(args.path)
    except FileError:
        data = None
    if args.json:
        from lkm.report.documents.sandbox import sandbox_written_document

        console.document = sandbox_written_document(args.path, data)
    return 0


def _change(sandbox: Sandbox, args: argparse.Namespace, console: Console, *, taking: bool) -> int:
    name = module_name(args.module)
    try:
        if taking:
            sandbox.hold(name)
        else:
            sandbox.release_hold(name)
    except KernelError as error:
        return _refused(error, console)
    found = sandbox.find(name)
    if args.json:
        from lkm.report.documents.sandbox import sandbox_module_document

        console.document = sandbox_module_document(name, found)
    elif found is not None:
        console.out.write(
            f"{name} has {found.refcnt} reference{'' if found.refcnt == 1 else 's'}\n"
        )
    return 0


def _refused(error: FileError | KernelError, console: Console) -> int:
    console.complain(error)
    return 1
