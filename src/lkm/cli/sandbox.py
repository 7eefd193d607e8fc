"""A kernel in a file: what its module loader does is what the real one does, but no code runs.

Boot it on any kernel's modules (`lkm sandbox boot --release R --root DIR`), then use the other
commands with `--on sandbox`: modprobe, insmod, rmmod, lsmod. It needs no root. What its kernel
exports and how it is configured comes from the image in DIR/boot, or from FILE with --vmlinux.
It obeys the modprobe.d of its own root and the command line given with --append, never this
machine's. Where none was booted it is the small teaching kernel that comes with lkm.
LKM_STATE names its file; without that it lies in the XDG state folder.
What code of a module would do, you say: what its init returns (insmod and modprobe with
--init-returns), that its exit does not end (rmmod with --exit-returns never), and who holds it.
Exit status: 0, or 1 where its kernel refuses (cat, finish, hold, release, write).
"""

from __future__ import annotations

import argparse

from lkm._text import decode, printable
from lkm.cli.console import Console
from lkm.cli.opening import open_sandbox
from lkm.cli.sandbox_changes import finish, hold, release, write
from lkm.cli.sandbox_status_text import status_text
from lkm.cli.which_kernel import add_no_cache, only_release
from lkm.errors import FileError, UsageError
from lkm.kernel.image_facts import read_kernel_facts
from lkm.kernel.sandbox import Sandbox
from lkm.kernel.sandbox_status import Status
from lkm.loader.boot_options import ignored_words
from lkm.teaching import RELEASE, teaching_root
from lkm.tree.fetched import root_of_release


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_no_cache(parser)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str, text: str) -> argparse.ArgumentParser:
        made = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        add_no_cache(made, again=True)
        made.add_argument("--json", action="store_true", help="print one JSON document instead")
        return made

    boot = action("boot", "boot a kernel; what was loaded before is gone")
    boot.add_argument(
        "--release",
        metavar="RELEASE",
        help="which of the root's kernels; may be left out where there is but one",
    )
    boot.add_argument(
        "--root",
        metavar="DIR",
        help="the file system root it lies in (default: /, else where `lkm lab get` has put it)",
    )
    boot.add_argument(
        "--vmlinux", default="", metavar="FILE", help="its image, or saved facts of it"
    )
    boot.add_argument(
        "--teaching", action="store_true", help="boot the small kernel that comes with lkm"
    )
    boot.add_argument(
        "--symvers", default="", metavar="FILE", help="a Module.symvers with the kernel's exports"
    )
    boot.add_argument("--append", default="", metavar="ARGS", help="the kernel's command line")
    boot.add_argument(
        "--certificate",
        action="append",
        default=[],
        metavar="FILE",
        help=(
            "a certificate (DER or PEM) that it trusts beside its own, as if its machine's owner "
            "had enrolled it; may be given several times"
        ),
    )
    action("reset", "forget the kernel")
    action("status", "tell which kernel it is and what is known of it")
    cat = action("cat", "print a file of its /proc or /sys, or a folder's entries")
    cat.add_argument("path", metavar="PATH", help="such as /proc/modules or /sys/module/fat/refcnt")
    action("log", "print what the kernel has logged, oldest line first")
    ended = action("finish", "let an init that has not returned do so, or an exit end")
    ended.add_argument("module", metavar="LOADED", help="the module that is coming or going")
    ended.add_argument(
        "returns",
        nargs="?",
        default="0",
        metavar="N",
        help="what its init returns (0); -19 is ENODEV: it fails, and the module is gone",
    )
    held = action("hold", "take a reference on a module, as code that uses it does")
    held.add_argument("module", metavar="LOADED", help="the module to hold")
    freed = action("release", "give back a reference that hold has taken")
    freed.add_argument("module", metavar="LOADED", help="the module to let go of")
    written = action("write", "write to a file of its /proc or /sys, without a newline")
    written.add_argument(
        "path", metavar="PATH", help="such as /sys/module/NAME/parameters/PARAMETER"
    )
    written.add_argument("value", metavar="VALUE", help="what to write")


def run(args: argparse.Namespace, console: Console) -> int:
    """Do what the action says."""
    sandbox = Sandbox() if args.action in {"boot", "reset"} else open_sandbox(console)
    status: int = _ACTIONS[args.action](sandbox, args, console)
    return status


def _boot(sandbox: Sandbox, args: argparse.Namespace, console: Console) -> int:
    release, root = args.release or "", args.root or ""
    if args.teaching:
        if release or args.vmlinux or root not in ("", "/"):
            raise UsageError("--teaching names a kernel already; leave out the others")
        release, root = RELEASE, teaching_root()
    elif args.vmlinux and not release:
        release = read_kernel_facts(args.vmlinux).release or ""
    root = root or root_of_release(release)
    status = sandbox.boot(
        release or only_release(root),
        root,
        command_line=args.append,
        symvers=args.symvers,
        vmlinux=args.vmlinux,
        certificates=args.certificate,
    )
    for word in ignored_words(args.append):
        console.say("NOTICE", f"{word}: the kernel takes no such value, so it changes nothing")
    _show(status, args, console)
    return 0


def _reset(sandbox: Sandbox, args: argparse.Namespace, console: Console) -> int:
    sandbox.reset()
    if args.json:
        from lkm.report.documents.sandbox import sandbox_reset_document

        console.document = sandbox_reset_document()
    return 0


def _status(sandbox: Sandbox, args: argparse.Namespace, console: Console) -> int:
    _show(sandbox.status(), args, console)
    return 0


def _show(status: Status, args: argparse.Namespace, console: Console) -> None:
    if args.json:
        from lkm.report.documents.sandbox import sandbox_document

        console.document = sandbox_document(status)
        return
    console.out.write(status_text(status))


def _cat(sandbox: Sandbox, args: argparse.Namespace, console: Console) -> int:
    try:
        data = sandbox.read(args.path)
    except FileError as error:
        console.complain(error)
        return 1
    if args.json:
        from lkm.report.documents.sandbox import sandbox_file_document

        entries = sandbox.entries(args.path)
        console.document = sandbox_file_document(args.path, data, entries)
    else:
        console.out.write(decode(data))
    return 0


def _log(sandbox: Sandbox, args: argparse.Namespace, console: Console) -> int:
    lines = sandbox.log()
    if args.json:
        from lkm.report.documents.sandbox import sandbox_log_document

        console.document = sandbox_log_document(lines)
        return 0
    for line in lines:
        # A record may be of several lines.
        for text in line.text.split("\n"):
            console.out.write(printable(text) + "\n")
    return 0


_ACTIONS = {
    "boot": _boot,
    "reset": _reset,
    "status": _status,
    "cat": _cat,
    "log": _log,
    "finish": finish,
    "hold": hold,
    "release": release,
    "write": write,
}
