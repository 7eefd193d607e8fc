"""Keep what takes long to make and is large: unpacked kernels, and the Python of guests.

They lie in a folder of their own in the cache, each under a name that tells what it was made from;
the few that were used last stay. What cannot be kept is made again each time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable

from lkm.cache import FileIdentity, private_folder

_FOLDER = "lab"
_MOST = 8
_PARTIAL = ".partial"


def key_of_file(path: str, *words: str) -> str:
    """Return a name that changes when the file at *path* does."""
    found = FileIdentity.of(path)
    facts = () if found is None else (found.device, found.inode, found.size, found.mtime_ns)
    return key_of([*map(str, facts), str(found and found.ctime_ns), *words])


def key_of(words: Iterable[str]) -> str:
    """Return a name for what *words* tell all that matters of."""
    text = "\0".join(words)
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]


def kept_path(name: str, make: Callable[[], bytes]) -> str | None:
    """Return the path of the file kept as *name*, made where it is not there.

    None where nothing can be kept.
    """
    folder = private_folder(_FOLDER)
    if not folder:
        return None
    path = f"{folder}/{name}"
    if os.path.isfile(path):
        with contextlib.suppress(OSError):
            os.utime(path)
        return path
    data = make()
    partial = f"{path}.{os.getpid()}{_PARTIAL}"
    try:
        with open(partial, "wb") as file:
            file.write(data)
        os.replace(partial, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        return None
    _trim(folder, path)
    return path


def kept(name: str, make: Callable[[], bytes]) -> bytes:
    """Return the bytes kept as *name*, or made."""
    made: list[bytes] = []

    def making() -> bytes:
        made.append(make())
        return made[0]

    path = kept_path(name, making)
    if made:
        return made[0]
    try:
        if path is not None:
            with open(path, "rb") as file:
                return file.read()
    except OSError:
        pass  # somebody has emptied the cache
    return make()


def _trim(folder: str, newest: str) -> None:
    """Remove all but the files used last, and what killed processes have left."""
    with contextlib.suppress(OSError), os.scandir(folder) as scanned:
        found = [(entry.stat().st_mtime_ns, entry.path) for entry in scanned if entry.is_file()]
        whole = sorted((each for each in found if not each[1].endswith(_PARTIAL)), reverse=True)
        old = [path for _time, path in whole[_MOST:] if path != newest]
        left = [path for _time, path in found if path.endswith(_PARTIAL) and not _is_alive(path)]
        for path in (*old, *left):
            with contextlib.suppress(OSError):
                os.unlink(path)


def _is_alive(partial: str) -> bool:
    """Tell whether the process that writes *partial* is still there."""
    number = partial.removesuffix(_PARTIAL).rpartition(".")[2]
    return number.isdecimal() and os.path.exists(f"/proc/{number}")
