"""The sandbox kernel itself as rows: what it was booted with, its values, its log.

What is stored is checked when it is read: ``sqlite3.DatabaseError`` for what lkm never wrote.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lkm._text import encode
from lkm.errors import FormatError
from lkm.kernel.store import as_bytes, as_number, as_text
from lkm.loader.findings import LogLine
from lkm.loader.options import OPTION_NAMES, KernelOptions
from lkm.vmlinux.btf import KernelBtf
from lkm.vmlinux.certificates import Certificate, parse_certificate

if TYPE_CHECKING:
    from lkm.kernel.booting import BootFacts

_TEXTS = (
    "release",
    "root",
    "directory",
    "command_line",
    "image",
    "banner",
    "notes",
    "vermagic",
    "order",
    "config_source",
    "exports_source",
    "assumed_options",
    "unreadable",
    "struct_module_size",
    "btf_types",
    "btf_tags",
)
_NUMBERS = (
    "machine",
    "is_64bit",
    "modversions",
    "retpoline",
    "vermagic_told",
    "certificates_told",
    "percpu_end",
    "tree_modules",
    "tainted",
    "modules_disabled",
    "kptr_restrict",
    *(f"option.{name}" for name in OPTION_NAMES),
)
_KALLSYMS = "/proc/kallsyms"
_BTF_STRINGS = "strings of /sys/kernel/btf/vmlinux"
_TREE_EXPORTS = "what the modules of its tree export"
_LARGEST = 256 << 20
_DIGITS = 20  # of a number that the kernel's own values may hold
_SIGN = 1 << 63


def read_values(connection: sqlite3.Connection) -> dict[str, str]:
    """Return all of the kernel's values, those that are numbers in digits."""
    found = connection.execute("SELECT key, value FROM kernel")
    values = {str(key): as_text(value) for key, value in found}
    whole = all(key in values for key in _TEXTS) and values["order"] in {"<", ">"}
    numbers = [values.get(key, "") for key in _NUMBERS]
    numbers += [values.get(key) or "0" for key in ("unreadable", "struct_module_size", "btf_types")]
    numbers += values.get("btf_tags", "").split()
    if not whole or not all(each.isdecimal() and len(each) <= _DIGITS for each in numbers):
        raise sqlite3.DatabaseError("the kernel's own values are not whole")
    return values


def read_options(values: Mapping[str, str]) -> KernelOptions:
    """Return the kernel's options among its *values*."""
    return KernelOptions(**{name.lower(): values[f"option.{name}"] == "1" for name in OPTION_NAMES})


def write_values(connection: sqlite3.Connection, values: Mapping[str, str]) -> None:
    """Set the kernel's values of those keys."""
    pairs = [(key, encode(value)) for key, value in values.items()]
    connection.executemany("INSERT OR REPLACE INTO kernel VALUES (?, ?)", pairs)


def count(connection: sqlite3.Connection, table: str) -> int:
    """Return the number of rows in *table*."""
    (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
    return as_number(rows)


def write_boot(connection: sqlite3.Connection, facts: BootFacts) -> None:
    """Write what does not change: values, exports, symbols, the built-ins with a folder."""
    write_values(connection, _boot_values(facts))
    connection.executemany(
        "INSERT OR REPLACE INTO symbol VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                encode(symbol.name),
                symbol.crc,
                symbol.gpl_only,
                encode(symbol.namespace),
                as_offset(symbol.address),
                symbol.crc_known,
            )
            for symbol in facts.symbols
        ],
    )
    known = facts.certificates or ()
    data = [(False, certificate.data) for certificate in known]
    data += [(True, certificate.data) for certificate in facts.enrolled]
    connection.executemany("INSERT INTO certificate (enrolled, data) VALUES (?, ?)", data)
    names = [(encode(name),) for name in sorted(facts.sysfs_names)]
    connection.executemany("INSERT INTO sysfs_name VALUES (?)", names)
    if facts.kallsyms is not None:
        text = packed(facts.kallsyms.as_text())
        connection.execute("INSERT INTO kernel_file VALUES (?, ?)", (_KALLSYMS, text))
    if facts.tree_exports:
        text = packed(encode("\n".join(sorted(facts.tree_exports))))
        connection.execute("INSERT INTO kernel_file VALUES (?, ?)", (_TREE_EXPORTS, text))
    if facts.btf is not None:
        strings = facts.btf.strings  # not packed: every insert of a module asks for them
        connection.execute("INSERT INTO kernel_file VALUES (?, ?)", (_BTF_STRINGS, strings))


