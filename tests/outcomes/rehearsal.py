"""Run the steps of a case in the sandbox, and note what the agent in a guest would note.

What lkm does not claim to know (what a bad descriptor answers, what a callback of the module's own
makes of a value) is not rehearsed: ``rehearse`` gives None for it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from lkm._text import encode
from lkm.errors import CannotTellError, FileError, KernelError, LkmError
from lkm.kernel import rows
from lkm.kernel.sandbox import Sandbox
from lkm.kernel.sandbox_facts import kernel_facts
from lkm.kernel.sandbox_showing import shown_modules
from lkm.kernel.store import Store
from lkm.loader.checks import Verdict, examine
from lkm.module.file import ModuleImage
from lkm.names import ModuleName
from tests.outcomes.case import NEVER, Step
from tests.outcomes.guest import Result, Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Insert:
    """An insert that is about to be rehearsed; *step* tells what init returns."""

    image: ModuleImage
    params: str | None
    flags: int
    step: Step
    capable: bool


def look_at(sandbox: Sandbox, insert: Insert) -> Verdict:
    """Return what the loader's checks come to for *insert*; nothing is changed."""
    returns = None if insert.step.init == NEVER else insert.step.init
    with closing(Store(sandbox.path)) as store, store.reading() as connection:
        return examine(
            insert.image,
            kernel_facts(connection, capable=insert.capable),
            flags=insert.flags,
            params=insert.params,
            init_returns=returns,
        )


