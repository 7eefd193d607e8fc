"""Fetch a distribution's kernel, without root, to where every verb of lkm's finds it.

SOURCE is debian:SERIES, such as debian:6.1, for the newest kernel of that series that apt knows;
debian:SERIES-FLAVOUR, such as debian:6.1-cloud or debian:6.12-rt; debian:RELEASE, such as
debian:6.1.0-56-amd64; or debian:PACKAGE for any other. It needs apt-get and dpkg, and no root:
where this machine's package lists do not have it, lkm fetches lists of its own. With --arch it is
a kernel of another machine, and a busybox for its guests comes along.
The kernel lies in a root folder of its own, kernels/RELEASE in ~/.local/share/lkm, or in the
folder that LKM_DATA names; --release RELEASE is enough to use it, `lkm kernels` lists it, and
rm -r of that folder takes it away. One that is there already is not fetched again.
Exit status: 0 it is there; 2 wrong usage; 3 it could not be fetched.
"""

from __future__ import annotations

import argparse

from lkm._text import printable
from lkm.cli.console import Console, one_line
from lkm.cli.progress import Bar
from lkm.cli.which_kernel import add_no_cache
from lkm.errors import FetchError, FileError
from lkm.lab.fetch.apt import native_architecture
from lkm.lab.fetch.kernels import FetchedKernel, fetch_kernel
from lkm.lab.fetch.programs import fetch_busybox, fetched_busybox, needs_busybox
from lkm.lab.fetch.sources import architecture_of

_FIRST = "debian:6.1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the action's arguments."""
    parser.add_argument("source", metavar="SOURCE", help=f"the kernel, such as {_FIRST}")
    parser.add_argument(
        "--arch",
        metavar="ARCHITECTURE",
        default="",
        help="the machine it is for, such as arm64 or aarch64 (default: this one)",
    )
    parser.add_argument(
        "--update",
        action="store_true",
        help="look for the newest of the series, also where another one is there already",
    )
    add_no_cache(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead")


def run(args: argparse.Namespace, console: Console) -> int:
    """Fetch the kernel, and what its guests need; say where it is and how it is used."""
    architecture = architecture_of(args.arch or native_architecture())
    with _Shown(console) as shown:
        kernel = fetch_kernel(args.source, architecture, update=args.update, watch=shown)
        if needs_busybox(architecture):
            try:
                fetch_busybox(architecture, shown)
            except (FetchError, FileError) as error:
                # The kernel is there, and only a guest's shell needs this.
                console.warning(f"busybox for guests was not fetched: {one_line(error)}")
    if args.json:
        from lkm.report.documents.lab_get import lab_get_document

        console.document = lab_get_document(kernel, architecture, fetched_busybox(architecture))
    else:
        console.out.write(_told(kernel))
    return 0


class _Shown:
    """Shows on stderr what is being done: a line for each thing, on a terminal also a bar."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._what = ""
        self._bar: Bar | None = None

    def __enter__(self) -> _Shown:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def __call__(self, what: str, done: int, total: int) -> None:
        if what != self._what:
            self._end()
            self._what = what
            size = f" ({_mib(total)})" if total else ""
            self._console.say("NOTICE", f"{what}{size}")
            self._bar = Bar(self._console, what.partition(" ")[0])
        if self._bar is not None:
            self._bar(done, total)

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.__exit__()
        self._bar = None


def _told(kernel: FetchedKernel) -> str:
    record = kernel.record
    package = f"{record.package} {record.version}" if record else kernel.release
    how = "is there already" if kernel.already_there else "is fetched"
    return (
        f"{package} {how}: {printable(kernel.root)} ({_mib(kernel.bytes)})\n"
        f"Use it with --release {kernel.release}: lkm lab, find, kconfig, kallsyms, sandbox boot, "
        "tour.\n"
    )


def _mib(count: int) -> str:
    return f"{count / (1 << 20):.0f} MiB" if count >= 10 << 20 else f"{count / (1 << 20):.1f} MiB"
