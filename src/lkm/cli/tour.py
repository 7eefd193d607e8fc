"""The lesson on loadable kernel modules, told with real commands and their real output.

It needs nothing: it is told on the teaching kernel that comes with lkm, in a sandbox of its own.
--release R --root DIR tells it on a real distribution's kernel, in a sandbox as well; --on live on
the running kernel, which it changes, and therefore asks first. It ends with what it has verified.
Exit status: 0 if every claim held, 1 if one did not.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable

from lkm.cli.console import Console
from lkm.cli.which_kernel import only_release
from lkm.errors import UsageError
from lkm.names import module_name_of_path
from lkm.teaching import RELEASE, teaching_root
from lkm.tour.basics import BASICS
from lkm.tour.events import Ran, Scene
from lkm.tour.loading import LOADING
from lkm.tour.telling import Style, summary, tell
from lkm.tree.catalog import Catalog
from lkm.tree.installed import tree_directory

_NEEDED = ("btrfs", "vfat", "fat")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--step", action="store_true", help="wait for Enter after each part")
    parser.add_argument("--on", choices=("sandbox", "live"), default="sandbox", help="the kernel")
    parser.add_argument("--yes", action="store_true", help="with --on live: do not ask")
    parser.add_argument("--root", metavar="DIR", help="a root with a distribution's kernel")
    parser.add_argument("--release", metavar="R", help="that kernel's release")
    parser.add_argument("--json", action="store_true", help="print what was verified as JSON")


def run(args: argparse.Namespace, console: Console) -> int:
    """Tell the lesson; return 1 if something that it claims did not hold."""
    if args.on == "live" and (args.root or args.release):
        raise UsageError("--on live is the running kernel: --root and --release are for a sandbox")
    if args.on == "live" and not (args.yes or _agreed(console)):
        console.error("not told: it would load and unload modules of the running kernel")
        return 1
    folder = tempfile.mkdtemp(prefix="lkm-tour-")
    state = os.environ.get("LKM_STATE")
    os.environ["LKM_STATE"] = os.path.join(folder, "sandbox")
    try:
        return _tell(args, console, folder)
    finally:
        if state is None:
            del os.environ["LKM_STATE"]
        else:
            os.environ["LKM_STATE"] = state
        shutil.rmtree(folder, ignore_errors=True)


def _tell(args: argparse.Namespace, console: Console, folder: str) -> int:
    scene = _scene(args, folder)
    if scene.on == "sandbox":
        from lkm.kernel.sandbox import Sandbox  # the live kernel needs none

        Sandbox().boot(scene.release, scene.root)
    out = io.StringIO() if args.json else console.out
    style = Style(colour=not args.json and _wants_colour(console))
    pause = _wait_for_enter(console) if args.step else _go_on
    out.write(f"Loadable kernel modules: a lesson on {scene.release}, {_where(scene)}.\n")
    checked = tell((*BASICS, *LOADING), scene, _run_lkm, out, style, pause=pause)
    if args.json:
        from lkm.report.documents.tour import tour_document

        console.document = tour_document(scene, checked)
    else:
        out.write(summary(checked, style))
    return 0 if all(one.holds for one in checked) else 1


def _scene(args: argparse.Namespace, folder: str) -> Scene:
    """Return the kernel to tell it on. Raises ``UsageError`` where it lacks what is shown."""
    if args.on == "live":
        root, release = "/", os.uname().release
    elif args.root or args.release:
        root = args.root or "/"
        release = args.release or only_release(root)
    else:
        root, release = teaching_root(), RELEASE
    directory = tree_directory(root, release)
    catalog = Catalog.open(directory)
    entries = {name: catalog.entry(name) for name in _NEEDED}
    missing = [name for name, entry in entries.items() if entry is None]
    if missing:
        raise UsageError(f"{release} has no module {', '.join(missing)}, which the lesson shows")
    paths = {name: catalog.file(entry.path) for name, entry in entries.items() if entry}
    btrfs = entries["btrfs"]
    assert btrfs is not None
    return Scene(
        on=args.on,
        root=root,
        release=release,
        directory=directory,
        dependencies=tuple(module_name_of_path(path) for path in reversed(btrfs.depends)),
        vfat_path=paths["vfat"],
        fat_path=paths["fat"],
        folder=folder,
    )


def _where(scene: Scene) -> str:
    if scene.on == "live":
        return "the running kernel"
    return "in a sandbox: real module files, a kernel in a file"


def _run_lkm(words: tuple[str, ...]) -> Ran:
    """Run an lkm command in this process, its output kept."""
    from lkm.cli.main import main  # main imports this file

    out, err = _Kept(), _Kept()
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out, err
    try:
        status = main(["lkm", *words])
    finally:
        sys.stdout, sys.stderr = streams
    return Ran(status, out.text(), err.text())


class _Kept(io.TextIOWrapper):
    """A stream whose text is kept."""

    def __init__(self) -> None:
        self._bytes = io.BytesIO()
        super().__init__(self._bytes, encoding="utf-8", errors="surrogateescape", newline="\n")

    def text(self) -> str:
        self.flush()
        return self._bytes.getvalue().decode("utf-8", "surrogateescape")


def _agreed(console: Console) -> bool:
    console.out.write("This loads and unloads modules of the running kernel. Go on? [y/N] ")
    console.out.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _wants_colour(console: Console) -> bool:
    return console.out.isatty() and not os.environ.get("NO_COLOR")


def _go_on() -> None:
    """Do not wait."""


def _wait_for_enter(console: Console) -> Callable[[], None]:
    def wait() -> None:
        console.out.write("\n[Enter] ")
        console.out.flush()
        sys.stdin.readline()

    return wait
