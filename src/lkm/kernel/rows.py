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
from lkm.kernel.parameter_rows import insert_parameters
from lkm.kernel.sandbox_files import ModuleFile, ShownModule
from lkm.kernel.store import as_bytes, as_number, as_text
from lkm.loader.memory.placing import MODULES_START, PERCPU, Allocation
from lkm.loader.parameters.declared import Parameter
from lkm.loader.taint import Taint, letters
from lkm.module.symbols import Export
from lkm.names import ModuleName

# A use whose user is below zero is one that no module stands for: code of that module took it.
_MODULE = (
    "SELECT number, name, size, state, address, taints, permanent, version, srcversion, "
    "init_size, held + (SELECT count(*) FROM use WHERE owner = module.number AND user < 0), exits "
    "FROM module "
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
    number, name, size, state, address, taints, permanent, version, srcversion = row[:9]
    init_size, held, exits = row[9:]
    state, references = as_state(state), as_number(held)
    loaded = LoadedModule(
        name=ModuleName(as_text(name)),
        size=as_number(size),
        refcnt=None if holders is None else _refcnt(state, len(holders) + references),
        holders=holders or (),
        state=state,
        address=as_address(address),
        taints=letters(as_number(taints)),
        permanent=bool(permanent) and holders is not None,
    )
    return ShownModule(
        number=as_number(number),
        loaded=loaded,
        version=None if version is None else as_text(version),
        srcversion=None if srcversion is None else as_text(srcversion),
        init_size=as_number(init_size) if state == COMING else 0,
        held=references,
        exits=bool(exits),
    )


def _refcnt(state: str, references: int) -> int:
    """Return what the kernel shows: loading holds one more; unloading took the first one back.

    Not where it was forced although somebody held it: then the first one stays.
    """
    if state == COMING:
        return references + 1
    return references if state == LIVE or references else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class NewModule:
    """A module that is to be written down, with everything that belongs to it.

    *state* is live or coming; of a live module the allocations for init are given back already.
    *address* is what ``/proc/modules`` shows, None for a module without it. *kallsyms* are its
    lines once it is live, *coming_kallsyms* those until then. *export_addresses* are those of its
    *exports*, as far as they are known. *owners* are the modules that it
    uses, *held* those on which its code takes a reference that names nobody. *exits* tells whether
    it has an exit function. *doubts* are what nobody could tell at its insert, as check and
    evidence.
    """

    name: str
    state: str
    size: int
    init_size: int
    exits: bool
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
    held: Sequence[str]
    kallsyms: bytes
    coming_kallsyms: bytes
    files: Sequence[ModuleFile]
    parameters: Sequence[Parameter]
    doubts: Sequence[tuple[str, str]]


def insert_module(connection: sqlite3.Connection, new: NewModule) -> None:
    """Write a module down, with its memory, files, exports, and a reference on each owner."""
    coming = new.state == COMING
    added = connection.execute(
        "INSERT INTO module (name, size, state, address, taints, permanent, version, srcversion, "
        "path, params, kallsyms, live_kallsyms, init_size, held, exits) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
        (
            encode(new.name),
            new.size,
            new.state,
            as_offset(new.address),
            int(new.taints),
            new.permanent,
            None if new.version is None else encode(new.version),
            None if new.srcversion is None else encode(new.srcversion),
            encode(new.path),
            encode(new.params),
            packed(new.coming_kallsyms if coming else new.kallsyms),
            packed(new.kallsyms) if coming else None,
            new.init_size,
            new.exits,
        ),
    )
    number = added.lastrowid
    assert number is not None  # a row was inserted
    _write_memory(connection, number, new.allocations, with_init=coming)
    insert_parameters(connection, number, new.parameters)
    connection.executemany(
        "INSERT INTO doubt VALUES (?, ?, ?)",
        [(number, check, encode(evidence)) for check, evidence in new.doubts],
    )
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
    connection.executemany(
        "INSERT INTO use (user, owner) SELECT ?, number FROM module WHERE name = ?",
        [(-number, encode(owner)) for owner in new.held],
    )


def _write_memory(
    connection: sqlite3.Connection,
    number: int,
    allocations: Sequence[Allocation],
    *,
    with_init: bool,
) -> None:
    """Write down what a module keeps, and what it needs for init only while that runs."""
    kept = [each for each in allocations if with_init or not each.init]
    first = _percpu_end(connection)
    connection.executemany(
        "INSERT INTO area VALUES (?, ?, ?, ?)",
        [
            (each.start - MODULES_START, each.size, number, each.init)
            for each in kept
            if each.kind != PERCPU
        ],
    )
    connection.executemany(
        "INSERT INTO percpu VALUES (?, ?, ?)",
        [(each.start - first, each.size, number) for each in kept if each.kind == PERCPU],
    )


def make_live(connection: sqlite3.Connection, number: int) -> None:
    """Turn the coming module of that row live: its init has returned."""
    connection.execute("DELETE FROM area WHERE module = ? AND init", (number,))
    connection.execute(
        "UPDATE module SET state = ?, kallsyms = live_kallsyms, live_kallsyms = NULL "
        "WHERE number = ?",
        (LIVE, number),
    )


def make_going(connection: sqlite3.Connection, number: int) -> None:
    """Let the live module of that row be going: its exit runs."""
    connection.execute("UPDATE module SET state = ? WHERE number = ?", (GOING, number))


def add_references(connection: sqlite3.Connection, number: int, count: int) -> None:
    """Change by *count* how many references the module of that row has besides its holders'."""
    connection.execute("UPDATE module SET held = held + ? WHERE number = ?", (count, number))


def taken_by_hand(connection: sqlite3.Connection, number: int) -> int:
    """Return how many references ``add_references`` has given to the module of that row."""
    found = connection.execute("SELECT held FROM module WHERE number = ?", (number,)).fetchone()
    return as_number(found[0])


def delete_module(connection: sqlite3.Connection, name: str) -> None:
    """Delete a module that nothing uses, with its memory, files, exports and references."""
    (number,) = connection.execute(
        "SELECT number FROM module WHERE name = ?", (encode(name),)
    ).fetchone()
    for statement in (
        "DELETE FROM area WHERE module = ?",
        "DELETE FROM percpu WHERE module = ?",
        "DELETE FROM file WHERE module = ?",
        "DELETE FROM parameter WHERE module = ?",
        "DELETE FROM doubt WHERE module = ?",
        "DELETE FROM export WHERE module = ?",
        "DELETE FROM use WHERE abs(user) = ?",
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