class Rehearsal:
    """A sandbox kernel, and the files that lie in the guest's ``/ko``.

    *before_insert* is called with each insert that comes.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        files: Mapping[str, bytes],
        before_insert: Callable[[Insert], None] | None = None,
        *,
        capable: bool = True,
    ) -> None:
        self.sandbox = sandbox
        self.files = files
        self._before_insert = before_insert
        self._capable = capable
        self._logged = len(sandbox.log())
        self._waiting: list[str] = []  # modules whose init or exit function still runs
        self._late: list[Result] = []  # what calls are answered that wait for these

    def rehearse(self, step: Step) -> Seen | None:
        """Do one step; return what was seen, None for one that is not for the sandbox."""
        word, _blank, rest = step.op.partition(" ")
        action = _ACTIONS.get(word)
        if action is None or not step.compared:
            return None
        seen = action(self, step, rest)
        if step.held and seen is not None and seen.returned != ("EAGAIN",):
            change = self.sandbox.hold if step.holds > 0 else self.sandbox.release_hold
            if self.sandbox.find(ModuleName(step.held)) is not None:
                change(ModuleName(step.held))
        return None if seen is None else self._with_log(seen)

    def _with_log(self, seen: Seen) -> Seen:
        lines = self.sandbox.log()
        new = lines[self._logged :]
        self._logged = len(lines)
        return Seen(
            op=seen.op,
            returned=seen.returned,
            log=seen.log + tuple([f"{line.level} {_logged(line.text)}" for line in new]),
            modules=seen.modules,
            out=seen.out,
            kallsyms=seen.kallsyms,
            tainted=seen.tainted,
        )

    def load(self, step: Step, rest: str) -> Seen:
        path, flags, *params = rest.split(" ", 2)
        number = int(flags) & 0xFFFFFFFF
        return self._insert(step, path, path, number, params[0] if params else "")

    def iload(self, step: Step, rest: str) -> Seen:
        path, *params = rest.split(" ", 1)
        return self._insert(step, path, "", 0, params[0] if params else "")

    def unprivileged(self, step: Step, rest: str) -> Seen | None:
        """Do it as a user who may not load modules, and is shown no addresses."""
        if not rest.startswith(("load ", "iload ", "del ", "mods", "syms ")):
            return None
        with Sandbox(self.sandbox.path, capable=False) as sandbox:
            other = Rehearsal(sandbox, self.files, self._before_insert, capable=False)
            seen = other.rehearse(replace(step, op=rest))
        return None if seen is None else replace(seen, op=step.op)

    def raw(self, step: Step, rest: str) -> Seen | None:
        """Do a call with wrong arguments, as far as it gets to the kernel's loader."""
        kind, _blank, path = rest.partition(" ")
        if kind == "nullargs":
            return self._insert(step, path, path, 0, None)
        if kind in _RAW_NAMES:
            return self.delete(step, f"{_RAW_NAMES[kind]} 0x800")
        return None

    def _insert(self, step: Step, path: str, shown: str, flags: int, params: str | None) -> Seen:
        name = ModuleName(PurePosixPath(path).stem)
        image = ModuleImage(name, self.files[PurePosixPath(path).name], shown)
        coming = Insert(image=image, params=params, flags=flags, step=step, capable=self._capable)
        if self._before_insert is not None:
            self._before_insert(coming)
        try:
            answer = _answer(
                lambda: self.sandbox.insert(image, params, flags=flags, init_returns=step.init)
            )
        except CannotTellError:
            return self._assumed(coming)
        if step.waits:
            self._late.append(answer)
        background = step.op.startswith("bg") and (answer == 0 or step.waits)
        return Seen(op=step.op, returned=() if background else (answer,))

    def _assumed(self, insert: Insert) -> Seen:
        """Return the refusal that lkm would not swear to: it is held all the same."""
        verdict = look_at(self.sandbox, insert)
        log = tuple([f"{line.level} {_logged(line.text)}" for line in verdict.log])
        return Seen(op=insert.step.op, returned=(_name(verdict.errno),), log=log)

    def delete(self, step: Step, rest: str) -> Seen:
        name, flags = rest.split(" ")
        real = ModuleName("" if name == "EMPTY" else name)
        number = int(flags, 0)
        answer = _answer(
            lambda: self.sandbox.remove(real, flags=number, exit_hangs=step.exit == NEVER)
        )
        background = step.op.startswith("bg")
        return Seen(op=step.op, returned=() if background and answer == 0 else (answer,))

    def wait(self, step: Step, _rest: str) -> Seen:
        returned: list[Result] = []
        for name, answer in step.ends:
            called = _answer(self._finisher(name, answer))
            returned.append(_name(-answer) if called == 0 and answer < 0 else called)
        returned += self._late
        self._late = []
        return Seen(op=step.op, returned=tuple(returned))

    def _finisher(self, name: str, answer: int) -> Callable[[], object]:
        return lambda: self.sandbox.finish(ModuleName(name), answer)

    def mods(self, step: Step, _rest: str) -> Seen:
        lines = self.sandbox.read("/proc/modules").decode().splitlines()
        return Seen(op=step.op, modules=tuple(lines))

    def taint(self, step: Step, _rest: str) -> Seen:
        return Seen(op=step.op, tainted=int(self.sandbox.read("/proc/sys/kernel/tainted")))

    def syms(self, step: Step, rest: str) -> Seen:
        ends = tuple([f"\t[{name}]" for name in rest.split(" ")])
        lines = self.sandbox.read("/proc/kallsyms").decode().splitlines()
        mine = [line.partition("\t")[0] for line in lines if line.endswith(ends)]
        return Seen(op=step.op, kallsyms=tuple(mine))

    def cat(self, step: Step, rest: str) -> Seen:
        return Seen(op=step.op, out=tuple(self._text(rest).split("\\x0a")))

    def sys(self, step: Step, rest: str) -> Seen:
        name, _slash, below = rest.partition("/")
        modes = self._modes(name)
        found = self._tree(f"/sys/module/{name}", f"/{below}" if below else "", modes)
        return Seen(op=step.op, out=tuple(sorted(found)))

    def _modes(self, name: str) -> Mapping[str, int]:
        """Return the modes of the files in a loaded module's folder, by their paths there."""
        with closing(Store(self.sandbox.path)) as store, store.reading() as connection:
            numbers = [
                each.number for each in shown_modules(connection) if each.loaded.name == name
            ]
            files = [file for number, file in rows.read_files(connection) if number in numbers]
        modes = {f"{file.folder}/{file.name}": file.mode for file in files}
        return {**_OWN_MODES, **modes} if numbers else modes

    def write(self, step: Step, rest: str) -> Seen | None:
        path, _blank, value = rest.partition(" ")
        if step.held:  # it is the module's own code that takes or drops a reference
            return Seen(op=step.op, returned=(len(value),))
        try:
            answer = _answer(lambda: self.sandbox.write(path, value))
        except CannotTellError:
            return None
        return Seen(op=step.op, returned=(answer or len(value),))

    def case(self, step: Step, _rest: str) -> Seen:
        return Seen(op=step.op)

    def clear(self, step: Step, _rest: str) -> Seen:
        gone = 0
        while True:
            before = gone
            for module in self.sandbox.modules():
                gone += _answer(self._remover(module.name)) == 0
            if gone == before:
                break
        left = tuple(self.sandbox.read("/proc/modules").decode().splitlines())
        return Seen(op=step.op, returned=(gone,), modules=left)

    def _remover(self, name: ModuleName) -> Callable[[], None]:
        return lambda: self.sandbox.remove(name, flags=0x800)

    def _tree(self, root: str, below: str, modes: Mapping[str, int]) -> Iterator[str]:
        try:
            names = self.sandbox.listing(root + below)
        except FileError as error:
            yield f"!{_name(error.errno)}"
            return
        for name in names:
            path = f"{below}/{name}"
            if below == "/holders":
                yield f"777 {path[1:]} -> ../../{name}"
            elif self._is_folder(root + path):
                yield f"755 {path[1:]}/"
                yield from self._tree(root, path, modes)
            else:
                mode = modes.get(path[1:])
                known = "" if mode is None else f"{mode:03o} "
                yield f"{known}{path[1:]} {self._text(root + path)}"

    def _is_folder(self, path: str) -> bool:
        try:
            self.sandbox.listing(path)
        except FileError:
            return False
        return True

    def _text(self, path: str) -> str:
        try:
            data = self.sandbox.read(path)
        except FileError as error:
            return f"!{_name(error.errno)}"
        return "".join([_letter(byte) for byte in data.removesuffix(b"\n")])


