"""The sandbox kernel's state as rows: what its tables hold, as values and back.

What is stored is checked when it is read: ``sqlite3.DatabaseError`` for what lkm never wrote.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from lkm._text import encode
from lkm.kernel.booting import BootFacts
from lkm.kernel.loaded import COMING, GOING, LIVE, LoadedModule
from lkm.kernel.sandbox_files import ShownModule
from lkm.kernel.store import as_number, as_text
from lkm.loader.findings import LogLine
from lkm.loader.layout import PAGE, Layout
from lkm.loader.taint import Taint, letters
from lkm.module.symbols import Export
from lkm.names import ModuleName

MODULES_START = 0xFFFF_FFFF_C020_1000
"""Where the first module lands on an x86-64 kernel without address randomisation."""

_MODULES_SIZE = 0xFFFF_FFFF_FF00_0000 - MODULES_START

Allocation = tuple[str, int, int]
"""An area's kind, its address, and its size in bytes."""


_TEXTS = ("release", "root", "directory", "command_line", "vermagic", "order", "exports_source")
_NUMBERS = (
    "machine",
    "is_64bit",
    "modversions",
    "retpoline",
    "tree_modules",
    "unreadable",
    "tainted",
)


def read_values(connection: sqlite3.Connection) -> dict[str, str]:
    """Return all of the kernel's values, those that are numbers in digits."""
    found = connection.execute("SELECT key, value FROM kernel")
    values = {str(key): as_text(value) for key, value in found}
    whole = all(key in values for key in _TEXTS) and values["order"] in {"<", ">"}
    if not whole or not all(values.get(key, "").isdecimal() for key in _NUMBERS):
        raise sqlite3.DatabaseError("the kernel's own values are not whole")
    return values


def write_values(connection: sqlite3.Connection, values: Mapping[str, str]) -> None:
    """Set the kernel's values of those keys."""
    pairs = [(key, encode(value)) for key, value in values.items()]
    connection.executemany("INSERT OR REPLACE INTO kernel VALUES (?, ?)", pairs)


