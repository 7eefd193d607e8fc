"""The lesson on loadable kernel modules, told with real commands and their real output.

It needs nothing: it is told on the teaching kernel that comes with lkm, in a sandbox of its own.
--release R --root DIR tells it on a real distribution's kernel, in a sandbox as well; with --on lab
that kernel runs, in a throw-away machine; --on live tells it on the running kernel, which it
changes, and therefore asks first. It ends with what it has verified.
Exit status: 0 if every claim held, 1 if one did not.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lkm.cli.console import Console
from lkm.cli.ending import Interrupts, ended_by_signals
from lkm.cli.on_lab import in_lab
from lkm.cli.which_kernel import add_no_cache, only_release
from lkm.errors import LkmError, NoTreeError, UsageError
from lkm.kernel.live import LiveKernel
from lkm.kernel.sandbox import Sandbox
from lkm.names import module_name_of_path
from lkm.teaching import RELEASE, teaching_root
from lkm.tour.basics import BASICS
from lkm.tour.events import Ran, Run, Scene
from lkm.tour.loading import LOADING
from lkm.tour.telling import Style, summary, tell
from lkm.tree.catalog import Catalog, Entry
from lkm.tree.fetched import root_of_release
from lkm.tree.installed import tree_directory

_NEEDED = ("btrfs", "vfat", "fat")
_KINDS = ("kernel/drivers", "kernel/fs", "kernel/crypto", "kernel/lib")
# One of these, whichever the kernel has as a module that needs no other.
_LONE = ("binfmt_misc", "nls_cp437", "nls_ascii", "dummy", "cryptd")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--step", action="store_true", help="wait for Enter after each part")
    parser.add_argument(
        "--on", choices=("sandbox", "live", "lab"), default="sandbox", help="the kernel"
    )
    parser.add_argument("--yes", action="store_true", help="with --on live: do not ask")
    parser.add_argument("--root", metavar="DIR", help="a root with a distribution's kernel")
    parser.add_argument("--release", metavar="RELEASE", help="that kernel's release")
    add_no_cache(parser)
    parser.add_argument("--json", action="store_true", help="print what was verified as JSON")


def run(args: argparse.Namespace, console: Console) -> int:
    """Tell the lesson; return 1 if something that it claims did not hold."""
    if args.json and args.step:
        raise UsageError("--step waits for a reader, and --json has none")
    if args.on == "live":
        if args.root or args.release:
            raise UsageError("--on live is the running kernel; --root and --release are not for it")
        if args.json and not args.yes and not in_lab():
            raise UsageError("--on live asks before it changes the kernel; with --json say --yes")
        LiveKernel().modules()  # raises where it takes no modules
    with _private_folder() as folder, ended_by_signals() as interrupts:
        scene = _scene(args, folder)
        if scene.on == "live" and not (args.yes or in_lab() or _agreed(console)):
            text = "not told: it would load and unload modules of the running kernel"
            console.error(text, LkmError(text))
            return 1
        return _tell(scene, args, console, lambda command: _ran(command, interrupts))


def _tell(
    scene: Scene, args: argparse.Namespace, console: Console, runner: Callable[[Run], Ran]
) -> int:
    if scene.on == "sandbox":
        Sandbox().boot(scene.release, scene.root)
    out = io.StringIO() if args.json else console.out
    style = Style(colour=not args.json and _wants_colour(console))
    pause = _wait_for_enter(console) if args.step else _go_on
    out.write(f"Loadable kernel modules: a lesson on {scene.release}, {_where(scene)}.\n")
    checked = tell((*BASICS, *LOADING), scene, runner, out, style, pause=pause)
    if args.json:
        from lkm.report.documents.tour import tour_document

        console.document = tour_document(scene, checked)
    else:
        out.write(summary(checked, style))
        out.write("\n" + _try_it_yourself(scene) + "\n")
    return 0 if all(one.holds for one in checked) else 1


def _scene(args: argparse.Namespace, folder: str) -> Scene:
    """Return the kernel to tell it on. Raises ``UsageError`` where it lacks what is shown."""
    if args.on == "live":
        root, release = "/", os.uname().release
    elif args.root or args.release:
        root = args.root or root_of_release(args.release or "")
        release = args.release or only_release(root)
    else:
        root, release = teaching_root(), RELEASE
    directory = tree_directory(root, release)
    if not os.path.isfile(f"{directory}/modules.dep.bin"):
        remedy = f"make them first: lkm depmod -b {root} {release}"
        raise NoTreeError(directory, "this tree has no indexes, which the lesson shows", remedy)
    catalog = Catalog.open(directory)
    entries: dict[str, Entry] = {entry.name: entry for entry in catalog.entries()}
    missing = [name for name in _NEEDED if name not in entries]
    lone = [name for name in _LONE if name in entries and not entries[name].depends]
    if missing or not lone:
        lacking = ", ".join(missing) or f"one of {', '.join(_LONE)}"
        built_in = [name for name in missing if catalog.is_builtin(name)]
        why = f" (built in: {', '.join(built_in)})" if built_in else ""
        raise UsageError(f"{release} lacks modules that the lesson loads: {lacking}{why}")
    kinds = {
        folder: entry.name
        for entry in reversed(entries.values())
        for folder in _KINDS
        if entry.path.startswith(f"{folder}/")
    }
    return Scene(
        on=args.on,
        root=root,
        release=release,
        directory=directory,
        count=len(entries),
        kinds=tuple((folder, kinds[folder]) for folder in _KINDS if folder in kinds),
        dependencies=tuple(
            module_name_of_path(path) for path in reversed(entries["btrfs"].depends)
        ),
        lone=lone[0],
        vfat_path=catalog.file(entries["vfat"].path),
        fat_path=catalog.file(entries["fat"].path),
        folder=folder,
    )


def _where(scene: Scene) -> str:
    if scene.on == "live" and in_lab():
        return "a real kernel in a throw-away machine"
    if scene.on == "live":
        return "the running kernel"
    return "in a sandbox: real module files, a kernel in a file"


def _try_it_yourself(scene: Scene) -> str:
    if scene.on == "live" and in_lab():
        return f"Try it yourself: `lkm lab --release {scene.release} --modules btrfs vfat`."
    if scene.on == "live":
        return "Try it yourself: the commands above work as they stand, as root."
    if scene.root == teaching_root():
        return (
            "Try it yourself: `lkm --on sandbox modprobe btrfs`. The first such command boots this "
            "kernel in a sandbox of yours;\n`lkm sandbox reset` forgets it."
        )
    boot = f"lkm sandbox boot --root {scene.root} --release {scene.release}"
    return f"Try it yourself: `{boot}`, then the commands above."


@contextmanager
def _private_folder() -> Iterator[str]:
    """Make a folder for snapshots and for a sandbox of the lesson's own; it goes at the end."""
    folder = tempfile.mkdtemp(prefix="lkm-tour-")
    state = os.environ.get("LKM_STATE")
    os.environ["LKM_STATE"] = os.path.join(folder, "sandbox")
    try:
        yield folder
    finally:
        if state is None:
            del os.environ["LKM_STATE"]
        else:
            os.environ["LKM_STATE"] = state
        shutil.rmtree(folder, ignore_errors=True)


def _ran(command: Run, interrupts: Interrupts) -> Ran:
    """Run *command*, its output kept: lkm in this process, others as they are installed."""
    if command.program != "lkm":
        try:
            done = subprocess.run(
                [command.program, *command.words],
                capture_output=True,
                text=True,
                errors="surrogateescape",
                check=False,
            )
        except OSError as error:
            return Ran(127, "", f"{command.program}: {error.strerror}\n")
        return Ran(done.returncode, done.stdout, done.stderr)
    from lkm.cli.main import main  # main imports this file

    out, err = _Kept(), _Kept()
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out, err
    try:
        status = main(["lkm", *command.words])
    finally:
        sys.stdout, sys.stderr = streams
    interrupts.end()
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
