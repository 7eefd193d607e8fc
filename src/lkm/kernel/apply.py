"""Carry a plan out on a kernel, step by step."""

from __future__ import annotations

import errno
import os
import time

from lkm._value import Value
from lkm.errors import (
    AlreadyLoadedError,
    CommandFailedError,
    InUseError,
    KernelError,
    LkmError,
    NoSuchModuleError,
    NotLoadedError,
)
from lkm.kernel.loaded import GOING, LIVE
from lkm.kernel.racing import insert_beside_others
from lkm.resolve.plan import Insert, InUse, Missing, Remove, RunInstall, RunRemove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Final

    from lkm.kernel.protocol import Kernel
    from lkm.module.file import ModuleImage
    from lkm.names import ModuleName
    from lkm.resolve.plan import Plan, Step

    CommandRunner = Callable[[str, ModuleName], int]


_NO_SHELL = 127


class Outcome(Value):
    """What carrying a plan out came to.

    *done* are the steps that changed the kernel or ran a command, in order, without an insertion
    that may have been another process's, which was at it before; *passed_over* the
    steps that failed and may (a soft dependency, a dependency that others still use), each with
    its error; *not_run* the commands that were left alone for want of a runner; *failed* is the
    step that ended it all, with *error*, or None where the plan was carried out to its end, or was
    *interrupted* before a step. *absent* are insertions that the kernel answered with "there
    already", of modules that are not there: their inits said that.
    """

    __slots__ = ("absent", "done", "error", "failed", "interrupted", "not_run", "passed_over")

    def __init__(
        self,
        *,
        done: tuple[Step, ...] = (),
        passed_over: tuple[tuple[Step, LkmError], ...] = (),
        not_run: tuple[Step, ...] = (),
        failed: Step | None = None,
        error: LkmError | None = None,
        interrupted: bool = False,
        absent: tuple[Step, ...] = (),
    ) -> None:
        self.absent: Final = absent
        self.done: Final = done
        self.passed_over: Final = passed_over
        self.not_run: Final = not_run
        self.failed: Final = failed
        self.error: Final = error
        self.interrupted: Final = interrupted


def run_in_shell(
    command: str, module: ModuleName, *, options: str = "", output: int | None = None
) -> int:
    """Run *command* through ``/bin/sh`` with MODPROBE_MODULE set; return its exit status.

    *options* are added to MODPROBE_OPTIONS, for a modprobe that the command may run; *output* is
    the descriptor that its output goes to, None for that of this process.
    A command ended by a signal gives 128 plus the signal's number.
    """
    import subprocess  # few plans hold a command, and this costs 10 ms

    environment = {**os.environ, "MODPROBE_MODULE": module}
    if options:
        inherited = environment.get("MODPROBE_OPTIONS", "")
        environment["MODPROBE_OPTIONS"] = f"{inherited} {options}".strip()
    # As system(3) names it, which the shell's own messages begin with.
    words = ["sh", "-c", command]
    done = subprocess.run(words, executable="/bin/sh", env=environment, stdout=output, check=False)
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


def apply_plan(  # noqa: PLR0913  # what modprobe's options say, and what stands in for the world
    plan: Plan,
    kernel: Kernel,
    *,
    on_step: Callable[[Step], None] | None = None,
    on_done: Callable[[Step], None] | None = None,
    run_command: CommandRunner | None = None,
    first_time: bool = False,
    strict: bool = False,
    flags: int = 0,
    wait_ms: int = 0,
    pause: Callable[[float], None] = time.sleep,
    stopped: Callable[[], bool] | None = None,
) -> Outcome:
    """Carry *plan* out on *kernel*, stopping at the first step that fails and may not.

    *on_step* is called before each step that changes something, *on_done* after each that did: who
    must know them also where *on_step* raises keeps them so. *run_command* is given the text of
    an install or remove command, options filled in, and its module, and returns its exit status;
    without it the live kernel's commands run in the shell, and another kernel's do not run at
    all. A module that is there already, or gone already, is an error only for the one asked for
    and with *first_time*; with *strict* one that the kernel said to be there, and that is not, has
    failed. *flags* go to every insert (IGNORE_MODVERSIONS, IGNORE_VERMAGIC) or
    remove (FORCE). A module in use is tried again for *wait_ms* milliseconds,
    between which *pause*, given seconds, waits. No step is begun once *stopped* says so; nor is
    one then tried again.
    """
    runner = run_in_shell if run_command is None and kernel.name == "live" else run_command
    work = _Work(
        kernel,
        runner,
        on_step or _say_nothing,
        on_done or _say_nothing,
        first_time=first_time,
        strict=strict,
        flags=flags,
        wait_ms=wait_ms,
        pause=pause,
        stopped=stopped or _never,
    )
    parents: dict[str, str] = {step.module: step.because for step in reversed(plan.steps)}
    for step in plan.steps:
        if work.stopped():
            return work.outcome(interrupted=True)
        if work.is_left_out(step, parents):
            continue
        try:
            work.carry_out(step)
        except LkmError as error:
            if work.stopped() and isinstance(error, KernelError) and error.errno == errno.EINTR:
                return work.outcome(interrupted=True)
            if not _may_fail(step):
                return work.outcome(failed=step, error=error)
            work.passed_over.append((step, error))
            if isinstance(step, Remove | RunRemove) and not step.required:
                work.staying.add(step.module)
    return work.outcome()


