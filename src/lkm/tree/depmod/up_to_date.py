"""Whether anything in a tree is newer than its indexes: depmod -A.

Source: depmod(8), -A; kmod, tools/depmod.c, depfile_up_to_date.
"""

from __future__ import annotations

import os

from lkm.names import is_module_file
from lkm.tree.depmod.writing import remove_leftovers
from lkm.tree.installed import NOT_MODULES, indexes_against

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.tree.problem import Problem

_OPEN_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def is_up_to_date(directory: str, indexes: str) -> tuple[bool, tuple[Problem, ...]]:
    """Tell whether the *indexes* (a folder) are younger than all modules of the tree *directory*.

    As in kmod the folders of ``external`` are not looked into, and names that depmod is told to
    exclude count. Besides, what kmod passes over: the folders that hold modules, since one of them
    is younger where a module was removed, and whether each binary index is usable. Returns also
    what was met on the way.
    """
    problems: tuple[Problem, ...] = ()
    newest = _newest_of_files(directory, indexes)
    if newest is None:
        newest, problems = _newest(directory, indexes)
    answer = indexes_against(indexes, newest) == "up to date"
    if answer:
        remove_leftovers(indexes)
    return answer, problems


def _newest(directory: str, indexes: str) -> tuple[int | None, tuple[Problem, ...]]:
    """Return when the newest module, or folder of modules, changed; None where it cannot be told.

    And what was met on the way.
    """
    from lkm.tree.scan.walking import walk  # few trees need it

    found = walk(directory)
    newest = 0
    for path in (*found.paths, *{path.rpartition("/")[0] for path in found.paths}):
        # Writing the indexes changes the time of their own folder.
        if path in (directory, indexes):
            continue
        try:
            newest = max(newest, os.stat(path).st_mtime_ns)
        except OSError:
            return None, found.problems  # it vanished a moment ago
    return newest, found.problems


def _newest_of_files(directory: str, indexes: str) -> int | None:
    """Return the same of a tree that has files and folders only; None if there is anything else.

    Of such a one there is nothing to complain of, and it takes half the time: no path is made of
    a module, and each is sought in its open folder.
    """
    newest = 0
    todo = [directory]
    try:
        while todo:
            folder = todo.pop()
            descriptor = os.open(folder, _OPEN_FLAGS)
            try:
                times, folders = _times_inside(descriptor)
                if times and folder not in (directory, indexes):
                    times.append(os.fstat(descriptor).st_mtime_ns)
            finally:
                os.close(descriptor)
            newest = max([newest, *times])
            todo += [f"{folder}/{name}" for name in folders]
    except (OSError, ValueError):
        return None
    return newest


def _times_inside(folder: int) -> tuple[list[int], list[str]]:
    """Return when each module in the open *folder* changed, and the names of folders.

    Raises ``ValueError`` for a link, and for what is neither file nor folder.
    """
    times: list[int] = []
    folders: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name in NOT_MODULES:
                continue
            if entry.is_file(follow_symlinks=False):
                if is_module_file(name):
                    times.append(entry.stat(follow_symlinks=False).st_mtime_ns)
            elif entry.is_dir(follow_symlinks=False):
                folders.append(name)
            else:
                raise ValueError(name)
    return times, folders
