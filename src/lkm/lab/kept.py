"""Keep what takes long to make and is large: unpacked kernels, and the Python of guests.

They lie in a folder of their own in the cache, each under a name that tells what it was made from;
the few that were used last stay. What cannot be kept, or is not as it was written, is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lkm.cache import FileIdentity, private_folder

_FOLDER = "lab"
_MOST = 8
_PARTIAL = ".partial"
# Beside each file: its length, its CRC, the state of its sources; then these, with NULs between.
_SUM = ".sum"


@dataclass(frozen=True, slots=True)
class Made:
    """The bytes to keep; when a file of *sources* changes they are made again."""

    data: bytes
    sources: tuple[str, ...] = ()


def key_of_file(path: str, *words: str) -> str:
    """Return a name that changes when the file at *path* does."""
    found = FileIdentity.of(path)
    facts = () if found is None else (found.device, found.inode, found.size, found.mtime_ns)
    return key_of([*map(str, facts), str(found and found.ctime_ns), *words])


def key_of(words: Iterable[str]) -> str:
    """Return a name for what *words* tell all that matters of."""
    text = "\0".join(words)
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]


def kept_path(name: str, make: Callable[[], bytes | Made]) -> str | bytes:
    """Return the path of the file kept as *name*, made where it is not there or not whole.

    Where nothing can be kept it is the bytes that were made. Of a kept file only the length is
    looked at: who is given the path reads it.
    """
    path = _place(name)
    if path and _sum_of(path) is not None:
        _use(path)
        return path
    made = _made(make)
    return path if path and _keep(path, made) else made.data


def kept(name: str, make: Callable[[], bytes | Made]) -> bytes:
    """Return the bytes kept as *name*, made where they are not there or not as they were."""
    path = _place(name)
    data = _whole(path) if path else None
    if data is not None:
        _use(path)
        return data
    made = _made(make)
    if path:
        _keep(path, made)
    return made.data


def _made(make: Callable[[], bytes | Made]) -> Made:
    made = make()
    return Made(made) if isinstance(made, bytes) else made


def _place(name: str) -> str:
    """Return where the file of that name is kept, empty where nothing can be."""
    folder = private_folder(_FOLDER)
    return f"{folder}/{name}" if folder else ""


def _use(path: str) -> None:
    with contextlib.suppress(OSError):
        os.utime(path)


def _whole(path: str) -> bytes | None:
    """Return the bytes kept at *path*, None where they are not those that were written."""
    crc = _sum_of(path)
    if crc is None:
        return None
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return None  # somebody has emptied the cache
    return data if zlib.crc32(data) == crc else None


def _sum_of(path: str) -> int | None:
    """Return the CRC of the file at *path*; None for a wrong length, or sources that changed."""
    try:
        with open(path + _SUM, encoding="utf-8", errors="surrogateescape") as file:
            head, *sources = file.read().split("\0")
        length, crc, state = head.split()
        if os.path.getsize(path) != int(length) or _state(sources) != state:
            return None
        return int(crc)
    except (OSError, ValueError):
        return None


def _state(sources: Iterable[str]) -> str:
    return key_of(key_of_file(path) for path in sources)


def _keep(path: str, made: Made) -> bool:
    """Write what was made, and what tells that it is whole; return whether that could be done."""
    head = f"{len(made.data)} {zlib.crc32(made.data)} {_state(made.sources)}"
    text = "\0".join([head, *made.sources]).encode(errors="surrogateescape")
    if not (_write(path, made.data) and _write(path + _SUM, text)):
        return False
    _trim(os.path.dirname(path), path)
    return True


def _write(path: str, data: bytes) -> bool:
    """Put a file of these bytes at *path*, which also after a crash is there whole or not."""
    partial = f"{path}.{os.getpid()}{_PARTIAL}"
    try:
        with open(partial, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            os.unlink(partial)
    return True


def _trim(folder: str, newest: str) -> None:
    """Remove all but the files used last, and what killed processes have left."""
    with contextlib.suppress(OSError), os.scandir(folder) as scanned:
        found = [(entry.stat().st_mtime_ns, entry.path) for entry in scanned if entry.is_file()]
        whole = sorted(
            (each for each in found if not each[1].endswith((_PARTIAL, _SUM))), reverse=True
        )
        old = [
            name for _time, path in whole[_MOST:] if path != newest for name in (path, path + _SUM)
        ]
        left = [path for _time, path in found if path.endswith(_PARTIAL) and not _is_alive(path)]
        for path in (*old, *left):
            with contextlib.suppress(OSError):
                os.unlink(path)


def _is_alive(partial: str) -> bool:
    """Tell whether the process that writes *partial* is still there."""
    number = partial.removesuffix(_PARTIAL).rpartition(".")[2]
    return number.isdecimal() and os.path.exists(f"/proc/{number}")
