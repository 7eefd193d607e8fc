"""The folders that fetching writes into: of this user, one writer at a time, no leftovers.

Who fetches holds a lock. So whatever lies there under a name that begins so, ``.partial-``, when
the lock is taken, was left by one that was killed, and goes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from lkm.cache import default_folder, is_own
from lkm.errors import FetchError, FileError
from lkm.lab.fetch.watching import Watch
from lkm.tree.depmod.lock import Lock
from lkm.tree.fetched import is_believed

_PARTIAL = ".partial-"
_PATIENCE_S = 3600
_NO_SUDO = "fetch as the user whose folder it is, which needs no root, or name another in LKM_DATA"


@contextmanager
def private_folder(parent: str, watch: Watch) -> Iterator[str]:
    """Make a folder in *parent* to fetch into, which is gone in the end; others wait meanwhile.

    Raises ``FileError`` where that cannot be, ``FetchError`` where *parent* is another user's.
    """
    _make(parent)
    try:
        with Lock(parent, lambda: watch("waiting: another lkm is fetching", 0, 0)) as lock:
            lock.take(_PATIENCE_S)
            _remove_leftovers(parent)
            folder = tempfile.mkdtemp(prefix=_PARTIAL, dir=parent)
            try:
                yield folder
            finally:
                # Once more all of them: what a killed one had started may have gone on for a while.
                _remove_leftovers(parent)
    except TimeoutError:
        raise FetchError(f"another lkm has been fetching into {parent} for an hour") from None
    except OSError as error:
        raise FileError.from_os("write", parent, error) from None


def state_folder(architecture: str, folder: str) -> str:
    """Return where apt is to keep the lists for *architecture*: in the cache, else in *folder*.

    What another user could have put there is not used: it tells apt which packages are genuine.
    """
    cache = default_folder(os.environ)
    if cache:
        place = f"{cache}/apt-{architecture}"
        try:
            os.makedirs(cache, mode=0o700, exist_ok=True)
            os.makedirs(place, mode=0o700, exist_ok=True)
            if is_own(os.stat(cache)) and is_own(os.stat(place, follow_symlinks=False)):
                return place
        except OSError:
            pass  # as good as none
    return f"{folder}/apt"


def _make(parent: str) -> None:
    place = parent
    while not os.path.isdir(place):
        place = os.path.dirname(place)
    try:
        if os.geteuid() == 0 and os.stat(place).st_uid != 0:
            raise FetchError(f"{place} belongs to another user than root", _NO_SUDO)
        os.makedirs(os.path.dirname(parent), exist_ok=True)
        if not os.path.isdir(parent):
            os.mkdir(parent, 0o755)
    except OSError as error:
        raise FileError.from_os("make", parent, error) from None
    if not is_believed(parent):
        raise FetchError(f"{parent} is writable by other users", "name another folder in LKM_DATA")


def _remove_leftovers(parent: str) -> None:
    for name in os.listdir(parent):
        if name.startswith(_PARTIAL):
            shutil.rmtree(f"{parent}/{name}", ignore_errors=True)
