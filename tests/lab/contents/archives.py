"""Look into what was put into a guest."""

from __future__ import annotations

import stat
from pathlib import Path

from lkm.cpio import Entry, parse_archive
from lkm.lab.contents.files import Files


def entries(files: Files) -> dict[str, Entry]:
    """Return the entries by their names, each of which is there once, behind its folder."""
    made: dict[str, Entry] = {}
    for entry in parse_archive(files.archive()):
        above = entry.name.rpartition("/")[0]
        assert entry.name not in made
        assert not above or stat.S_ISDIR(made[above].mode)
        made[entry.name] = entry
    return made


def unpacked(files: Files, folder: Path) -> Path:
    """Write the entries below *folder*, as a kernel would; return it."""
    for entry in parse_archive(files.archive()):
        path = folder / entry.name
        if stat.S_ISDIR(entry.mode):
            path.mkdir(parents=True)
        elif stat.S_ISLNK(entry.mode):
            path.symlink_to(entry.data.decode())
        else:
            path.write_bytes(entry.data)
            path.chmod(stat.S_IMODE(entry.mode))
    return folder
