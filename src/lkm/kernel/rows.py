"""The modules of the sandbox kernel as rows: what its tables hold, as values and back.

What is stored is checked when it is read: ``sqlite3.DatabaseError`` for what lkm never wrote.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lkm._text import encode
from lkm.kernel.kernel_rows import as_address, as_offset, packed, read_values, unpacked
from lkm.kernel.loaded import COMING, GOING, LIVE, LoadedModule
from lkm.kernel.sandbox_files import ModuleFile, ShownModule
from lkm.kernel.store import as_bytes, as_number, as_text
from lkm.loader.memory import MODULES_START, PERCPU, Allocation
from lkm.loader.taint import Taint, letters
from lkm.module.symbols import Export
from lkm.names import ModuleName

_MODULE = (
    "SELECT number, name, size, state, address, taints, permanent, version, srcversion FROM module "
)
_USERS = "SELECT use.owner, module.name FROM use JOIN module ON module.number = use.user "


def read_modules(
    connection: sqlite3.Connection, *, counted: bool = True
) -> tuple[ShownModule, ...]:
    """Return the loaded modules, newest first.

    A kernel without MODULE_UNLOAD counts no users: not *counted*.
    """
    holders: dict[int, list[ModuleName]] = {}
    for owner, user in connection.execute(_USERS + "ORDER BY use.number DESC"):
        holders.setdefault(as_number(owner), []).append(ModuleName(as_text(user)))
    found = connection.execute(_MODULE + "ORDER BY number DESC")
    if not counted:
        return tuple([_shown(row, None) for row in found])
    return tuple([_shown(row, tuple(holders.get(row[0], ()))) for row in found])


def find_module(
    connection: sqlite3.Connection, name: str, *, counted: bool = True
) -> ShownModule | None:
    """Return the loaded module of that name, None if there is none; *counted* as above."""
    row = connection.execute(_MODULE + "WHERE name = ?", (encode(name),)).fetchone()
    if row is None:
        return None
    if not counted:
        return _shown(row, None)
    users = connection.execute(_USERS + "WHERE use.owner = ? ORDER BY use.number DESC", row[:1])
    return _shown(row, tuple([ModuleName(as_text(user)) for _owner, user in users]))


def _shown(row: tuple[object, ...], holders: tuple[ModuleName, ...] | None) -> ShownModule:
    number, name, size, state, address, taints, permanent, version, srcversion = row
    loaded = LoadedModule(
        name=ModuleName(as_text(name)),
        size=as_number(size),
        refcnt=None if holders is None else len(holders),
        holders=holders or (),
        state=as_state(state),
        address=as_address(address),
        taints=letters(as_number(taints)),
        permanent=bool(permanent) and holders is not None,
    )
    return ShownModule(
        as_number(number),
        loaded,
        None if version is None else as_text(version),
        None if srcversion is None else as_text(srcversion),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewModule:
    """A module that is to be written down, with everything that belongs to it.

    *address* is what ``/proc/modules`` shows, None for a module without it. *kallsyms* are its
    lines. *export_addresses* are those of its *exports*, as far as they are known. *owners* are
    the modules that it uses.
    """

    name: str
    size: int
    address: int | None
    taints: Taint
    permanent: bool
    version: str | None
    srcversion: str | None
    path: str
    params: str
    allocations: Sequence[Allocation]
    exports: Sequence[Export]
    export_addresses: Mapping[str, int]
    owners: Sequence[str]
    kallsyms: bytes
    files: Sequence[ModuleFile]


def insert_module(connection: sqlite3.Connection, new: NewModule) -> None:
    """Write a module down, with its memory, files, exports, and a reference on each owner."""
    added = connection.execute(
        "INSERT INTO module (name, size, state, address, taints, permanent, version, srcversion, "
        "path, params, kallsyms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            encode(new.name),
            new.size,
            LIVE,
            as_offset(new.address),
            int(new.taints),
            new.permanent,
            None if new.version is None else encode(new.version),
            None if new.srcversion is None else encode(new.srcversion),
            encode(new.path),
            encode(new.params),
            packed(new.kallsyms),
        ),
    )
    number = added.lastrowid
    _write_memory(connection, number, new.allocations)
    connection.executemany(
        "INSERT OR IGNORE INTO file VALUES (?, ?, ?, ?, ?)",
        [(number, each.folder, encode(each.name), each.mode, each.data) for each in new.files],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO export VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                encode(export.name),
                number,
                None if export.crc is None else export.crc & 0xFFFF_FFFF,
                export.gpl_only,
                encode(export.namespace),
                as_offset(new.export_addresses.get(export.name)),
            )
            for export in new.exports
        ],
    )
    connection.executemany(
        "INSERT INTO use (user, owner) SELECT ?, number FROM module WHERE name = ?",
        [(number, encode(owner)) for owner in new.owners],
    )


def _write_memory(
    connection: sqlite3.Connection, number: int | None, allocations: Sequence[Allocation]
) -> None:
    """Write down what a module keeps when its init has run."""
    kept = [each for each in allocations if not each.init]
    first = _percpu_end(connection)
    connection.executemany(
        "INSERT INTO area VALUES (?, ?, ?)",
        [(each.start - MODULES_START, each.size, number) for each in kept if each.kind != PERCPU],
    )
    connection.executemany(
        "INSERT INTO percpu VALUES (?, ?, ?)",
        [(each.start - first, each.size, number) for each in kept if each.kind == PERCPU],
    )


def delete_module(connection: sqlite3.Connection, name: str) -> None:
    """Delete a module that nothing uses, with its memory, files, exports and references."""
    (number,) = connection.execute(
        "SELECT number FROM module WHERE name = ?", (encode(name),)
    ).fetchone()
    for statement in (
        "DELETE FROM area WHERE module = ?",
        "DELETE FROM percpu WHERE module = ?",
        "DELETE FROM file WHERE module = ?",
        "DELETE FROM export WHERE module = ?",
        "DELETE FROM use WHERE user = ?",
        "DELETE FROM module WHERE number = ?",
    ):
        connection.execute(statement, (number,))


def read_files(connection: sqlite3.Connection) -> Iterator[tuple[int, ModuleFile]]:
    """Yield the files that modules have in folders of theirs, each with its module's number."""
    for number, folder, name, mode, data in connection.execute("SELECT * FROM file"):
        held = None if data is None else as_bytes(data)
        yield as_number(number), ModuleFile(str(folder), as_text(name), as_number(mode), held)


