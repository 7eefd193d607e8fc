"""Facts of files, remembered from one run to the next in a folder that may go away at any time.

    folder    LKM_CACHE, else lkm in XDG_CACHE_HOME, else ~/.cache/lkm; with LKM_CACHE=off, none
    entry     one file for each kind of fact and each file that it is about, named by device and
              inode: magic, version, the file's identity, CRC and length of the facts, the facts

An entry counts only if the file still has the same device, inode, size, mtime and ctime. A file
that changed less than two seconds before it was looked at is not remembered: it may change once
more within the same tick of its file system's clock. Nothing here raises: what is damaged, foreign
or not permitted is as good as not there.

Only a folder and files that belong to this very user, and that no other user may write, are
believed; so root never reads facts that somebody else wrote.
"""

from __future__ import annotations

import os
import stat
import struct
import time

from lkm._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO
    from typing import Final

_HEADER = struct.Struct("<8sI3Q2qIQ")
_MAGIC = b"lkmcache"
_VERSION = 1
_ENTRY, _TEMPORARY = ".lkm", ".lkm-new"  # how the names end; all others are somebody else's
_OFF = "off"
SETTLING_NS = 2_000_000_000
_DAY_NS = 86_400 * 1_000_000_000
_LEFTOVER_NS = _DAY_NS // 24

# All entries together, and one. A kernel image's facts take 2 to 4 MB.
_MOST_BYTES = 256 << 20
_LARGEST_ENTRY = 64 << 20


class FileIdentity(Value):
    """What tells one state of a file from another. Times are in nanoseconds since 1970."""

    __slots__ = ("ctime_ns", "device", "inode", "mtime_ns", "size")

    def __init__(self, device: int, inode: int, size: int, mtime_ns: int, ctime_ns: int) -> None:
        self.device: Final = device
        self.inode: Final = inode
        self.size: Final = size
        self.mtime_ns: Final = mtime_ns
        self.ctime_ns: Final = ctime_ns

    @classmethod
    def of(cls, path: str | int) -> FileIdentity | None:
        """Return the identity of the file at *path*, or open as that number; None without one."""
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            return None
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class Cache:
    """Remembered facts in *folder*, which is made when there is something to remember.

    Without a folder nothing is remembered.
    """

    def __init__(self, folder: str) -> None:
        self.folder: Final = folder

    def find(self, kind: str, identity: FileIdentity) -> bytes | None:
        """Return what is remembered of that *kind* about that file, None if nothing is."""
        try:
            with _Folder(self.folder) as folder:
                return _read(folder.fd, _name(kind, identity), identity)
        except (OSError, ValueError):
            return None

    def mapped(self, kind: str, identity: FileIdentity) -> memoryview | None:
        """Return what ``find`` does, of which only what is looked at is copied into memory."""
        try:
            with _Folder(self.folder) as folder:
                return _mapped(folder.fd, _name(kind, identity), identity)
        except (OSError, ValueError):
            return None

    def remember(self, kind: str, identity: FileIdentity, *facts: bytes, looked_ns: int) -> bool:
        """Remember *facts* about the file, one behind the other, and tell whether that was done.

        *looked_ns* is the time when *identity* was taken, before the file was read. The caller
        makes sure that the file still had that identity afterwards. Where all entries together take
        more than 256 MiB, those go away that were not used for longest, to the day.
        """
        changed = max(identity.mtime_ns, identity.ctime_ns)
        size = sum(map(len, facts))
        if not self.folder or changed + SETTLING_NS > looked_ns or size > _LARGEST_ENTRY:
            return False
        try:
            _make(self.folder)
            with _Folder(self.folder) as folder:
                name = _name(kind, identity)
                _write(folder.fd, name, _header(identity, *facts), *facts)
                _trim(folder.fd, _MOST_BYTES, name)
        except (OSError, ValueError):
            return False
        return True


def default_cache() -> Cache:
    """Return the cache of this user, in the folder that the environment tells."""
    return Cache(default_folder(os.environ))


def switch_off() -> None:
    """Have this process, and those that it starts, remember nothing: ``--no-cache``."""
    os.environ["LKM_CACHE"] = _OFF


def default_folder(environment: os._Environ[str] | dict[str, str]) -> str:
    """Return the folder for remembered facts; ``LKM_CACHE`` names it itself, or is ``off``."""
    own = environment.get("LKM_CACHE")
    if own:
        return "" if own == _OFF else own
    base = environment.get("XDG_CACHE_HOME", "")
    if not base.startswith("/"):  # the XDG specification: relative ones are to be ignored
        base = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "lkm")


class _Folder:
    """The folder, open while it is worked in, so that nobody can put another in its place."""

    def __init__(self, path: str) -> None:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        self.fd: Final = os.open(path, flags)

    def __enter__(self) -> _Folder:
        if not is_own(os.fstat(self.fd)):
            os.close(self.fd)
            raise PermissionError
        return self

    def __exit__(self, *_exception: object) -> None:
        os.close(self.fd)


