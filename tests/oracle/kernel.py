"""The kernel that both programs see: its /proc and /sys as files, its module calls answered.

It keeps what a load or a removal changes (the lists, the counts, who holds whom), so that a chain
of them goes on as on a real kernel, and writes down each call.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

RELEASE = "6.1.0-test"
SIZE = 16384
_ZEROS = "0x0000000000000000"


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A module that is there from the beginning. *sysfs* false: /sys/module does not have it."""

    name: str
    size: int = SIZE
    refcnt: int = 0
    holders: tuple[str, ...] = ()
    state: str = "live"
    sysfs: bool = True
    files: Mapping[str, str] = field(default_factory=dict)


class FakeKernel:
    """Lives below *root* while it is entered; *calls* are those made, in words.

    *answers* name an errno for calls: ``delete_module b EBUSY``, ``finit_module * ENOSYS``; with
    a number behind it only for so many calls of that kind.
    """

    def __init__(self, root: Path, answers: Sequence[str] = ()) -> None:
        self.root = root
        self.calls: list[str] = []
        self._answers = [answer.split() for answer in answers]
        self._socket = root / "fake/kernel"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def boot(self, loaded: Sequence[Loaded], cmdline: str) -> None:
        """Write /proc and /sys as they are before anything is done."""
        for name, text in (
            ("version", f"Linux version {RELEASE}\n"),
            ("cmdline", cmdline + "\n"),
            ("modules", ""),
            ("sys/kernel/osrelease", RELEASE + "\n"),
        ):
            file = self.root / "proc" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        (self.root / "sys/module").mkdir(parents=True, exist_ok=True)
        for module in reversed(loaded):
            self._add(module)

    def __enter__(self) -> FakeKernel:
        self._socket.parent.mkdir(exist_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # By the folder's descriptor: a socket's path must be short.
        folder = os.open(self._socket.parent, os.O_PATH)
        try:
            self._listener.bind(f"/proc/self/fd/{folder}/{self._socket.name}")
        finally:
            os.close(folder)
        self._listener.listen()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        shutil.rmtree(self._socket.parent)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                call, flags, text, file = _decoded(connection.recv(16384)).split("\0")
                number = self._answer(call, int(flags), text, file)
                connection.send(str(number).encode())

    def _answer(self, call: str, flags: int, text: str, file: str) -> int:
        data = b"" if call == "delete_module" else self._image(file).read_bytes()
        name = text if call == "delete_module" else _name_of(data, file)
        made = f"{call} {_shown(name)} flags={flags:#x}"
        if call != "delete_module":
            made += f" params={text!r}"
        if call == "finit_module":
            made += f" file={_shown(file)}"
        if call == "init_module":
            made += f" bytes={len(data)} sha256={hashlib.sha256(data).hexdigest()[:16]}"
        self.calls.append(made)
        told = self._told(call, name)
        if told is not None:
            return told
        if call == "delete_module":
            return self._remove(name, forced=bool(flags & os.O_TRUNC))
        return self._insert(name, data)

    def _image(self, file: str) -> Path:
        inside = self._socket.with_suffix(".image") if file.endswith(".image") else Path(file)
        return inside if inside.is_relative_to(self.root) else self.root / file.lstrip("/")

    def _told(self, call: str, name: str) -> int | None:
        for answer in self._answers:
            if answer[0] == call and answer[1] in (name, "*") and answer[3:] != ["0"]:
                if len(answer) > 3:
                    answer[3] = str(int(answer[3]) - 1)
                return int(getattr(errno, answer[2])) if answer[2] != "OK" else 0
        return None

    def _insert(self, name: str, data: bytes) -> int:
        if self._folder(name).exists():
            return errno.EEXIST
        depends = re.search(rb"\0?depends=([^\0]*)\0", data)
        needed = _decoded(depends[1]).split(",") if depends and depends[1] else []
        if not all(self._folder(each).exists() for each in needed):
            return errno.ENOENT
        self._add(Loaded(name=name))
        for each in needed:
            self._count(each, +1)
            (self._folder(each) / "holders" / name).write_text("")
        return 0

    def _remove(self, name: str, *, forced: bool) -> int:
        folder = self._folder(name)
        if not folder.exists():
            return errno.ENOENT
        if _number(folder / "refcnt") and not forced:
            return errno.EWOULDBLOCK
        shutil.rmtree(folder)
        listed = self.root / "proc/modules"
        if listed.exists():
            lines = listed.read_text().splitlines(keepends=True)
            listed.write_text("".join(line for line in lines if line.split()[:1] != [name]))
        for holder in self.root.glob(f"sys/module/*/holders/{name}"):
            holder.unlink()
            self._count(holder.parent.parent.name, -1)
        return 0

    def _add(self, module: Loaded) -> None:
        listed = self.root / "proc/modules"
        before = listed.read_text() if listed.exists() else None
        users = "".join(f"{holder}," for holder in module.holders) or "-"
        word = {"live": "Live", "coming": "Loading", "going": "Unloading"}[module.state]
        line = f"{module.name} {module.size} {module.refcnt} {users} {word} {_ZEROS}\n"
        if before is not None:
            listed.write_text(line + before)
        if not module.sysfs:
            return
        folder = self._folder(module.name)
        (folder / "holders").mkdir(parents=True)
        files = {
            "initstate": module.state + "\n",
            "coresize": f"{module.size}\n",
            "refcnt": f"{module.refcnt}\n",
            **module.files,
        }
        for name, text in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        for holder in module.holders:
            (folder / "holders" / holder).write_text("")

    def _count(self, name: str, change: int) -> None:
        file = self._folder(name) / "refcnt"
        if file.exists():
            file.write_text(f"{_number(file) + change}\n")

    def _folder(self, name: str) -> Path:
        return self.root / "sys/module" / name


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _shown(text: str) -> str:
    """Return *text* as can be printed: names of files are bytes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _number(file: Path) -> int:
    """Return the number in *file*; 0 where a case has put none there."""
    text = file.read_text().strip() if file.exists() else ""
    return int(text) if text.lstrip("-").isdecimal() else 0


def _name_of(data: bytes, file: str) -> str:
    found = re.search(rb"\0name=([^\0]*)\0", data)
    if found:
        return _decoded(found[1])
    return os.path.basename(file).partition(".")[0].replace("-", "_")