def count(connection: sqlite3.Connection, table: str) -> int:
    """Return the number of rows in *table*."""
    (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
    return as_number(rows)


def write_boot(connection: sqlite3.Connection, facts: BootFacts) -> None:
    """Write what the kernel exports, and which built-ins have a folder in ``/sys/module``."""
    connection.executemany(
        "INSERT OR REPLACE INTO symbol VALUES (?, ?, ?, ?)",
        [
            (encode(symbol.name), symbol.crc, symbol.gpl_only, encode(symbol.namespace))
            for symbol in facts.symbols
        ],
    )
    names = [(encode(name),) for name in sorted(facts.sysfs_names)]
    connection.executemany("INSERT INTO sysfs_name VALUES (?)", names)


def read_log(connection: sqlite3.Connection) -> tuple[LogLine, ...]:
    """Return the kernel's log, oldest line first."""
    found = connection.execute("SELECT level, text FROM log ORDER BY number")
    return tuple([LogLine(as_number(level), as_text(line)) for level, line in found])


def write_log(connection: sqlite3.Connection, lines: Sequence[LogLine]) -> None:
    """Add *lines* to the kernel's log."""
    pairs = [(line.level, encode(line.text)) for line in lines]
    connection.executemany("INSERT INTO log (level, text) VALUES (?, ?)", pairs)


_MODULE = (
    "SELECT number, name, size, state, address, taints, permanent, version, srcversion FROM module "
)
_USERS = "SELECT use.owner, module.name FROM use JOIN module ON module.number = use.user "


def read_modules(connection: sqlite3.Connection) -> tuple[ShownModule, ...]:
    """Return the loaded modules, newest first."""
    holders: dict[int, list[ModuleName]] = {}
    for owner, user in connection.execute(_USERS + "ORDER BY use.number DESC"):
        holders.setdefault(as_number(owner), []).append(ModuleName(as_text(user)))
    found = connection.execute(_MODULE + "ORDER BY number DESC")
    return tuple([_shown(row, tuple(holders.get(row[0], ()))) for row in found])


def find_module(connection: sqlite3.Connection, name: str) -> ShownModule | None:
    """Return the loaded module of that name, None if there is none."""
    row = connection.execute(_MODULE + "WHERE name = ?", (encode(name),)).fetchone()
    if row is None:
        return None
    users = connection.execute(_USERS + "WHERE use.owner = ? ORDER BY use.number DESC", row[:1])
    return _shown(row, tuple([ModuleName(as_text(user)) for _owner, user in users]))


def _shown(row: tuple[object, ...], holders: tuple[ModuleName, ...]) -> ShownModule:
    _number, name, size, state, address, taints, permanent, version, srcversion = row
    loaded = LoadedModule(
        name=ModuleName(as_text(name)),
        size=as_number(size),
        refcnt=len(holders),
        holders=holders,
        state=as_state(state),
        address=None if address is None else as_number(address) + MODULES_START,
        taints=letters(as_number(taints)),
        permanent=bool(permanent),
    )
    return ShownModule(
        loaded,
        None if version is None else as_text(version),
        None if srcversion is None else as_text(srcversion),
    )


def insert_module(  # noqa: PLR0913  # everything that a row and those that refer to it hold
    connection: sqlite3.Connection,
    shown: ShownModule,
    *,
    taints: Taint,
    areas: Sequence[Allocation],
    exports: Sequence[Export],
    owners: Sequence[str],
    path: str,
    params: str,
) -> None:
    """Write a module down, with its memory, its exports, and a reference on each of *owners*."""
    loaded = shown.loaded
    added = connection.execute(
        "INSERT INTO module (name, size, state, address, taints, permanent, version, srcversion, "
        "path, params) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            encode(loaded.name),
            loaded.size,
            loaded.state,
            None if loaded.address is None else loaded.address - MODULES_START,
            int(taints),
            loaded.permanent,
            None if shown.version is None else encode(shown.version),
            None if shown.srcversion is None else encode(shown.srcversion),
            encode(path),
            encode(params),
        ),
    )
    number = added.lastrowid
    connection.executemany(
        "INSERT INTO area VALUES (?, ?, ?)",
        [(start - MODULES_START, size, number) for _kind, start, size in areas],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO export VALUES (?, ?, ?, ?, ?)",
        [
            (
                encode(export.name),
                number,
                None if export.crc is None else export.crc & 0xFFFF_FFFF,
                export.gpl_only,
                encode(export.namespace),
            )
            for export in exports
        ],
    )
    connection.executemany(
        "INSERT INTO use (user, owner) SELECT ?, number FROM module WHERE name = ?",
        [(number, encode(owner)) for owner in owners],
    )


def delete_module(connection: sqlite3.Connection, name: str) -> None:
    """Delete a module that nothing uses, with its memory, exports and references."""
    (number,) = connection.execute(
        "SELECT number FROM module WHERE name = ?", (encode(name),)
    ).fetchone()
    for statement in (
        "DELETE FROM area WHERE module = ?",
        "DELETE FROM export WHERE module = ?",
        "DELETE FROM use WHERE user = ?",
        "DELETE FROM module WHERE number = ?",
    ):
        connection.execute(statement, (number,))


def allocate(connection: sqlite3.Connection, wanted: Layout) -> tuple[Allocation, ...] | None:
    """Return a place for each area that stays after init, None where one does not fit.

    The lowest gap that is large enough, with one page free behind each area.
    """
    found = connection.execute("SELECT start, size FROM area ORDER BY start")
    taken = [(as_number(start), as_number(size)) for start, size in found]
    placed: list[Allocation] = []
    for area in wanted.areas:
        if area.init:
            continue
        start = 0
        for other, size in sorted(taken):
            if other - start >= area.size + PAGE:
                break
            start = max(start, other + size + PAGE)
        if start + area.size + PAGE > _MODULES_SIZE:
            return None
        taken.append((start, area.size))
        placed.append((area.kind, start + MODULES_START, area.size))
    return tuple(placed)


def as_state(stored: object) -> str:
    """Return a stored state; raises as ``as_text``."""
    if stored not in {LIVE, COMING, GOING}:
        raise sqlite3.DatabaseError(f"no state of a module: {stored!r}")
    return str(stored)


def as_crc(stored: object) -> int | None:
    """Return a stored CRC, None for none; raises as ``as_text``."""
    return None if stored is None else as_number(stored)
