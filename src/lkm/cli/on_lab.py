"""``--on lab``: one command in a fresh guest, instead of here.

The guest gets the words as they are. There the lab is the kernel that runs, and what chose the
kernel has done its work.
"""

from __future__ import annotations

import os

from lkm.errors import LkmError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence
    from types import SimpleNamespace

    from lkm.cli.console import Console
    from lkm.cli.options import Parsed

_IN_LAB = "LKM_LAB"
# A variable alone could stand in anybody's environment.
_OF_GUESTS = "/lab/settings"
# By which options kmod's tools are told a release and a root.
_RELEASE = "release"
_ROOTS = {"modprobe": "dirname", "modinfo": "basedir", "depmod": "basedir"}
# What the lesson loads, and what it tells of.
_LESSON = (
    *("btrfs", "vfat", "fat", "binfmt_misc", "nls_cp437", "nls_ascii", "nls_iso8859_1", "dummy"),
    *("cryptd", "usb_storage", "e100", "parport", "ppdev", "aes_generic", "zlib_deflate"),
)


def in_lab() -> bool:
    """Tell whether this process runs in a guest."""
    return bool(os.environ.get(_IN_LAB)) and os.path.exists(_OF_GUESTS)


def settled(args: Namespace | SimpleNamespace) -> None:
    """Have *args* of a verb mean the running kernel, in a guest that was chosen by them."""
    if getattr(args, "on", "") == "lab" and in_lab():
        args.on = "live"
        for name in ("root", "release", "vmlinux", "kernel"):
            if hasattr(args, name):
                setattr(args, name, None)


def tool_on_lab(name: str, words: Sequence[str], parsed: Parsed, console: Console) -> int:
    """Run one of kmod's tools in a guest; return its exit status, or one of the lab's."""
    release = parsed.last(_RELEASE)
    root = parsed.last(_ROOTS.get(name, ""))
    return _run(name, words, console, release=release or None, root=root or None)


def verb_on_lab(
    name: str, words: Sequence[str], args: Namespace | SimpleNamespace, console: Console
) -> int:
    """Run one of lkm's own verbs in a guest; return its exit status, or one of the lab's."""
    from lkm.cli.lab import has_terminal

    which = {key: getattr(args, key, None) for key in ("release", "root", "vmlinux", "kernel")}
    modules = _LESSON if name == "tour" else ()
    on_terminal = name == "tour" and not args.json and has_terminal()
    return _run(name, words, console, modules=modules, on_terminal=on_terminal, **which)


def _run(  # noqa: PLR0913  # what chooses a kernel, and what a command needs
    name: str,
    words: Sequence[str],
    console: Console,
    *,
    release: str | None = None,
    root: str | None = None,
    vmlinux: str | None = None,
    kernel: str | None = None,
    modules: Sequence[str] = (),
    on_terminal: bool = False,
) -> int:
    from argparse import Namespace

    from lkm.cli.lab import current_folder, handed_on, in_good_order, run_once
    from lkm.cli.lab_kernel import lab_kernel
    from lkm.cli.lab_report import report
    from lkm.lab.setup import LabRequest

    chosen = Namespace(
        release=release, root=root, vmlinux=vmlinux, kernel=kernel, arch=None, no_cache=False
    )
    request = LabRequest(
        command=("lkm", name, *words),
        modules=tuple(modules),
        optional_modules=True,
        on_terminal=on_terminal,
        folder=current_folder(console),
        environment=handed_on(),
    )
    try:
        with in_good_order():
            return run_once(lab_kernel(chosen, console), request, console, as_it_is=True)
    except UsageError:
        raise
    except LkmError as error:
        console.complain(error)
        return report(None, error, console)