class _Work:
    """A plan on its way."""

    def __init__(  # noqa: PLR0913  # as apply_plan
        self,
        kernel: Kernel,
        runner: CommandRunner | None,
        on_step: Callable[[Step], None],
        on_done: Callable[[Step], None],
        *,
        first_time: bool,
        strict: bool,
        flags: int,
        wait_ms: int,
        pause: Callable[[float], None],
        stopped: Callable[[], bool],
    ) -> None:
        self.kernel: Final = kernel
        self.runner: Final = runner
        self.on_step: Final = on_step
        self.on_done: Final = on_done
        self.first_time: Final = first_time
        self.strict: Final = strict
        self.flags: Final = flags
        self.wait_ms: Final = wait_ms
        self.pause: Final = pause
        self.stopped: Final = stopped
        self.absent: list[Step] = []
        self.done: list[Step] = []
        self.passed_over: list[tuple[Step, LkmError]] = []
        self.not_run: list[Step] = []
        self.staying: set[str] = set()

    def is_left_out(self, step: Step, parents: Mapping[str, str]) -> bool:
        """Tell whether *step* follows from the removal of a soft dependency that failed.

        *parents* has each module's ``because``.
        """
        module, seen = step.because, set[str]()
        # Softdeps may form a loop.
        while module and module not in seen:
            if module in self.staying:
                return True
            seen.add(module)
            module = parents.get(module, "")
        return False

    def outcome(
        self,
        *,
        failed: Step | None = None,
        error: LkmError | None = None,
        interrupted: bool = False,
    ) -> Outcome:
        return Outcome(
            absent=tuple(self.absent),
            done=tuple(self.done),
            passed_over=tuple(self.passed_over),
            not_run=tuple(self.not_run),
            failed=failed,
            error=error,
            interrupted=interrupted,
        )

    def carry_out(self, step: Step) -> None:
        if isinstance(step, Insert):
            self._insert(step)
        elif isinstance(step, Remove):
            self._remove(step)
        elif isinstance(step, RunInstall):
            if not self._is_there(step):
                self._run(step, "install")
        elif isinstance(step, RunRemove):
            if not self._spared(step):
                self._run(step, "remove")
        elif isinstance(step, Missing):
            raise NoSuchModuleError(step.module, "of the tree: an alias leads to it")
        elif isinstance(step, InUse):
            remedy = f"remove its users first: {' '.join(step.holders)}" if step.holders else ""
            raise InUseError("remove", step.module, errno.EAGAIN, remedy=remedy)

    def _insert(self, step: Insert) -> None:
        if self._is_there(step):
            return
        self.on_step(step)
        try:
            ours = insert_beside_others(
                self.kernel,
                step.module,
                image_for(self.kernel, step.path),
                step.params,
                flags=self.flags,
                pause=self.pause,
                stopped=self.stopped,
            )
        except AlreadyLoadedError:
            # Another process was faster, or the file's name is not the module's.
            if self.first_time and not step.because:
                raise
            self._look_for(step)
        else:
            if ours:
                self._did(step)

    def _look_for(self, step: Insert) -> None:
        """Look whether the module is there as the kernel said; note it, or raise, if it is not."""
        found = self.kernel.find(step.module) or self.kernel.find(own_name(step))
        if found is not None and found.state != GOING:
            return
        if self.strict:
            remedy = "its init says so: no module of that name is loaded"
            if found is not None:
                remedy = "it is on its way out: another process is removing it"
            raise KernelError("insert", step.module, errno.EEXIST, remedy=remedy)
        self.absent.append(step)

    def _did(self, step: Step) -> None:
        self.done.append(step)
        self.on_done(step)

    def _is_there(self, step: Insert | RunInstall) -> bool:
        """Tell whether the module is loaded by now, which is an error for what must be new.

        Asked before each step, as libkmod does: an install command may have loaded it.
        """
        found = self.kernel.find(step.module)
        if found is None or found.state != LIVE:
            return False
        if self.first_time and not step.because:
            raise AlreadyLoadedError("insert", step.module, errno.EEXIST)
        return True

    def _remove(self, step: Remove) -> None:
        if self._spared(step):
            return
        if self.kernel.find(step.module) is None:
            # A remove command, or another process, was faster.
            if self.first_time and not step.because:
                raise NotLoadedError("remove", step.module, errno.ENOENT)
            return
        self.on_step(step)
        remove_patiently(
            self.kernel,
            step.module,
            flags=self.flags,
            wait_ms=self.wait_ms,
            pause=self.pause,
            stopped=self.stopped,
        )
        self._did(step)

    def _run(self, step: RunInstall | RunRemove, kind: str) -> None:
        command = step.shell_command()
        if self.runner is None:
            self.not_run.append(step)
            return
        self.on_step(step)
        try:
            status = self.runner(command, step.module)
        except OSError as error:
            # What system(3), which kmod calls, says of a shell that cannot be started.
            failed = CommandFailedError(kind, command, step.module, _NO_SHELL)
            failed.remedy = f"the shell could not be started: {error.strerror}"
            raise failed from None
        if status:
            raise CommandFailedError(kind, command, step.module, status)
        self._did(step)

    def _spared(self, step: Remove | RunRemove) -> bool:
        """Tell whether the step is only for an unused module, and this one is in use or gone."""
        if not step.if_unused:
            return False
        found = self.kernel.find(step.module)
        return found is None or found.refcnt != 0


