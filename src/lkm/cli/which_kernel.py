"""The options by which every own verb is told which kernel and which tree it is about."""

from __future__ import annotations

import os

from lkm._value import Value
from lkm.cli.opening import sandbox_status
from lkm.errors import NoTreeError, UsageError
from lkm.tree.catalog import Catalog
from lkm.tree.fetched import fetched_roots, root_of_release
from lkm.tree.installed import MODULE_FOLDERS, installed_kernels, releases, tree_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Final

    from lkm.cli.console import Console


_ON = ("live", "sandbox", "lab")
# The same for ``lkm.cli.plain``.
PLAIN_OPTIONS = {"on": "live", "root": None, "release": None, "vmlinux": None, "kernel": None}
PLAIN_CHOICES = {"on": _ON}


def add_arguments(parser: ArgumentParser, *, on: bool = True) -> None:
    """Declare --on, --root, --release, --vmlinux, the short form --kernel, and --no-cache.

    Without *on* all but the first.
    """
    if on:
        parser.add_argument(
            "--on", choices=_ON, default="live", help="which kernel (default: live)"
        )
    parser.add_argument("--root", metavar="DIR", help="another file system root")
    parser.add_argument(
        "--release", metavar="RELEASE", help="the kernel's release, as uname -r says it"
    )
    parser.add_argument(
        "--vmlinux", metavar="FILE", help="the kernel's image, or facts saved of it"
    )
    parser.add_argument(
        "--kernel",
        metavar="RELEASE|PATH",
        help="short: a release, or with a slash in it an image or a tree",
    )
    add_no_cache(parser)


def add_no_cache(parser: ArgumentParser, *, again: bool = False) -> None:
    """Declare --no-cache; *again* where the parser is that of an action of one that has it."""
    from argparse import SUPPRESS  # whoever has a parser has it, and it tells its word by identity

    parser.add_argument(
        "--no-cache",
        action="store_true",
        default=SUPPRESS if again else False,
        help="neither use nor remember facts of earlier runs",
    )


class Chosen(Value):
    """The kernel that the arguments name.

    *running* tells whether it is the running one. *image* is empty where none was named; the
    installed one stands in for it. *named* tells whether any argument named a kernel.
    """

    __slots__ = ("image", "named", "on", "release", "root", "running", "tree")

    def __init__(
        self,
        *,
        on: str,
        root: str,
        release: str,
        image: str,
        running: bool,
        named: bool,
        tree: str = "",
    ) -> None:
        self.on: Final = on
        self.root: Final = root
        self.release: Final = release
        self.image: Final = image
        self.running: Final = running
        self.named: Final = named
        self.tree: Final = tree

    @property
    def directory(self) -> str:
        """The tree's directory. Raises ``NoTreeError``."""
        return self.tree or tree_directory(self.root, self.release)

    def catalog(self, console: Console) -> Catalog:
        """Return the tree; says on stderr why its indexes are not used. Raises ``NoTreeError``."""
        return Catalog.open(self.directory, on_notice=console.warning)


def chosen(args: Namespace, console: Console) -> Chosen:
    """Return the kernel that the arguments name: from an image its release, else the other way.

    Raises ``UsageError`` where they contradict each other, and what reading an image raises.
    """
    release, image, tree = args.release or "", args.vmlinux or "", ""
    if args.kernel and (release or image):
        raise UsageError("--kernel stands for --release or --vmlinux; give one of them")
    if args.kernel and os.path.isdir(args.kernel):
        tree = args.kernel
        release = os.path.basename(os.path.abspath(tree))
    elif args.kernel and "/" in args.kernel:
        image = args.kernel
    elif args.kernel:
        release = args.kernel
    if image:
        release = _release_of(image, release)
    named = bool(args.root or release or image)
    root = args.root or _root_of(tree, image, release)
    running = False
    if args.on == "sandbox":
        status = sandbox_status(console)
        if not tree and not root and release in ("", status.release):
            tree = status.directory
        root = root or root_of_release(release, status.root)
        release = release or status.release
    elif root not in ("", "/"):
        release = release or only_release(root)
    else:
        default = os.uname().release
        running = not args.root and release in ("", default)
        root = root or root_of_release(release)
        release = release or default
    return Chosen(
        on=args.on,
        root=root,
        release=release,
        image=image,
        running=running,
        named=named,
        tree=tree,
    )


def _release_of(image: str, release: str) -> str:
    """Return the release of *image*. Raises ``UsageError`` if that is not *release*, if given."""
    from lkm.kernel.image_facts import release_of  # most calls name no image

    told = release_of(image)
    if not told and not release:
        raise UsageError(f"{image} does not say which release it is; add --release")
    if told and release and told != release:
        raise UsageError(f"{image} is the kernel {told}, not {release}")
    return told or release


def _root_of(tree: str, image: str, release: str) -> str:
    """Return the root that a *tree* lies in, or an *image* whose kernel has a tree there too.

    Empty where the place of neither tells it.
    """
    if tree:
        path = os.path.abspath(tree)
        # The longer one first: the other is its end.
        for folder in sorted(MODULE_FOLDERS, key=len, reverse=True):
            if path.endswith(f"/{folder}/{release}"):
                return path.removesuffix(f"/{folder}/{release}") or "/"
    folder = os.path.dirname(os.path.abspath(image)) if image else ""
    if os.path.basename(folder) == "boot":
        root = os.path.dirname(folder)
        if release in releases(root):
            return root
    return ""


def only_release(root: str) -> str:
    """Return the release that is meant where none was named: the only one, or the running one.

    Raises ``UsageError``, which names those that are there, and ``NoTreeError`` where none is.
    """
    found = releases(root) or tuple([kernel.release for kernel in installed_kernels(root)])
    if len(found) == 1:
        return found[0]
    running = os.uname().release
    if running in found and root == "/":
        return running
    if not found:
        fetched = ", ".join(fetched_roots()) if root == "/" else ""
        raise NoTreeError(
            root,
            "no kernel with modules is installed there",
            f"name one of those fetched with --release: {fetched}"
            if fetched
            else "name another --root; `lkm sandbox boot --teaching` boots the one that comes with "
            "lkm",
        )
    there = ", ".join(found)
    raise UsageError(f"--release is needed: the kernels under {root} are {there}")