def _logged(text: str) -> str:
    """Return *text* as a log is read: what cannot be printed by its number; no backslash is."""
    return "".join(
        [chr(byte) if 32 <= byte < 127 or byte == 10 else _letter(byte) for byte in encode(text)]
    )


def _letter(byte: int) -> str:
    return chr(byte) if 32 <= byte < 127 and byte != 92 else f"\\x{byte:02x}"


def _answer(call: Callable[[], object]) -> Result:
    """Return 0, or the name of the errno that was raised."""
    try:
        call()
    except (KernelError, FileError) as error:
        return _name(error.errno)
    except CannotTellError:
        raise
    except LkmError as error:
        return f"lkm: {error}"
    return 0


def _name(number: int) -> Result:
    # Python knows this number by its other name.
    return "EOPNOTSUPP" if number == errno.EOPNOTSUPP else errno.errorcode.get(number, -number)


# Of the files that every module's folder has, by what they are: facts, and what can be written.
_OWN_MODES: Mapping[str, int] = {
    **dict.fromkeys(("coresize", "initsize", "initstate", "refcnt", "taint"), 0o444),
    **dict.fromkeys(("version", "srcversion"), 0o444),
    "uevent": 0o200,
}
# Names that raw calls give to delete_module(2).
_RAW_NAMES: Mapping[str, str] = {"del56": "a" * 56}

_Action = Callable[[Rehearsal, Step, str], Seen | None]
_ACTIONS: Mapping[str, _Action] = {
    "load": Rehearsal.load,
    "bgload": Rehearsal.load,
    "iload": Rehearsal.iload,
    "del": Rehearsal.delete,
    "bgdel": Rehearsal.delete,
    "wait": Rehearsal.wait,
    "mods": Rehearsal.mods,
    "taint": Rehearsal.taint,
    "syms": Rehearsal.syms,
    "cat": Rehearsal.cat,
    "sys": Rehearsal.sys,
    "write": Rehearsal.write,
    "raw": Rehearsal.raw,
    "umode": Rehearsal.unprivileged,
    "case": Rehearsal.case,
    "clear": Rehearsal.clear,
}