def _boot_values(facts: BootFacts) -> dict[str, str]:
    options = {
        f"option.{name}": str(int(getattr(facts.options, name.lower()))) for name in OPTION_NAMES
    }
    return {
        "image": facts.image,
        "banner": facts.banner,
        "notes": "\n".join(facts.notes),
        "vermagic": facts.vermagic,
        "vermagic_told": str(int(facts.vermagic_told)),
        "machine": str(facts.machine),
        "is_64bit": str(int(facts.is_64bit)),
        "order": facts.order,
        "modversions": str(int(facts.modversions)),
        "retpoline": str(int(facts.retpoline)),
        "percpu_end": str(facts.percpu_end),
        "config_source": facts.config_source,
        "assumed_options": " ".join([name for name in OPTION_NAMES if name in facts.assumed]),
        "struct_module_size": _optional(facts.struct_module_size),
        "btf_types": _optional(None if facts.btf is None else facts.btf.type_count),
        "btf_tags": " ".join(map(str, sorted(facts.btf.type_tags))) if facts.btf else "",
        "exports_source": facts.exports_source,
        "tree_modules": str(facts.modules),
        "unreadable": _optional(facts.unreadable),
        "tainted": "0",
        "modules_disabled": "0",
        "kptr_restrict": "0",
        "certificates_told": str(int(facts.certificates is not None)),
        **options,
    }


def as_offset(address: int | None) -> int | None:
    """Return *address* as it is stored, since SQLite's integers are signed."""
    if address is None or address < _SIGN:
        return address
    return address - 2 * _SIGN


def as_address(stored: object) -> int | None:
    """Return a stored address, None for none; raises as ``as_text``."""
    return None if stored is None else as_number(stored) % (2 * _SIGN)


def read_certificates(
    connection: sqlite3.Connection, *, enrolled: bool = False
) -> tuple[Certificate, ...]:
    """Return the certificates that the kernel trusts from the start, or those *enrolled* later.

    Raises as ``as_text`` for what are none.
    """
    sql = "SELECT data FROM certificate WHERE enrolled = ? ORDER BY number"
    found = connection.execute(sql, (enrolled,))
    try:
        return tuple([parse_certificate(as_bytes(data)) for (data,) in found])
    except FormatError as error:
        raise sqlite3.DatabaseError(f"a certificate that is damaged: {error}") from None


def read_btf(connection: sqlite3.Connection, values: Mapping[str, str]) -> KernelBtf | None:
    """Return what the BTF of modules goes on from, None where it is not known.

    Its strings are read when they are asked for, inside the transaction of *connection*.
    """
    if not values["btf_types"]:
        return None
    tags = frozenset([int(tag) for tag in values["btf_tags"].split()])
    return KernelBtf(int(values["btf_types"]), tags, lambda: _btf_strings(connection))


def _btf_strings(connection: sqlite3.Connection) -> bytes:
    found = connection.execute("SELECT data FROM kernel_file WHERE path = ?", (_BTF_STRINGS,))
    return b"".join([as_bytes(data) for (data,) in found])


def was_logged(connection: sqlite3.Connection, text: str) -> bool:
    """Tell whether the kernel has logged a line of that *text* since it was booted."""
    found = connection.execute("SELECT 1 FROM log WHERE text = ? LIMIT 1", (encode(text),))
    return found.fetchone() is not None


def _optional(number: int | None) -> str:
    return "" if number is None else str(number)


def own_kallsyms(connection: sqlite3.Connection) -> bytes:
    """Return the kernel's own lines of ``/proc/kallsyms``, none where they are not known."""
    found = connection.execute("SELECT data FROM kernel_file WHERE path = ?", (_KALLSYMS,))
    return b"".join([unpacked(data) for (data,) in found])


def read_tree_exports(connection: sqlite3.Connection) -> frozenset[bytes]:
    """Return what the tree's modules export, none where the kernel's own exports are known."""
    found = connection.execute("SELECT data FROM kernel_file WHERE path = ?", (_TREE_EXPORTS,))
    return frozenset([name for (data,) in found for name in unpacked(data).split(b"\n")])


def packed(data: bytes) -> bytes:
    """Return *data* as it is stored."""
    return zlib.compress(data, 1)


def unpacked(stored: object) -> bytes:
    """Return what ``packed`` was given; raises as ``as_text``."""
    unzip = zlib.decompressobj()
    try:
        data = unzip.decompress(as_bytes(stored), _LARGEST)
    except zlib.error as error:
        raise sqlite3.DatabaseError(f"packed symbols that are damaged: {error}") from None
    if not unzip.eof:
        raise sqlite3.DatabaseError("packed symbols that are cut off, or too large")
    return data


def read_log(connection: sqlite3.Connection) -> tuple[LogLine, ...]:
    """Return the kernel's log, oldest line first."""
    found = connection.execute("SELECT level, text FROM log ORDER BY number")
    return tuple([LogLine(as_number(level), as_text(line)) for level, line in found])


def write_log(connection: sqlite3.Connection, lines: Sequence[LogLine]) -> None:
    """Add *lines* to the kernel's log."""
    pairs = [(line.level, encode(line.text)) for line in lines]
    connection.executemany("INSERT INTO log (level, text) VALUES (?, ?)", pairs)
