"""Whether anything in a tree is newer than its indexes: depmod -A.

Source: depmod(8), -A; kmod, tools/depmod.c, depfile_up_to_date.
"""

from __future__ import annotations

import os

from lkm.tree.installed import indexes_against
from lkm.tree.scan import walk
from lkm.tree.writing import remove_leftovers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.tree.scan import Found


def is_up_to_date(directory: str, indexes: str) -> tuple[bool, Found]:
    """Tell whether the *indexes* (a folder) are younger than all modules of the tree *directory*.

    As in kmod the folders of ``external`` are not looked into, and names that depmod is told to
    exclude count. Besides, what kmod passes over: the folders that hold modules, since one of them
    is younger where a module was removed, and whether each binary index is usable. Returns also
    what was found on the way.
    """
    found = walk(directory)
    newest: int | None = 0
    for path in (*found.paths, *{path.rpartition("/")[0] for path in found.paths}):
        # Writing the indexes changes the time of their own folder.
        if path in (directory, indexes):
            continue
        try:
            newest = max(newest or 0, os.stat(path).st_mtime_ns)
        except OSError:
            newest = None  # it vanished a moment ago
            break
    answer = indexes_against(indexes, newest) == "up to date"
    if answer:
        remove_leftovers(indexes)
    return answer, found
