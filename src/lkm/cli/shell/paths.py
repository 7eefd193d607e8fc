"""Files and folders as candidates."""

from __future__ import annotations

import os

from lkm.cli.shell.offer import Candidate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def paths(typed: str, accept: Callable[[str], bool]) -> list[Candidate]:
    """Return the folders, and the files whose name *accept* takes, that *typed* begins.

    Folders end in a slash. Hidden ones are left out until the dot is typed; ``~`` is understood
    and kept.
    """
    folder, slash, start = typed.rpartition("/")
    place = os.path.expanduser(folder + slash) or "."
    try:
        with os.scandir(place) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except OSError:
        return []
    found = []
    for entry in entries:
        if not entry.name.startswith(start) or (entry.name[0] == "." and start[:1] != "."):
            continue
        text = folder + slash + entry.name
        if entry.is_dir():
            found.append(Candidate(text + "/", is_path=True))
        elif accept(entry.name):
            found.append(Candidate(text, is_path=True))
    return found
