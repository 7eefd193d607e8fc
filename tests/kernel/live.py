"""A made-up /proc and /sys, and system calls that only remember, for tests of the live kernel."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from lkm.module.file import ModuleImage, read_image
from lkm.names import ModuleName
from tests.builders.elf import a_module

TINY = ModuleName("tiny")


Answers = int | Sequence[int]


class RecordedSyscalls:
    """System calls that do nothing but remember, and answer what the test wants.

    Of several answers each call gets the next, and the last one for good. *meanwhile* is done at
    each call of finit_module, with the number of calls before it.
    """

    def __init__(
        self,
        *,
        finit: Answers = 0,
        init: Answers = 0,
        delete: Answers = 0,
        meanwhile: Callable[[int], object] = lambda _count: None,
    ) -> None:
        answers = {"finit_module": finit, "init_module": init, "delete_module": delete}
        self._answers = {
            name: [each] if isinstance(each, int) else list(each) for name, each in answers.items()
        }
        self._meanwhile = meanwhile
        self.calls: list[tuple[object, ...]] = []

    def init_module(self, image: bytes, params: bytes) -> int:
        return self._called("init_module", image, params)

    def finit_module(self, descriptor: int, params: bytes, flags: int) -> int:
        self._meanwhile(len(self.calls))
        return self._called("finit_module", os.pread(descriptor, 4, 0), params, flags)

    def delete_module(self, name: bytes, flags: int) -> int:
        return self._called("delete_module", name, flags)

    def names(self) -> list[object]:
        """Return the calls' names, in order."""
        return [call[0] for call in self.calls]

    def _called(self, name: str, *arguments: object) -> int:
        self.calls.append((name, *arguments))
        answers = self._answers[name]
        return answers.pop(0) if len(answers) > 1 else answers[0]


class Meanwhile:
    """Stands for ``os.open``: does *action* just before a path that ends so is opened, once."""

    def __init__(self, end: str, action: Callable[[], object]) -> None:
        self._end, self._action = end, action
        self._open = os.open
        self.done = False

    def __call__(
        self, path: str | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None
    ) -> int:
        whole = str(path) if dir_fd is None else f"{os.readlink(f'/proc/self/fd/{dir_fd}')}/{path}"
        if whole.endswith(self._end) and not self.done:
            self.done = True
            self._action()
        return self._open(path, flags, mode, dir_fd=dir_fd)


def a_root(tmp_path: Path, *, lines: str = "", folders: dict[str, dict[str, str]]) -> str:
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / "proc/version").write_text("Linux version 6.1.0-test\n")
    (tmp_path / "proc/cmdline").write_text("quiet ro\n")
    (tmp_path / "proc/sys/kernel/osrelease").write_text("6.1.0-test\n")
    (tmp_path / "proc/modules").write_text(lines)
    for name, files in folders.items():
        folder = tmp_path / "sys/module" / name
        folder.mkdir(parents=True)
        for file, text in files.items():
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_text(text)
    return str(tmp_path)


def a_file(tmp_path: Path, name: str = "tiny.ko", data: bytes | None = None) -> ModuleImage:
    path = tmp_path / name
    path.write_bytes(a_module() if data is None else data)
    return read_image(str(path))
