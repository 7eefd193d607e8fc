"""Writing to the files under the sandbox's ``/proc`` and ``/sys``: parameters and sysctls.

Source: kernel/params.c, fs/kernfs/file.c, fs/proc/inode.c; kernel/sysctl.c, proc_dointvec_minmax
and proc_taint; kernel/printk/sysctl.c.
"""

from __future__ import annotations

import errno
import posixpath
import sqlite3

from lkm.errors import CannotTellError, FileError
from lkm.kernel import kernel_rows, rows
from lkm.kernel.parameter_rows import read_parameter, write_parameter_row
from lkm.kernel.sandbox_facts import kernel_facts
from lkm.kernel.sandbox_files import Entry, Folder
from lkm.loader.findings import LogLine
from lkm.loader.parameters.writing import is_locked, write_parameter

_SYSCTLS = "/proc/sys/kernel/"
_TAINT_BITS = 19
_UEVENTS = frozenset({"add", "remove", "change", "move", "online", "offline", "bind", "unbind"})


class Write:
    """One write: what is to be stored is stored by ``carry_out``, whose answer is an errno."""

    def __init__(self, connection: sqlite3.Connection, path: str, value: str) -> None:
        self._connection = connection
        self._asked = path
        self.path = posixpath.normpath(f"/{path.strip('/')}")
        self.value = value

    def carry_out(self, files: Folder) -> int:
        """Write the value to the file, one of *files*; return 0 or the kernel's errno.

        Lines that the kernel logs are written down also where it refuses. Raises ``FileError``
        where the file cannot be opened for writing, and ``CannotTellError`` where only code of the
        module could take the value.
        """
        self._ask_there(files)
        if self.path.startswith("/proc/"):
            return self._proc()
        parts = self.path.split("/")
        if len(parts) >= 6 and parts[-2] == "parameters":
            return self._parameter(parts[-3], parts[-1])
        if parts[-1] == "uevent":
            return self._uevent(parts[-2])
        raise self._refused(errno.EACCES, "nobody may write it, root neither")

    def _ask_there(self, files: Folder) -> None:
        entry: Entry = files
        for part in self.path.split("/")[1:]:
            if not isinstance(entry, dict):
                raise self._refused(errno.ENOTDIR)
            if part and part not in entry:
                raise self._refused(errno.ENOENT, "list its folder: lkm sandbox cat")
            entry = entry[part] if part else entry
        if isinstance(entry, dict):
            raise self._refused(errno.EISDIR)

    def _proc(self) -> int:
        if not self.path.startswith(_SYSCTLS):
            return errno.EIO  # opened by root, but it has no way to take anything
        name = self.path.removeprefix(_SYSCTLS)
        if name == "modules_disabled":
            return self._number(name, 1, 1)
        if name == "kptr_restrict":
            return self._number(name, 0, 2)
        if name == "tainted":
            return self._tainted()
        raise self._refused(errno.EACCES, "nobody may write it, root neither")

    def _number(self, name: str, lowest: int, highest: int) -> int:
        if not self.value:
            return 0
        number = _number(self.value)
        if number is None or not lowest <= number <= highest:
            return errno.EINVAL
        self._store(name, number)
        return 0

    def _tainted(self) -> int:
        number = _number(self.value) if self.value else 0
        if number is None:
            return errno.EINVAL
        if number > 0:  # one that is negative is passed over
            before = int(kernel_rows.read_values(self._connection)["tainted"])
            self._store("tainted", before | number & (1 << _TAINT_BITS) - 1)
        return 0

    def _parameter(self, module: str, name: str) -> int:
        found = rows.find_module(self._connection, module)
        number = 0 if found is None else found.number
        parameter = read_parameter(self._connection, number, name)
        if parameter is None or not parameter.mode & 0o222:
            raise self._refused(
                errno.EACCES, "its mode lets nobody write it, root neither: give it at the insert"
            )
        if not self.value:
            return 0
        locked_down = kernel_facts(self._connection).locked_down
        if not parameter.type and not is_locked(parameter, locked_down=locked_down):
            raise CannotTellError(
                "write",
                self._asked,
                "code of the module takes the value, and no code runs here",
                "hold and release stand in for code that takes references",
            )
        written = write_parameter(parameter, self.value, locked_down=locked_down)
        write_parameter_row(self._connection, number, written.parameter)
        kernel_rows.write_log(self._connection, written.log)
        if written.kernel_taint:
            before = int(kernel_rows.read_values(self._connection)["tainted"])
            self._store("tainted", before | int(written.kernel_taint))
        return written.errno

    def _uevent(self, module: str) -> int:
        """Take the name of an event; what may follow it, no code here sends on."""
        word = self.value.partition(" ")[0].removesuffix("\n")
        if word in _UEVENTS or not self.value:
            return 0
        text = f"synth uevent: /module/{module}: unknown uevent action string"
        kernel_rows.write_log(self._connection, [LogLine(4, text)])
        return errno.EINVAL

    def _store(self, key: str, number: int) -> None:
        kernel_rows.write_values(self._connection, {key: str(number)})

    def _refused(self, number: int, remedy: str = "") -> FileError:
        return FileError("write", self._asked, number, remedy)


def _number(text: str) -> int | None:
    """Return the first number of *text*, as sysctls take it; None where it does not begin so."""
    words = text.split()
    word = words[0] if words else ""
    digits = word.removeprefix("-")
    octal = digits.startswith("0") and digits.isdecimal()
    try:
        number = int(digits, 8 if octal else 0) if digits[:1].isdecimal() else None
    except ValueError:
        return None
    if number is None or not digits.isalnum() or number >= 1 << 64:
        return None
    return -number if word.startswith("-") else number
