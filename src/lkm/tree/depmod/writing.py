"""Put a set of index files into a directory, so that nobody ever reads half of one."""

from __future__ import annotations

import errno
import os

from lkm.errors import FileError
from lkm.tree.depmod.lock import LOCK_NAME, Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_TEMPORARY = ".lkm-new"
_MODE = 0o644
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)
# Its time says whether the tree is newer than the indexes (depmod -A), so it takes its place when
# all others have theirs: a run that was killed before is then made good by the next.
_LAST = "modules.dep"
_LONG_PAST_NS = 0
_PATIENCE_S = 60
_BUSY_REMEDY = "another depmod has been writing there for a minute; end it, then try again"
_REMEDY = "write elsewhere with -o DIR, or only print with -n"


def write_indexes(
    files: Mapping[str, bytes],
    directory: str,
    *,
    unfinished: bool = False,
    waiting: Callable[[], None] | None = None,
) -> None:
    """Write *files* (name and bytes) into *directory*, which is made where it is missing.

    All of them are written and synced under temporary names before the first takes its place, so
    a full disk changes nothing, and a run killed while they are put in place leaves the old or
    the new file for each name. Who writes holds a lock, so two depmods take turns, and what a
    killed one left behind is its successor's to remove; *waiting* is called once where the lock is
    another's. *unfinished*: modules.dep gets a time long past, so that the next run with -A, be it
    kmod's, takes the indexes for stale and looks at the tree again.

    Raises ``FileError``, whose path is that of the index file at which it failed, or the
    directory, where another writes there for longer than a minute.
    """
    first = f"{directory}/{next(iter(files), '')}"
    try:
        os.makedirs(directory, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as problem:
        raise _refused(directory, problem) from problem
    try:
        with Lock(directory, waiting) as lock:
            lock.take(_PATIENCE_S)
            _write_all(files, directory, descriptor, _LAST if unfinished else "")
    except TimeoutError as problem:
        raise FileError("write", directory, errno.EBUSY, _BUSY_REMEDY) from problem
    except OSError as problem:
        raise _refused(first, problem) from problem
    finally:
        os.close(descriptor)


def remove_leftovers(directory: str) -> None:
    """Remove what killed runs left in *directory*, unless a live one is writing there now.

    For a run that finds nothing to write. Whatever keeps it from doing so does not matter to it.
    """
    try:
        there = os.listdir(directory)
        names = [name for name in there if name.endswith(_TEMPORARY)]
        if names or LOCK_NAME in there:
            with Lock(directory) as lock:
                lock.take(0)
                _remove([name.removesuffix(_TEMPORARY) for name in names], directory)
    except OSError:
        return


def _write_all(
    files: Mapping[str, bytes], directory: str, descriptor: int, unfinished: str
) -> None:
    path = directory
    try:
        _remove(files, directory)
        for name, data in files.items():
            path = f"{directory}/{name}"
            if os.path.isdir(path):  # found now, and not when others have taken their places
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            _write_synced(path + _TEMPORARY, data)
            if name == unfinished:
                os.utime(path + _TEMPORARY, ns=(_LONG_PAST_NS, _LONG_PAST_NS))
        for name in sorted(files, key=_LAST.__eq__):
            path = f"{directory}/{name}"
            os.rename(path + _TEMPORARY, path)
        os.fsync(descriptor)
    except OSError as problem:
        raise _refused(path, problem) from problem
    finally:
        # Nothing is left of them unless something went wrong, be it only Ctrl-C.
        _remove(files, directory)


def _refused(path: str, problem: OSError) -> FileError:
    number = problem.errno or errno.EIO
    return FileError("write", path, number, _REMEDY if number in _NOT_ALLOWED else "")


def _write_synced(path: str, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, _MODE)
    with open(descriptor, "wb", buffering=0) as file:
        os.fchmod(descriptor, _MODE)  # whatever the umask is
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        os.fsync(descriptor)


def _remove(names: Iterable[str], directory: str) -> None:
    for name in names:
        try:
            os.unlink(f"{directory}/{name}{_TEMPORARY}")
        except FileNotFoundError:
            pass
        except OSError:
            # What keeps it from going keeps the new one from coming, and is reported there.
            break
