"""Find the module files of a tree, and choose among those of one name.

Source: kmod, tools/depmod.c, depmod_modules_search.
"""

from __future__ import annotations

import errno
import os

from lkm._value import Value
from lkm.names import ModuleName, is_module_file, module_name_of_path
from lkm.tree.installed import NOT_MODULES
from lkm.tree.problem import Problem
from lkm.tree.scan.search import Chooser, SearchRules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from lkm.tree.memory.folders import Folders
    from lkm.tree.scan.search import Duplicate

    # Path and name of a file, or of a folder, whose path ends in a slash; in place of the name,
    # what kmod says of an entry that is neither.
    Entry = tuple[str, str | Problem]

# A folder that links lead to is entered by each of them, so that `search` can choose among its
# names; but links can be set so that the ways through them multiply without end. After so many
# ways through links each folder is entered only by the first that is met.
_WAYS_THROUGH_LINKS = 1024

# kmod's messages name a folder by its open descriptor: the topmost has the first one that is free,
# and each folder inside it the next.
_FIRST_DESCRIPTOR = 3

_S_IFMT, _S_IFDIR, _S_IFREG = 0o170000, 0o040000, 0o100000  # the module `stat` is one import more


class Found(Value):
    """What was found on disk; *paths* are as the walk met them."""

    __slots__ = ("paths", "problems")

    def __init__(self, paths: tuple[str, ...], problems: tuple[Problem, ...]) -> None:
        self.paths: Final = paths
        self.problems: Final = problems


def walk(directory: str, excludes: Iterable[str] = (), folders: Folders | None = None) -> Found:
    """Return the paths of all module files below *directory*, in the order of the file system.

    Links are followed, save those that lead to a folder on the way to them. ``build``, ``source``
    and the names in *excludes* are passed over at every depth. What *folders* knows is not looked
    up again; it does not know of excludes.
    """
    skipped = NOT_MODULES.union(excludes)
    paths: list[str] = []
    problems: list[Problem] = []
    links = _Links(directory)
    todo: list[Entry] = [(directory + "/", "")]
    topmost = directory.count("/") + 1
    while todo:
        path, name = todo.pop()
        if isinstance(name, Problem):
            problems.append(name)
            continue
        if not path.endswith("/"):
            paths.append(path)
            continue
        names = None if folders is None else folders.names(path)
        if names is not None:
            todo += [(path + each, each) for each in reversed(names)]
            continue
        depth = path.count("/") - topmost
        try:
            with os.scandir(path) as entries:
                inside = [entry for entry in entries if entry.name not in skipped]
        except OSError as problem:
            problems.append(_unopened(path[:-1], name, depth, problem))
            continue
        # A subfolder's files come where the subfolder stands among the entries, as in kmod: of
        # two equal files the one found first wins.
        kept = [_kept(entry, depth, links) for entry in reversed(inside)]
        todo += [each for each in kept if each is not None]
        if folders is not None:
            folders.note(path, inside)
    if links.ways > _WAYS_THROUGH_LINKS:
        text = f"{directory}: more than {_WAYS_THROUGH_LINKS} ways through links, some not followed"
        problems.append(Problem("WARNING", text, kind="many-links", path=directory))
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
    directory: str,
    rules: SearchRules,
    problems: list[Problem],
    duplicates: list[Duplicate] | None = None,
    *,
    folders: Folders | None = None,
) -> dict[ModuleName, str]:
    """Return the file of each module in the tree at *directory* and in the external folders.

    What is wrong is added to *problems*, each file that another of its name wins over to
    *duplicates*. What *folders* knows of the tree is not looked up again.
    """
    found = [walk(directory, rules.excludes, None if rules.excludes else folders)]
    # kmod keeps the folders of `external` as a list that grows at its head.
    found += [walk(folder, rules.excludes) for folder in reversed(rules.externals)]
    for part in found:
        problems += part.problems
    paths = [path for part in found for path in part.paths]
    chosen = choose(paths, directory, rules)
    if duplicates is not None and len(chosen) < len(paths):
        chooser = Chooser(rules, directory)
        named = [(module_name_of_path(path), path) for path in paths]
        duplicates += [
            chooser.explained(name, chosen[name], path)
            for name, path in named
            if path != chosen[name]
        ]
    for name, path in chosen.items():
        if not path.startswith("/"):  # of an external folder that is named from the current one on
            chosen[name] = f"{os.getcwd()}/{path}"
    return chosen


def _kept(entry: os.DirEntry[str], depth: int, links: _Links) -> Entry | None:
    """Return path and name of a module file or of a folder, whose path ends in a slash.

    In place of the name stands what kmod says of an entry that is neither file nor folder; None
    is a file that is no module, or a folder not to be entered again.
    """
    if entry.is_file(follow_symlinks=False):
        return (entry.path, entry.name) if is_module_file(entry.name) else None
    try:
        kind = _S_IFMT & entry.stat().st_mode
    except OSError as problem:  # a link that leads nowhere, or in a circle
        text = f"fstatat({_FIRST_DESCRIPTOR + depth}, {entry.name}): {_reason(problem)}"
        return "", Problem("ERROR", text, kind="dangling-link", path=entry.path)
    if kind == _S_IFDIR:
        return (entry.path + "/", entry.name) if links.may_enter(entry) else None
    if kind == _S_IFREG:
        return (entry.path, entry.name) if is_module_file(entry.name) else None
    text = f"unsupported file type {entry.path}: {kind:o}"
    return "", Problem("ERROR", text, kind="special-file", path=entry.path)


def _unopened(path: str, name: str, depth: int, problem: OSError) -> Problem:
    """Return what kmod says of a folder that it cannot open; without *name* it is the topmost."""
    if name:
        text = f"openat({_FIRST_DESCRIPTOR + depth - 1}, {name}, O_RDONLY): {_reason(problem)}"
    else:
        text = f"could not open directory {path}: {_reason(problem)}"
    return Problem("ERROR", text, kind="unreadable-folder", path=path)


class _Links:
    """What is known of the folders that links below *top* lead to."""

    def __init__(self, top: str) -> None:
        self._top = len(top.rstrip("/"))
        self._entered: set[str] = set()
        self._real: dict[str, str] = {}
        self.ways = 0

    def may_enter(self, entry: os.DirEntry[str]) -> bool:
        """Tell whether to go into a folder: by a link only if it does not lead around in a circle.

        It does where it leads to a folder that it lies in, as does any on the way to it.
        """
        if not entry.is_symlink():
            return True
        target = os.path.realpath(entry.path).rstrip("/") + "/"
        folder, inside = os.path.dirname(entry.path), True
        while inside:
            if self._real_of(folder).startswith(target):
                return False
            inside = len(folder) > self._top
            folder = os.path.dirname(folder)
        self.ways += 1
        if self.ways > _WAYS_THROUGH_LINKS and target in self._entered:
            return False
        self._entered.add(target)
        return True

    def _real_of(self, folder: str) -> str:
        if folder not in self._real:
            self._real[folder] = os.path.realpath(folder).rstrip("/") + "/"
        return self._real[folder]


def _reason(problem: OSError) -> str:
    return os.strerror(problem.errno or errno.EIO)
