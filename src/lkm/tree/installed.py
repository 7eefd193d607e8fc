"""Which kernels are installed under a root folder, and what each of them has."""

from __future__ import annotations

import os

from lkm._value import Value
from lkm.errors import FileError, FormatError, NoTreeError
from lkm.names import is_module_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# Debian and others have /lib as a link to /usr/lib, or have the one or the other.
MODULE_FOLDERS = ("lib/modules", "usr/lib/modules")

# What unpacks an archive without its times (pip, for one) makes all files within moments, in an
# order of its own. A list for people is not to call that stale; depmod -A is strict.
_UNPACKED_AT_ONCE_NS = 2_000_000_000

# The kernel's own build, left in a tree as links, and never a part of it.
NOT_MODULES = frozenset({"build", "source"})

# Each binary index, and the file of the kernel's build that it is made from, where it is one.
_INDEXES = {
    "modules.dep.bin": "",
    "modules.alias.bin": "",
    "modules.symbols.bin": "",
    "modules.builtin.bin": "modules.builtin",
    "modules.builtin.alias.bin": "modules.builtin.modinfo",
}
_IMAGES = ("vmlinuz-", "vmlinux-")
# How Debian's releases end, which `lkm lab get` can fetch.
_OF_DEBIAN = ("-amd64", "-arm64", "-armmp", "-686-pae", "-powerpc64le", "-riscv64", "-s390x")
# How the copies and signatures end that installing a kernel leaves beside its image.
_NOT_IMAGES = (".old", ".bak", ".sig", ".signed", ".hmac", ".dpkg-tmp", ".dpkg-new")


class InstalledKernel(Value):
    """One kernel's modules directory and what lies beside it.

    *directory*, *image* and *config* are paths, empty where there is none; one of the first two
    is there. *indexes* is what ``index_state`` says, empty without a directory. *module_count* is
    None where a part of the directory cannot be read.
    """

    __slots__ = ("config", "directory", "image", "indexes", "module_count", "release")

    def __init__(
        self,
        *,
        release: str,
        directory: str,
        module_count: int | None,
        indexes: str,
        image: str,
        config: str,
    ) -> None:
        self.release: Final = release
        self.directory: Final = directory
        self.module_count: Final = module_count
        self.indexes: Final = indexes
        self.image: Final = image
        self.config: Final = config


def tree_directory(root: str, release: str) -> str:
    """Return the modules directory of *release* under *root*.

    Raises ``NoTreeError``, whose remedy names the releases that are there.
    """
    base = root_base(root)
    directory = f"{base}/{modules_folder(base, release)}/{release}"
    # Without a release it is the folder of all trees.
    if release and os.path.isdir(directory):
        return directory
    raise NoTreeError(directory, "no such modules directory", _others(root, release))


def _others(root: str, release: str) -> str:
    """Return what to say of the kernels that there are, where *root* has no tree of *release*."""
    there = releases(root)
    said = [f"there are: {', '.join(there)}" if there else "there is none for any other release"]
    if root_base(os.path.abspath(root)):
        return said[0]
    from lkm.tree.fetched import fetched_roots  # of another root nobody fetches one

    fetched = fetched_roots()
    if release in fetched:
        said.append(f"`lkm lab get` has put one into the root {fetched[release]}")
    elif fetched:
        said.append(f"fetched: {', '.join(fetched)}")
    if release.endswith(_OF_DEBIAN) and release not in fetched:
        said.append(f"`lkm lab get debian:{release}` may fetch it")
    return "; ".join(said)


def modules_folder(base: str, release: str) -> str:
    """Return which of the ``MODULE_FOLDERS`` below *base* has *release*; the first if none has.

    *base* is a root folder so that a path can follow it: empty for ``/``.
    """
    for folder in MODULE_FOLDERS:
        if release and os.path.isdir(f"{base}/{folder}/{release}"):
            return folder
    return MODULE_FOLDERS[0]


def releases(root: str) -> tuple[str, ...]:
    """Return the releases that have a modules directory under *root*, oldest first."""
    return tuple(sorted(_directories(root), key=release_order))


def installed_kernels(root: str) -> tuple[InstalledKernel, ...]:
    """Return every kernel that has a modules directory or an image under *root*, oldest first.

    Raises ``FileError`` where it cannot be read which ones have a directory. A single tree that
    cannot be read is among them, with what is known of it.
    """
    found = {**dict.fromkeys(_with_image(root), ""), **_directories(root)}
    return tuple(
        [_installed(root, release, found[release]) for release in sorted(found, key=release_order)]
    )


def looks_like_a_release(text: str) -> bool:
    """Tell whether *text* begins as a kernel's release does: a number, a dot, a number."""
    major, dot, rest = text.partition(".")
    return bool(dot) and major.isdecimal() and rest[:1].isdecimal()


def release_order(release: str) -> list[tuple[int, int, str]]:
    """Return a sort key that puts 6.9 before 6.10: numbers are compared as numbers."""
    key: list[tuple[int, int, str]] = []
    rest = release
    while rest:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        if digits:
            key.append((1, int(rest[:digits]), ""))
            rest = rest[digits:]
        else:
            stop = next((at for at, letter in enumerate(rest) if letter in "0123456789"), len(rest))
            key.append((0, 0, rest[:stop]))
            rest = rest[stop:]
    return key


