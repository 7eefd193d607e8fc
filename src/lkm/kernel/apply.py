"""Carry a plan out on a kernel, step by step."""

from __future__ import annotations

import errno
import os

from lkm._value import Value
from lkm.errors import (
    AlreadyLoadedError,
    CommandFailedError,
    InUseError,
    LkmError,
    NoSuchModuleError,
    NotLoadedError,
)
from lkm.resolve.plan import Insert, InUse, Missing, Remove, RunInstall, RunRemove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from lkm.kernel.protocol import Kernel
    from lkm.module.file import ModuleImage
    from lkm.names import ModuleName
    from lkm.resolve.plan import Plan, Step

    CommandRunner = Callable[[str, ModuleName], int]


class Outcome(Value):
    """What carrying a plan out came to.

    *done* are the steps that changed the kernel or ran a command, in order; *passed_over* the
    steps that failed and may (a soft dependency, a dependency that others still use), each with
    its error; *not_run* the commands that were left alone for want of a runner; *failed* is the
    step that ended it all, with *error*, or None where the plan was carried out to its end.
    """

    __slots__ = ("done", "error", "failed", "not_run", "passed_over")

    def __init__(
        self,
        *,
        done: tuple[Step, ...] = (),
        passed_over: tuple[tuple[Step, LkmError], ...] = (),
        not_run: tuple[Step, ...] = (),
        failed: Step | None = None,
        error: LkmError | None = None,
    ) -> None:
        self.done: Final = done
        self.passed_over: Final = passed_over
        self.not_run: Final = not_run
        self.failed: Final = failed
        self.error: Final = error


def run_in_shell(command: str, module: ModuleName) -> int:
    """Run *command* through ``/bin/sh`` with MODPROBE_MODULE set; return its exit status.

    A command ended by a signal gives 128 plus the signal's number.
    """
    import subprocess  # noqa: PLC0415  # few plans hold a command, and this costs 10 ms

    environment = {**os.environ, "MODPROBE_MODULE": module}
    done = subprocess.run(["/bin/sh", "-c", command], env=environment, check=False)
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


def apply_plan(
    plan: Plan,
    kernel: Kernel,
    *,
    on_step: Callable[[Step], None] | None = None,
    run_command: CommandRunner | None = None,
    first_time: bool = False,
    flags: int = 0,
    dry_run: bool = False,
) -> Outcome:
    """Carry *plan* out on *kernel*, stopping at the first step that fails and may not.

    *on_step* is called before each step, also for those that need nothing doing. *run_command* is
    given the text of an install or remove command, options filled in, and its module, and returns
    its exit status; without it the live kernel's commands run in the shell, and another kernel's
    do not run at all. A module that is there already, or gone already, is an error only for
    the plan's target and with *first_time*. *flags* go to every insert (IGNORE_MODVERSIONS,
    IGNORE_VERMAGIC) or remove (FORCE). With *dry_run* nothing is changed or run.
    """
    runner = run_in_shell if run_command is None and kernel.name == "live" else run_command
    work = _Work(plan, kernel, runner, first_time=first_time, flags=flags)
    for step in plan.steps:
        if on_step is not None:
            on_step(step)
        if dry_run:
            continue
        try:
            work.carry_out(step)
        except LkmError as error:
            if not _may_fail(step):
                return work.outcome(failed=step, error=error)
            work.passed_over.append((step, error))
    return work.outcome()


class _Work:
    """A plan on its way."""

    def __init__(
        self,
        plan: Plan,
        kernel: Kernel,
        runner: CommandRunner | None,
        *,
        first_time: bool,
        flags: int,
    ) -> None:
        self.plan = plan
        self.kernel = kernel
        self.runner = runner
        self.first_time = first_time
        self.flags = flags
        self.done: list[Step] = []
        self.passed_over: list[tuple[Step, LkmError]] = []
        self.not_run: list[Step] = []

    def outcome(self, *, failed: Step | None = None, error: LkmError | None = None) -> Outcome:
        return Outcome(
            done=tuple(self.done),
            passed_over=tuple(self.passed_over),
            not_run=tuple(self.not_run),
            failed=failed,
            error=error,
        )

    def carry_out(self, step: Step) -> None:
        if isinstance(step, Insert):
            self._insert(step)
        elif isinstance(step, Remove):
            self._remove(step)
        elif isinstance(step, RunInstall):
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
        try:
            self.kernel.insert(_image(step.path), step.params, flags=self.flags)
        except AlreadyLoadedError:
            if self._must_be_new(step):
                raise
        else:
            self.done.append(step)

    def _remove(self, step: Remove) -> None:
        if self._spared(step):
            return
        try:
            self.kernel.remove(step.module, flags=self.flags)
        except NotLoadedError:
            if self._must_be_new(step):
                raise
        else:
            self.done.append(step)

    def _run(self, step: RunInstall | RunRemove, kind: str) -> None:
        command = step.shell_command()
        if self.runner is None:
            self.not_run.append(step)
            return
        status = self.runner(command, step.module)
        if status:
            raise CommandFailedError(kind, command, step.module, status)
        self.done.append(step)

    def _spared(self, step: Remove | RunRemove) -> bool:
        """Tell whether the step is only for an unused module, and this one is in use or gone."""
        if not step.if_unused:
            return False
        found = self.kernel.find(step.module)
        return found is None or found.refcnt != 0

    def _must_be_new(self, step: Insert | Remove) -> bool:
        return self.first_time and not step.because


def _image(path: str) -> ModuleImage:
    from lkm.module.file import read_image  # noqa: PLC0415  # a plan of removals reads no file

    return read_image(path)


def _may_fail(step: Step) -> bool:
    if isinstance(step, Insert | RunInstall | Missing):
        return not step.required
    return isinstance(step, Remove | RunRemove) and step.if_unused