def remove_patiently(
    kernel: Kernel,
    module: ModuleName,
    *,
    flags: int = 0,
    wait_ms: int = 0,
    pause: Callable[[float], None] = time.sleep,
    stopped: Callable[[], bool] | None = None,
) -> None:
    """Remove *module*; while it is in use wait 1, 2, 4, ... ms, *wait_ms* in all.

    Raises what ``remove`` raises; ``InUseError`` at once when *stopped* says so.
    """
    left_ms, pause_ms = wait_ms, 1
    while True:
        try:
            kernel.remove(module, flags=flags)
        except InUseError:
            if left_ms <= 0 or (stopped is not None and stopped()):
                raise
        else:
            return
        pause_ms = min(pause_ms, left_ms)
        pause(pause_ms / 1000)
        left_ms -= pause_ms
        pause_ms *= 2


def image_for(kernel: Kernel, path: str) -> ModuleImage:
    """Return the module file at *path* as *kernel* takes it: the live one opens it itself.

    Raises what ``read_image`` raises.
    """
    from lkm.module import file  # a plan of removals reads no file

    return file.unread_image(path) if kernel.name == "live" else file.read_image(path)


def own_name(step: Insert) -> ModuleName:
    """Return the name that the module in the file has in the kernel: its file may have another.

    Raises what ``Module.open`` raises.
    """
    from lkm.module.facts import Module  # few steps have to ask
    from lkm.names import ModuleName

    with Module.open(step.path) as module:
        return ModuleName(dict(module.modinfo).get("name", step.module))


def _say_nothing(_step: Step) -> None:
    """Stand in for a missing ``on_step`` or ``on_done``."""


def _never() -> bool:
    """Stand in for a missing ``stopped``."""
    return False


def _may_fail(step: Step) -> bool:
    if isinstance(step, Insert | RunInstall | Missing | InUse):
        return not step.required
    return isinstance(step, Remove | RunRemove) and (step.if_unused or not step.required)