def index_state(directory: str) -> str:
    """Return the state of the indexes of the tree at *directory*.

    ``missing``: one of them is not there. ``unusable``: one is something else, of another version,
    or cut off. ``stale``: a module file, or a folder that holds some, is newer than
    they are. ``unreadable``: one of them, or a part of the tree, cannot be read. Otherwise
    ``up to date``.
    """
    return indexes_against(directory, _modules(directory)[1])


def kernel_image(root: str, release: str, directory: str) -> str:
    """Return the path of the kernel image of *release*, empty where there is none."""
    boot = f"{root_base(root)}/boot"
    return _first_file(*[f"{boot}/{name}{release}" for name in _IMAGES]) or (
        _first_file(f"{directory}/vmlinuz") if directory else ""
    )


def kernel_config(root: str, release: str, directory: str) -> str:
    """Return the path of the configuration of *release*, empty where there is none."""
    return _first_file(f"{root_base(root)}/boot/config-{release}") or (
        _first_file(f"{directory}/config") if directory else ""
    )


def root_base(root: str) -> str:
    """Return *root* so that a path can follow it, as modprobe puts them together."""
    return "" if root == "/" else root


def _directories(root: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for folder in MODULE_FOLDERS:
        parent = f"{root_base(root)}/{folder}"
        try:
            with os.scandir(parent) as entries:
                names = [entry.name for entry in entries if entry.is_dir()]
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as problem:
            raise FileError.from_os("read", parent, problem) from problem
        for name in names:
            if name not in found and _is_kernels(name, f"{parent}/{name}"):
                found[name] = f"{parent}/{name}"
    return found


def _is_kernels(name: str, directory: str) -> bool:
    """Tell whether a folder of lib/modules belongs to a kernel: other things are put there too."""
    if looks_like_a_release(name):
        return True
    try:
        with os.scandir(directory) as entries:
            names = [entry.name for entry in entries]
    except OSError:
        return False
    if "kernel" in names or any(inside.startswith("modules.") for inside in names):
        return True
    return bool(_modules(directory)[0])


def _with_image(root: str) -> list[str]:
    """Return the releases that have an image in the root's boot folder."""
    boot = f"{root_base(root)}/boot"
    try:
        names = os.listdir(boot)
    except OSError:
        return []  # missing, or not for everybody to read: what has a tree is known without it
    return [
        name.removeprefix(start)
        for name in names
        for start in _IMAGES
        if name.startswith(start)
        and looks_like_a_release(name.removeprefix(start))
        and not name.endswith(_NOT_IMAGES)
        and os.path.isfile(f"{boot}/{name}")
    ]


def _installed(root: str, release: str, directory: str) -> InstalledKernel:
    count, newest = _modules(directory) if directory else (0, 0)
    return InstalledKernel(
        release=release,
        directory=directory,
        module_count=count,
        indexes=(
            indexes_against(directory, newest, margin_ns=_UNPACKED_AT_ONCE_NS) if directory else ""
        ),
        image=kernel_image(root, release, directory),
        config=kernel_config(root, release, directory),
    )


def _modules(directory: str) -> tuple[int, int] | tuple[None, None]:
    """Return the number of module files, and when the newest of them or of their folders changed.

    The directory itself does not count: writing the indexes changes it. Where a folder cannot be
    read neither is known.
    """
    count, newest = 0, 0
    todo = [directory]
    while todo:
        folder = todo.pop()
        try:
            with os.scandir(folder) as scanned:
                entries = list(scanned)
        except OSError:
            return None, None
        for entry in entries:
            if entry.name in NOT_MODULES:
                continue
            is_folder = entry.is_dir(follow_symlinks=False)
            if not is_folder and not is_module_file(entry.name):
                continue
            try:
                newest = max(newest, entry.stat().st_mtime_ns)
            except OSError:
                continue  # a dangling link is no module
            if is_folder:
                todo.append(entry.path)
            else:
                count += 1
    return count, newest


def indexes_against(directory: str, newest: int | None, *, margin_ns: int = 0) -> str:
    """Return the state of the indexes in *directory*, as ``index_state`` does.

    *newest* is when the newest of what they are made from changed, in nanoseconds; None where that
    cannot be told. Up to *margin_ns* later than they are does not count.
    """
    try:
        text = os.stat(f"{directory}/modules.dep").st_mtime_ns
        binary = os.stat(f"{directory}/modules.dep.bin").st_mtime_ns
        for name, source in _INDEXES.items():
            _check(f"{directory}/{name}", f"{directory}/{source}" if source else "")
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except PermissionError:
        return "unreadable"
    except (OSError, FormatError):
        return "unusable"
    if newest is None:
        return "unreadable"
    return "stale" if newest > min(text, binary) + margin_ns else "up to date"


def _check(path: str, source: str) -> None:
    """Raise ``OSError`` or ``FormatError`` unless the file at *path* is an index to its end."""
    from lkm.tree.trie.index import TrieIndex  # for a list of names nobody asks

    # kmod's depmod leaves an index empty that it has no source for.
    if not os.stat(path).st_size and source and not os.path.exists(source):
        return
    try:
        index = TrieIndex.open(path)
    except FileError as problem:
        raise OSError(problem.errno, path) from None
    try:
        index.check()
    finally:
        index.close()


def _first_file(*paths: str) -> str:
    return next((path for path in paths if os.path.isfile(path)), "")