def read_kallsyms(connection: sqlite3.Connection) -> bytes:
    """Return the modules' lines of ``/proc/kallsyms``, in the order of ``/proc/modules``."""
    found = connection.execute("SELECT kallsyms FROM module ORDER BY number DESC")
    return b"".join([unpacked(data) for (data,) in found])


def read_areas(connection: sqlite3.Connection) -> tuple[tuple[int, int], ...]:
    """Return start and size of each piece of memory that modules have."""
    found = connection.execute("SELECT start, size FROM area")
    return tuple([(as_number(start) + MODULES_START, as_number(size)) for start, size in found])


def read_percpu(connection: sqlite3.Connection) -> tuple[tuple[int, int], ...]:
    """Return start and size of each piece of per-CPU data that modules have."""
    first = _percpu_end(connection)
    found = connection.execute("SELECT start, size FROM percpu")
    return tuple([(as_number(start) + first, as_number(size)) for start, size in found])


def _percpu_end(connection: sqlite3.Connection) -> int:
    return int(read_values(connection)["percpu_end"])


def as_state(stored: object) -> str:
    """Return a stored state; raises as ``as_text``."""
    if stored not in {LIVE, COMING, GOING}:
        raise sqlite3.DatabaseError(f"no state of a module: {stored!r}")
    return str(stored)


def as_crc(stored: object) -> int | None:
    """Return a stored CRC, None for none; raises as ``as_text``."""
    return None if stored is None else as_number(stored)
