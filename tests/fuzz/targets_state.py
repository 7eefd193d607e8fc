"""What reads the sandbox's state file."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from lkm.errors import LkmError
from lkm.kernel.sandbox import Sandbox
from lkm.module.file import image_from_bytes
from tests.builders.elf import a_module
from tests.fuzz import corpus
from tests.fuzz.inputs import Input, Run, Target
from tests.fuzz.mutate import BYTES, apply

_VALUES: tuple[int | float | str | bytes | None, ...] = (
    *(None, 0, 1, -1, 2, 1 << 62, -(1 << 63), 1 << 32, 4096, 1.5, "", "x", b"", b"\0", b"\xff\xfe"),
    *(b"1", b"0", b"-1", b"6.1", "live", b"live", b"9" * 30, b"9" * 5000, b"/", b"a/../b", b"<"),
    "\u0663".encode(),
)


def _state(place: Path) -> Run:
    state = place / "state"
    module = image_from_bytes(a_module(name="tm"), name="tm")

    def run(given: Input) -> str:
        for name in ("state", "state-journal", "state-wal", "state-shm"):
            (place / name).unlink(missing_ok=True)
        state.write_bytes(given.data)
        with Sandbox(str(state)) as sandbox:
            problems = sum(_failing(_questions(sandbox)))
            try:
                sandbox.insert(module, flags=3)
                sandbox.remove(module.name)
            except LkmError:
                problems += 1
        return f"{problems} questions fail"

    return run


def _questions(sandbox: Sandbox) -> Sequence[Callable[[], object]]:
    return (
        *(sandbox.status, sandbox.modules, sandbox.snapshot, sandbox.log, sandbox.release),
        *(lambda: sandbox.read("/proc/modules"), lambda: sandbox.read("/proc/kallsyms")),
        *(lambda: sandbox.listing("/sys/module"), sandbox.command_line),
    )


def _failing(questions: Sequence[Callable[[], object]]) -> Sequence[int]:
    found = []
    for question in questions:
        try:
            question()
        except LkmError:
            found.append(1)
    return found


@functools.cache
def _states(_real: bool) -> tuple[Input, ...]:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "state"
        with Sandbox.open(str(path)) as sandbox:
            for module in sorted(corpus.teaching_tree().rglob("*fat.ko")):
                sandbox.insert(image_from_bytes(module.read_bytes(), name=module.stem))
        return (Input("state.sqlite", path.read_bytes()),)


def _with_other_values(rng: Random, data: bytes) -> bytes:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.text_factory = bytes
        connection.deserialize(data)
        for _ in range(rng.choice((1, 1, 1, 3))):
            _change_a_value(rng, connection)
        return connection.serialize()


def _change_a_value(rng: Random, connection: sqlite3.Connection) -> None:
    query = "SELECT m.name, p.name, p.pk FROM sqlite_master m, pragma_table_info(m.name) p"
    columns = [
        (table.decode(), name.decode(), key)
        for table, name, key in connection.execute(f"{query} WHERE m.type = 'table'")
    ]
    # Each table as often as any other, save that what the kernel is told by has many facts.
    tables = sorted({table for table, _, _ in columns})
    table = "kernel" if rng.random() < 0.4 else rng.choice(tables)
    names = [name for each, name, _ in columns if each == table]
    keys = [name for each, name, key in columns if each == table and key] or ["rowid"]
    listed, place = ", ".join(keys), " AND ".join(f'"{key}" = ?' for key in keys)
    rows = connection.execute(f'SELECT {listed} FROM "{table}" LIMIT 200').fetchall()
    if not rows or not names:
        return
    column, row = rng.choice(names), rng.choice(rows)
    value = rng.choice(_VALUES)
    with contextlib.suppress(sqlite3.Error):
        if rng.random() < 0.1:
            connection.execute(f'DELETE FROM "{table}" WHERE {place}', row)
        else:
            connection.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE {place}', (value, *row))
    connection.commit()


def _mutate_state(rng: Random, start: Input, others: Sequence[Input]) -> bytes:
    """Change the state file: a value in a table, or bytes anywhere."""
    if rng.random() < 0.5:
        return _with_other_values(rng, start.data)
    data = bytearray(start.data)
    for _ in range(rng.choice((1, 1, 4, 40))):
        words = rng.choice(
            (b"live", b"fat", b"taint", b"CREATE", b"6.1.0", b"/kernel", b"NOT NULL")
        )
        places = [at for at in range(len(words), len(data)) if data.startswith(words, at)]
        if places and rng.random() < 0.7:
            at = rng.choice(places) + rng.randrange(-6, 8)
            data[at] = rng.choice((0, 0x7F, 0xFF, data[at] ^ 1, ord("9")))
    return bytes(data) if rng.random() < 0.5 else apply(rng, bytes(data), others, BYTES)


TARGETS = (Target(name="state", seeds=_states, mutate=_mutate_state, prepare=_state, cost=20),)
