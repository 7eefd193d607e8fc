"""The parameters of the sandbox kernel's modules as rows, by which they can be written later.

What is stored is checked when it is read: ``sqlite3.DatabaseError`` for what lkm never wrote.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from lkm._text import encode
from lkm.kernel.store import as_bytes, as_number, as_text
from lkm.loader.parameters.declared import Parameter


def insert_parameters(
    connection: sqlite3.Connection, number: int, parameters: Sequence[Parameter]
) -> None:
    """Write down the *parameters* of the module in that row, those with a file."""
    connection.executemany(
        "INSERT OR IGNORE INTO parameter VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                number,
                encode(each.name),
                each.type,
                each.unsafe,
                _packed(each.values),
                each.most,
                each.counted,
                each.count,
                each.buffer,
                each.word,
                each.hardware,
            )
            for each in parameters
            if each.mode
        ],
    )


def read_parameter(connection: sqlite3.Connection, number: int, name: str) -> Parameter | None:
    """Return the parameter *name* of the module in that row, None where it has no such file."""
    key = (number, encode(name))
    row = connection.execute(
        "SELECT file.mode, parameter.* FROM parameter JOIN file ON file.module = parameter.module "
        "AND file.name = parameter.name AND file.folder = 'parameters' "
        "WHERE parameter.module = ? AND parameter.name = ?",
        key,
    ).fetchone()
    if row is None:
        return None
    mode, _module, _name, kind, unsafe, values, most, counted, count, buffer, word, hardware = row
    return Parameter(
        name=name,
        type=str(kind),
        mode=as_number(mode),
        unsafe=bool(unsafe),
        values=None if values is None else _unpacked(as_bytes(values)),
        most=as_number(most),
        counted=bool(counted),
        count=as_number(count),
        buffer=as_number(buffer),
        word=as_number(word),
        hardware=bool(hardware),
    )


def write_parameter_row(connection: sqlite3.Connection, number: int, parameter: Parameter) -> None:
    """Write down what *parameter*, of the module in that row, is now, and what its file shows."""
    key = (number, encode(parameter.name))
    connection.execute(
        'UPDATE parameter SET "values" = ?, count = ? WHERE module = ? AND name = ?',
        (_packed(parameter.values), parameter.count, *key),
    )
    text = parameter.text
    connection.execute(
        "UPDATE file SET data = ? WHERE folder = 'parameters' AND module = ? AND name = ?",
        (None if text is None else encode(f"{text}\n"), *key),
    )


def _packed(values: Sequence[str] | None) -> bytes | None:
    # No value has a NUL in it: it came from one of C's strings.
    return None if values is None else b"".join([encode(value) + b"\0" for value in values])


def _unpacked(stored: bytes) -> tuple[str, ...]:
    return tuple([as_text(value) for value in stored.split(b"\0")[:-1]])
