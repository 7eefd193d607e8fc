"""Find the module files of a tree, choose among those of one name, and read them.

Source: kmod, tools/depmod.c, depmod_modules_search and depmod_load_modules.
"""

from __future__ import annotations

import errno
import os

from lkm._fork import Forks
from lkm._value import Value
from lkm.errors import FileError, FormatError
from lkm.module.quick import quick_facts
from lkm.module.scan import ScannedModule, scan_file
from lkm.names import ModuleName, is_module_file, module_name_of_path
from lkm.tree.installed import NOT_MODULES
from lkm.tree.search import Chooser, SearchRules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

    from lkm.module.scan import Facts
    from lkm.tree.search import Duplicate

# A folder that links lead to is entered by each of them, so that `search` can choose among its
# names; but links can be set so that the ways through them multiply without end. After so many
# ways through links each folder is entered only by the first that is met.
_WAYS_THROUGH_LINKS = 1024

# kmod's messages name a folder by its open descriptor: the topmost has the first one that is free,
# and each folder inside it the next.
_FIRST_DESCRIPTOR = 3

_COMPRESSIONS = ("gzip file", "xz file", "zstd file")  # as FormatError names them

_S_IFMT, _S_IFDIR, _S_IFREG = 0o170000, 0o040000, 0o100000  # the module `stat` is one import more


class Problem(Value):
    """What depmod says and goes on after. *level* is ``WARNING`` or ``ERROR``, *text* kmod's.

    For programs: *kind* is one word for all problems of a sort, *path* the file or folder that is
    to blame and *modules* the modules that are, where there are such. *index* names the index file
    that shows it; nobody is told of it where that file is not made. *symbol* is the one that a
    module needs, *crcs* the version that it needs it in, and the one that there is.
    """

    __slots__ = ("crcs", "index", "kind", "level", "modules", "path", "symbol", "text")

    def __init__(  # noqa: PLR0913  # one for each field
        self,
        level: str,
        text: str,
        *,
        kind: str,
        path: str = "",
        modules: tuple[str, ...] = (),
        index: str = "",
        symbol: str = "",
        crcs: tuple[int, int] | None = None,
    ) -> None:
        self.level: Final = level
        self.text: Final = text
        self.kind: Final = kind
        self.path: Final = path
        self.modules: Final = modules
        self.index: Final = index
        self.symbol: Final = symbol
        self.crcs: Final = crcs


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

    Links are followed, save those that lead to a folder on the way to them. ``build``, ``source``
    and the names in *excludes* are passed over at every depth.
    """
    skipped = NOT_MODULES.union(excludes)
    paths: list[str] = []
    problems: list[Problem] = []
    links = _Links(directory)
    todo: list[tuple[str, str | Problem]] = [(directory + "/", "")]
    topmost = directory.count("/") + 1
    while todo:
        path, name = todo.pop()
        if isinstance(name, Problem):
            problems.append(name)
            continue
        if not path.endswith("/"):
            paths.append(path)
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
        todo += [
            kept for entry in reversed(inside) if (kept := _kept(entry, depth, links)) is not None
        ]
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
) -> dict[ModuleName, str]:
    """Return the file of each module in the tree at *directory* and in the external folders.

    What is wrong is added to *problems*, each file that another of its name wins over to
    *duplicates*.
    """
    found = [walk(directory, rules.excludes)]
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


def scan_tree(
    paths: Sequence[str], *, with_crcs: bool = False, forks: Forks | None = None
) -> Scanned:
    """Read the module files at *paths*, and return what they say in the same order.

    A file that cannot be read, or is no module, is a problem; depmod lists it all the same.
    *forks*, which know ``scan_share``, read their shares at the same time.
    """
    forks = Forks((scan_share,), 0) if forks is None else forks
    own, *shares = _dealt(paths, 1 + len(forks))
    asked = [
        forks.ask(number, scan_share, [paths[index] for index in share], with_crcs)
        for number, share in enumerate(shares)
    ]
    facts = dict(zip(own, scan_share([paths[index] for index in own], with_crcs), strict=True))
    for share, answer in zip(shares, asked, strict=True):
        facts.update(zip(share, answer(), strict=True))
    modules: list[ScannedModule] = []
    problems: list[Problem] = []
    for index, path in enumerate(paths):
        found = facts[index]
        if isinstance(found, str):
            modules.append(ScannedModule(path))
            text = f"failed to load symbols from {path}: {found}"
            name = modules[-1].name
            problems.append(
                Problem("ERROR", text, kind="unreadable-module", path=path, modules=(name,))
            )
        else:
            modules.append(ScannedModule(path, *found))
    return Scanned(tuple(modules), tuple(problems))


def scan_share(paths: Sequence[str], with_crcs: bool) -> list[Facts | str]:  # by Fork
    """Return what each file says, or kmod's reason why it cannot be read."""
    found: list[Facts | str] = []
    for path in paths:
        try:
            quick = None if with_crcs else quick_facts(path)
            found.append(quick or scan_file(path, with_crcs=with_crcs).facts)
        except (FileError, FormatError) as problem:
            found.append(_kmod_reason(path, problem))
    return found


def _dealt(paths: Sequence[str], count: int) -> list[list[int]]:
    """Return the indexes of *paths* in *count* shares that take about the same time."""
    order = list(range(len(paths)))
    if count > 1 and any(not path.endswith(".ko") for path in paths):
        # What is to be unpacked takes time by its size.
        sizes = [_size(path) for path in paths]
        order.sort(key=sizes.__getitem__, reverse=True)
    return [order[first::count] for first in range(count)]


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _kept(entry: os.DirEntry[str], depth: int, links: _Links) -> tuple[str, str | Problem] | None:
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


def _kmod_reason(path: str, problem: FileError | FormatError) -> str:
    """Return the errno that kmod has for a file that is no module, in words."""
    if isinstance(problem, FileError):
        return os.strerror(problem.errno)
    try:
        with open(path, "rb") as file:
            start = file.read(6)
    except OSError as unreadable:
        return _reason(unreadable)
    is_cut = len(start) < 6 or start.startswith(b"\x7fELF") or problem.what in _COMPRESSIONS
    return os.strerror(errno.EINVAL if is_cut else errno.ENOEXEC)


def _reason(problem: OSError) -> str:
    return os.strerror(problem.errno or errno.EIO)
