"""The file that the sandbox kernel's state is kept in: an SQLite database.

Names and other texts are stored as bytes: nobody promised that a module's name is UTF-8. Addresses
are stored from the start of the modules' area, since SQLite's integers are signed.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from shlex import quote as quote_word
from urllib.parse import quote

from lkm._text import decode
from lkm.errors import FileError, NotBootedError, StateFileError

FORMAT = 5
"""The version of the tables below; a file of a higher one is refused.

1 had no symbols, no files of modules, and none of the kernel's options; 2 had no addresses of
exports, and no certificates; 3 knew no module that is coming or going, and kept nothing by which
its parameters could be written; 4 did not tell a CRC that is not known from none.
"""

_APPLICATION = 0x6C6B6D53  # "lkmS"
_OBJECTS = "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
_BUSY_TIMEOUT_S = 20.0
_HEADER = b"SQLite format 3\0"
_APPLICATION_AT = 68  # Source: the SQLite database file format, section 1.3
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})

_TABLES = """
CREATE TABLE kernel (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE symbol (
    name BLOB PRIMARY KEY, crc INTEGER, gpl_only INTEGER NOT NULL, namespace BLOB NOT NULL,
    address INTEGER, crc_known INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE certificate (
    number INTEGER PRIMARY KEY, enrolled INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE TABLE sysfs_name (name BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE module (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name BLOB NOT NULL UNIQUE, size INTEGER NOT NULL,
    state TEXT NOT NULL, address INTEGER, taints INTEGER NOT NULL, permanent INTEGER NOT NULL,
    version BLOB, srcversion BLOB, path BLOB NOT NULL, params BLOB NOT NULL,
    kallsyms BLOB NOT NULL, live_kallsyms BLOB, init_size INTEGER NOT NULL,
    held INTEGER NOT NULL, exits INTEGER NOT NULL
);
CREATE TABLE parameter (
    module INTEGER NOT NULL, name BLOB NOT NULL, type TEXT NOT NULL, unsafe INTEGER NOT NULL,
    "values" BLOB, most INTEGER NOT NULL, counted INTEGER NOT NULL, count INTEGER NOT NULL,
    buffer INTEGER NOT NULL, word INTEGER NOT NULL, hardware INTEGER NOT NULL,
    PRIMARY KEY (module, name)
) WITHOUT ROWID;
CREATE TABLE doubt (module INTEGER NOT NULL, kind TEXT NOT NULL, evidence BLOB NOT NULL);
CREATE TABLE percpu (start INTEGER PRIMARY KEY, size INTEGER NOT NULL, module INTEGER NOT NULL);
CREATE TABLE file (
    module INTEGER NOT NULL, folder TEXT NOT NULL, name BLOB NOT NULL, mode INTEGER NOT NULL,
    data BLOB, PRIMARY KEY (module, folder, name)
) WITHOUT ROWID;
CREATE TABLE kernel_file (path TEXT PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE area (
    start INTEGER PRIMARY KEY, size INTEGER NOT NULL, module INTEGER NOT NULL, init INTEGER NOT NULL
);
CREATE TABLE export (
    name BLOB NOT NULL, module INTEGER NOT NULL, crc INTEGER, gpl_only INTEGER NOT NULL,
    namespace BLOB NOT NULL, address INTEGER, PRIMARY KEY (name, module)
) WITHOUT ROWID;
CREATE TABLE use (
    number INTEGER PRIMARY KEY AUTOINCREMENT, user INTEGER NOT NULL, owner INTEGER NOT NULL,
    UNIQUE (user, owner)
);
CREATE INDEX use_owner ON use (owner);
CREATE TABLE log (number INTEGER PRIMARY KEY AUTOINCREMENT, level INTEGER NOT NULL, text BLOB);
"""


def state_path(environment: Mapping[str, str] | None = None) -> str:
    """Return where the sandbox keeps its state: LKM_STATE, else in the XDG state folder."""
    environment = os.environ if environment is None else environment
    named = environment.get("LKM_STATE", "")
    if named:
        return named
    folder = environment.get("XDG_STATE_HOME", "")
    if not folder.startswith("/"):  # the XDG specification: relative ones are to be ignored
        folder = os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(folder, "lkm", "sandbox.sqlite")


class Store:
    """The open state file at *path*.

    Every method raises ``StateFileError`` for a file that is not a sandbox's or is damaged, and
    where another process does not let go of it for 20 seconds.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def __del__(self) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection on which all questions see one state.

        Raises ``NotBootedError`` where there is no file, or none booted in it.
        """
        with self._transaction("BEGIN", create=False) as connection:
            self._ask_booted(connection)
            yield connection

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Give a connection whose changes are all kept at the end, or none if an error comes.

        Two processes take turns. Raises ``NotBootedError`` as ``reading``.
        """
        with self._transaction("BEGIN IMMEDIATE", create=False) as connection:
            self._ask_booted(connection)
            yield connection

    @contextmanager
    def starting(self) -> Iterator[sqlite3.Connection]:
        """As ``changing``, with empty tables to begin with, in a file that is made if need be.

        One that is damaged is replaced, if its header is that of a state of lkm's.
        """
        if self.exists() and self._is_damaged():
            self._remove()
        with self._transaction("BEGIN IMMEDIATE", create=True) as connection:
            self._make_empty(connection)
            yield connection

    @contextmanager
    def starting_once(self) -> Iterator[sqlite3.Connection | None]:
        """As ``starting``, but give None, and change nothing, where a kernel is booted already."""
        with self._transaction("BEGIN IMMEDIATE", create=True) as connection:
            if self._is_booted(connection):
                yield None
            else:
                self._make_empty(connection)
                yield connection

    def booted(self) -> bool:
        """Tell whether a kernel is booted; one that an older lkm has booted is refused."""
        if not self.exists():
            return False
        with self._transaction("BEGIN", create=False) as connection:
            if self._is_booted(connection):
                self._ask_version(connection)
                return True
            return False

    def ask_own(self) -> None:
        """Raise ``StateFileError`` unless the file is one to boot in: lkm's, empty, or not there.

        Another program's is none, nor is a newer lkm's.
        """
        if self.exists():
            self._check_header(create=False)
            if self._is_damaged():
                return
            with self._translated():
                self._opened(create=False)

    def exists(self) -> bool:
        """Tell whether there is a state file at all, be it good or bad."""
        return os.path.exists(self.path)

    @contextmanager
    def _transaction(self, begin: str, *, create: bool) -> Iterator[sqlite3.Connection]:
        with self._translated():
            connection = self._opened(create=create)
            connection.execute(begin)
            try:
                yield connection
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _opened(self, *, create: bool) -> sqlite3.Connection:
        if self._connection is None:
            self._check_header(create=create)
            mode = "rwc" if create else "rw"
            self._connection = sqlite3.connect(
                f"{self._uri}?mode={mode}",
                uri=True,
                timeout=_BUSY_TIMEOUT_S,
                isolation_level=None,
                # Where nobody closes it the collector does, in whatever thread it runs.
                check_same_thread=False,
            )
            self._check_owner(self._connection)
            # A crash of the whole machine may lose the sandbox; a killed process never does.
            self._connection.execute("PRAGMA synchronous = OFF")
        return self._connection

    def _is_damaged(self) -> bool:
        """Tell whether the file, whose header says that it is lkm's, cannot be used any more."""
        try:
            with open(self.path, "rb") as file:
                header = file.read(_APPLICATION_AT + 4)
        except OSError as error:
            raise FileError.from_os("read", self.path, error) from None
        own = header[_APPLICATION_AT:] == _APPLICATION.to_bytes(4, "big")
        if not header.startswith(_HEADER) or not own:
            return False
        self.close()
        try:
            with closing(sqlite3.connect(f"{self._uri}?mode=ro", uri=True)) as connection:
                (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                return bool(answer != "ok")
        except sqlite3.Error as error:
            return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE
        except UnicodeDecodeError:
            return True

    def _remove(self) -> None:
        self.close()
        for path in (self.path, f"{self.path}-journal"):
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass  # the journal is there only while something changes
            except OSError as error:
                raise FileError.from_os("replace", path, error) from None

    @property
    def _uri(self) -> str:
        return f"file:{quote(os.path.abspath(self.path))}"

    def _check_header(self, *, create: bool) -> None:
        try:
            self._ask_regular()
            with open(self.path, "rb") as file:
                header = file.read(len(_HEADER))
        except FileNotFoundError:
            if not create:
                raise NotBootedError(self.path) from None
            folder = os.path.dirname(os.path.abspath(self.path))
            try:
                os.makedirs(folder, mode=0o700, exist_ok=True)
            except OSError as error:
                raise FileError.from_os("make", folder, error) from None
            return
        except OSError as error:
            raise FileError.from_os("read", self.path, error) from None
        if header and header != _HEADER:
            raise StateFileError(self.path, "no sandbox state: not an SQLite file")

    def _ask_regular(self) -> None:
        """Raise ``StateFileError`` for a device or a pipe, whose reading may never end."""
        mode = os.stat(self.path).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            problem = "no sandbox state: not a regular file"
            raise StateFileError(self.path, problem, "name a file in LKM_STATE")

    def _check_owner(self, connection: sqlite3.Connection) -> None:
        try:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            version = _version(connection)
            if application != _APPLICATION and not self._is_empty(connection):
                raise StateFileError(self.path, "no sandbox state: another program's SQLite file")
            if application == _APPLICATION and version > FORMAT:
                problem = f"written by a newer lkm (format {version}; this one knows {FORMAT})"
                raise StateFileError(self.path, problem, "use that lkm, or another LKM_STATE")
        except BaseException:
            self.close()
            raise

    def _ask_booted(self, connection: sqlite3.Connection) -> None:
        if not self._is_booted(connection):
            raise NotBootedError(self.path)
        self._ask_version(connection)

    def _ask_version(self, connection: sqlite3.Connection) -> None:
        if _version(connection) < FORMAT:
            problem = "written by an older lkm, whose kernels knew less"
            raise StateFileError(self.path, problem, _boot_anew(connection))

    def _is_booted(self, connection: sqlite3.Connection) -> bool:
        if self._is_empty(connection):
            return False
        found = connection.execute("SELECT 1 FROM kernel WHERE key = 'release'").fetchone()
        return found is not None

    def _make_empty(self, connection: sqlite3.Connection) -> None:
        if not self._is_empty(connection):
            tables = f"{_OBJECTS} AND type = 'table'"
            for (name,) in connection.execute(tables).fetchall():
                connection.execute(f'DROP TABLE "{name}"')
        self._make_tables(connection)

    @staticmethod
    def _is_empty(connection: sqlite3.Connection) -> bool:
        return connection.execute(f"{_OBJECTS} LIMIT 1").fetchone() is None

    @staticmethod
    def _make_tables(connection: sqlite3.Connection) -> None:
        for statement in _TABLES.split(";"):
            if statement.strip():
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            self.close()
            raise StateFileError(self.path, *_problem(error)) from error
        except UnicodeDecodeError:  # how sqlite3 reports a damage that it wants to quote
            self.close()
            raise StateFileError(self.path, *_problem(sqlite3.Error("no text"))) from None


def _boot_anew(connection: sqlite3.Connection) -> str:
    """Return the advice to boot the same kernel again, as far as an older state tells which."""
    values = {
        str(key): decode(bytes(value)) if isinstance(value, bytes) else str(value)
        for key, value in connection.execute(
            "SELECT key, value FROM kernel WHERE key IN ('release', 'root')"
        )
    }
    if not values.get("release") or not values.get("root"):
        return "boot it anew: lkm sandbox boot --release RELEASE --root DIR"
    release, root = quote_word(values["release"]), quote_word(values["root"])
    return f"boot it anew: lkm sandbox boot --release {release} --root {root}"


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return as_number(version)


def _problem(error: sqlite3.Error) -> tuple[str, str]:
    """Return what went wrong in words, and what helps."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return "another lkm is using it", "try again when that has ended"
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
        return f"cannot be written: {error}", "name a file in LKM_STATE that you may write"
    if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
        return f"cannot be written: {error}", "free some space on that file system"
    return f"damaged: {error}", "move it away, then boot the sandbox anew"


def as_text(value: object) -> str:
    """Return a stored text. Raises ``sqlite3.DatabaseError`` for anything else, as SQLite does."""
    if not isinstance(value, bytes):
        raise sqlite3.DatabaseError(f"a text was expected, not {value!r}")
    return decode(value)


def as_number(value: object) -> int:
    """Return a stored number; raises as ``as_text``."""
    if not isinstance(value, int):
        raise sqlite3.DatabaseError(f"a number was expected, not {value!r}")
    return value


def as_bytes(value: object) -> bytes:
    """Return stored bytes; raises as ``as_text``."""
    if not isinstance(value, bytes):
        raise sqlite3.DatabaseError(f"bytes were expected, not {value!r}")
    return value