def is_own(found: os.stat_result) -> bool:
    """Tell whether what was *found* belongs to this user, and no other may write it."""
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _make(path: str) -> None:
    """Make the folder, unless its place belongs to another user: sudo keeps the user's HOME."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(os.path.abspath(path))
    place = parent
    while not os.path.isdir(place) and place != "/":
        place = os.path.dirname(place)
    if os.stat(place).st_uid != os.geteuid():
        raise PermissionError
    os.makedirs(parent, exist_ok=True)
    os.mkdir(path, 0o700)


def _name(kind: str, identity: FileIdentity) -> str:
    return f"{kind}-{identity.device:x}-{identity.inode:x}{_ENTRY}"


def _header(identity: FileIdentity, *facts: bytes | memoryview) -> bytes:
    import zlib  # only those who ask the cache need it

    checksum = 0
    for part in facts:
        checksum = zlib.crc32(part, checksum)
    return _HEADER.pack(
        _MAGIC,
        _VERSION,
        identity.device,
        identity.inode,
        identity.size,
        identity.mtime_ns,
        identity.ctime_ns,
        checksum,
        sum(map(len, facts)),
    )


def _read(folder: int, name: str, identity: FileIdentity) -> bytes | None:
    with _opened(folder, name) as file:
        header, facts = file.read(_HEADER.size), file.readall()
        if header != _header(identity, facts):
            return None
        _used(file.fileno())
    return facts


def _mapped(folder: int, name: str, identity: FileIdentity) -> memoryview | None:
    from mmap import ACCESS_READ, mmap  # few entries are large enough to be worth it

    # Nobody cuts an entry off: it is deleted, or another takes its place.
    with _opened(folder, name) as file:
        view = memoryview(mmap(file.fileno(), 0, access=ACCESS_READ))
        header, facts = view[: _HEADER.size], view[_HEADER.size :]
        if header != _header(identity, facts):
            return None
        _used(file.fileno())
    return facts


def _opened(folder: int, name: str) -> FileIO:
    """Open an entry. Raises ``OSError``, also for what cannot be one."""
    # O_NONBLOCK: a pipe of that name must not hold us.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    fd = os.open(name, flags, dir_fd=folder)
    file = open(fd, "rb", buffering=0)  # noqa: SIM115  # for the caller
    found = os.fstat(fd)
    largest = _HEADER.size + _LARGEST_ENTRY
    if not stat.S_ISREG(found.st_mode) or not is_own(found) or found.st_size > largest:
        file.close()
        raise PermissionError
    return file


def _used(fd: int) -> None:
    """Have the entry count as used today, and so be kept."""
    if time.time_ns() - os.fstat(fd).st_mtime_ns > _DAY_NS:
        os.utime(fd)


def _write(folder: int, name: str, *parts: bytes) -> None:
    temporary = f"{name}.{os.urandom(8).hex()}{_TEMPORARY}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temporary, flags, 0o600, dir_fd=folder)
    try:
        with open(fd, "wb", buffering=0) as file:
            for part in parts:
                view = memoryview(part)
                while view:
                    view = view[file.write(view) :]
        # The old one goes first, so that a reader may find none for a moment: where one file takes
        # the place of another, ext4 begins to write it to the disk, 8 ms for the largest.
        _remove(name, folder)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        _remove(temporary, folder)
        raise


def _remove(name: str, folder: int) -> None:
    """Remove an entry, if it is there, or an empty folder in its place."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        os.rmdir(name, dir_fd=folder)


def _trim(folder: int, most: int, newest: str) -> None:
    """Delete what was left behind half-written, and the oldest entries beyond *most* bytes.

    The *newest* stays.
    """
    now = time.time_ns()
    total = 0
    for is_newest, changed, name, size in sorted(_entries(folder, newest), reverse=True):
        total += size
        is_left_behind = name.endswith(_TEMPORARY) and now - changed > _LEFTOVER_NS
        if not is_newest and (total > most or is_left_behind):
            _remove(name, folder)


def _entries(folder: int, newest: str) -> Iterator[tuple[bool, int, str, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.endswith((_ENTRY, _TEMPORARY)):
                continue
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # another process has removed it
            if stat.S_ISREG(found.st_mode):
                yield entry.name == newest, found.st_mtime_ns, entry.name, found.st_size


def private_folder(name: str) -> str:
    """Return a folder of this user's own beside the entries, made if need be, for whole files.

    Empty where nothing is to be remembered, or where somebody else may write there.
    """
    folder = default_folder(os.environ)
    if not folder:
        return ""
    path = os.path.join(folder, name)
    try:
        _make(folder)
        _make(path)
        with _Folder(folder), _Folder(path):
            return path
    except (OSError, ValueError):
        return ""
