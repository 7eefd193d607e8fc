"""Find the module files of a tree, choose among those of one name, and read them.

Source: kmod, tools/depmod.c, depmod_modules_search and depmod_load_modules.
"""

from __future__ import annotations

import errno
import os

from lkm._value import Value
from lkm.errors import FileError, FormatError, LkmError
from lkm.module.scan import ScannedModule, scan_file
from lkm.names import ModuleName, is_module_file, module_name_of_path
from lkm.tree.installed import NOT_MODULES
from lkm.tree.search import Chooser, SearchRules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

# A folder that links lead to is entered from each of them, so that `search` can choose among its
# names; but links can be set so that the ways through them multiply without end.
_ENTRIES_OF_ONE_FOLDER = 16


class Problem(Value):
    """What depmod says and goes on after. *level* is ``WARNING`` or ``ERROR``, *text* kmod's."""

    __slots__ = ("level", "text")

    def __init__(self, level: str, text: str) -> None:
        self.level: Final = level
        self.text: Final = text


class Found(Value):
    """What was found on disk; *paths* are as the walk met them."""

    __slots__ = ("paths", "problems")

    def __init__(self, paths: tuple[str, ...], problems: tuple[Problem, ...]) -> None:
        self.paths: Final = paths
        self.problems: Final = problems


class Scanned(Value):
    """What the module files say; a file that cannot be read is there by its name alone."""

    __slots__ = ("modules", "problems")

    def __init__(self, modules: tuple[ScannedModule, ...], problems: tuple[Problem, ...]) -> None:
        self.modules: Final = modules
        self.problems: Final = problems


def walk(directory: str, excludes: Iterable[str] = ()) -> Found:
    """Return the paths of all module files below *directory*, in the order of the file system.

    Links are followed, save those that lead to a folder that they lie in. ``build``, ``source``
    and the names in *excludes* are passed over at every depth.
    """
    skipped = NOT_MODULES.union(excludes)
    paths: list[str] = []
    problems: list[Problem] = []
    linked: dict[str, int] = {}
    todo = [directory + "/"]
    while todo:
        path = todo.pop()
        if not path.endswith("/"):
            paths.append(path)
            continue
        try:
            with os.scandir(path) as entries:
                inside = [entry for entry in entries if entry.name not in skipped]
        except OSError as problem:
            reason = f"could not open directory {path[:-1]}: {_reason(problem)}"
            problems.append(Problem("ERROR", reason))
            continue
        # A subfolder's files come where the subfolder stands among the entries, as in kmod: of
        # two equal files the one found first wins.
        todo += [kept for entry in reversed(inside) if (kept := _kept(entry, linked))]
    return Found(tuple(paths), tuple(problems))


def choose(paths: Iterable[str], directory: str, rules: SearchRules) -> dict[ModuleName, str]:
    """Return the file of each module: of several files of one name, the one that *rules* prefer."""
    chooser = Chooser(rules, directory)
    chosen: dict[ModuleName, str] = {}
    for path in paths:
        name = module_name_of_path(path)
        if name not in chosen or chooser.prefers(path, chosen[name]):
            chosen[name] = path
    return chosen


def find_modules(
    directory: str, rules: SearchRules, problems: list[Problem]
) -> dict[ModuleName, str]:
    """Return the file of each module in the tree at *directory* and in the external folders.

    What is wrong is added to *problems*.
    """
    found = [walk(directory, rules.excludes)]
    # kmod keeps the folders of `external` as a list that grows at its head.
    found += [walk(folder, rules.excludes) for folder in reversed(rules.externals)]
    for part in found:
        problems += part.problems
    return choose([path for part in found for path in part.paths], directory, rules)


def scan_tree(paths: Sequence[str]) -> Scanned:
    """Read the module files at *paths*, and return what they say in the same order.

    A file that cannot be read, or is no module, is a problem; depmod lists it all the same.
    """
    modules: list[ScannedModule] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            modules.append(scan_file(path))
        except (FileError, FormatError) as problem:
            reason = _kmod_reason(path, problem)
            problems.append(Problem("ERROR", f"failed to load symbols from {path}: {reason}"))
            modules.append(_unread(path))
    return Scanned(tuple(modules), tuple(problems))


def _unread(path: str) -> ScannedModule:
    return ScannedModule(
        path=path,
        name=module_name_of_path(path),
        modinfo=(),
        exports=(),
        crcs=(),
        needs=(),
    )


def _kept(entry: os.DirEntry[str], linked: dict[str, int]) -> str:
    """Return the path of a module file or of a folder, the latter with a slash; else nothing."""
    try:
        if entry.is_dir():
            return entry.path + "/" if _may_enter(entry, linked) else ""
        return entry.path if is_module_file(entry.name) and entry.is_file() else ""
    except OSError:
        return ""  # a link that leads nowhere, or in a circle


def _may_enter(entry: os.DirEntry[str], linked: dict[str, int]) -> bool:
    if not entry.is_symlink():
        return True
    target = os.path.realpath(entry.path)
    here = os.path.realpath(os.path.dirname(entry.path))
    linked[target] = linked.get(target, 0) + 1
    is_loop = f"{here}/".startswith(target.rstrip("/") + "/")
    return not is_loop and linked[target] <= _ENTRIES_OF_ONE_FOLDER


def _kmod_reason(path: str, problem: LkmError) -> str:
    """Return the errno that kmod has for a file that is no module, in words."""
    if isinstance(problem, FileError):
        return os.strerror(problem.errno)
    try:
        with open(path, "rb") as file:
            start = file.read(6)
    except OSError as unreadable:
        return _reason(unreadable)
    is_cut = len(start) < 6 or start.startswith(b"\x7fELF")
    return os.strerror(errno.EINVAL if is_cut else errno.ENOEXEC)


def _reason(problem: OSError) -> str:
    return os.strerror(problem.errno or errno.EIO)
