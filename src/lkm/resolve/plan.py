"""A plan: what will be done, step by step, each with its reason. Data only.

``modprobe -n``, ``-D``, ``--json``, a real run and the sandbox all read the same plan.
"""

from __future__ import annotations

from lkm._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final, Literal

    from lkm.config.directives import Source
    from lkm.names import ModuleName
    from lkm.resolve.reasons import Origin, Reason


class Insert(Value):
    """Insert *module* from the file at *path*.

    *params* are exactly what kmod hands to the kernel: options of the configuration, one blank,
    the words given by the user (the blank stands there without such words too). *because* names
    the module that needs this one ("" for the one asked for); *required* tells a dependency from a
    soft one, whose failure is passed over; *sources* are the configuration lines with a part in
    it, *origins* the pieces of *params* and where each comes from. *repeated*: an earlier step of
    the plan brings the same module already, as kmod's list has it; who carries the plan out finds
    it loaded by then.
    """

    __slots__ = (
        "because",
        "module",
        "origins",
        "params",
        "path",
        "repeated",
        "required",
        "sources",
    )

    def __init__(  # noqa: PLR0913  # a value has the fields it has
        self,
        module: ModuleName,
        path: str,
        params: str = "",
        because: str = "",
        required: bool = True,
        sources: tuple[Source, ...] = (),
        *,
        repeated: bool = False,
        origins: tuple[Origin, ...] = (),
    ) -> None:
        self.module: Final = module
        self.path: Final = path
        self.params: Final = params
        self.because: Final = because
        self.required: Final = required
        self.sources: Final = sources
        self.repeated: Final = repeated
        self.origins: Final = origins


class RunInstall(Value):
    """Run *command*, an install command, instead of inserting *module*.

    *command* still holds its ``$CMDLINE_OPTS``; ``shell_command`` puts *params* in its place, whose
    *origins* are as in ``Insert``.
    """

    __slots__ = (
        "because",
        "command",
        "module",
        "origins",
        "params",
        "repeated",
        "required",
        "source",
    )

    def __init__(  # noqa: PLR0913  # a value has the fields it has
        self,
        module: ModuleName,
        command: str,
        params: str,
        because: str,
        required: bool,
        source: Source,
        *,
        repeated: bool = False,
        origins: tuple[Origin, ...] = (),
    ) -> None:
        self.module: Final = module
        self.command: Final = command
        self.params: Final = params
        self.because: Final = because
        self.required: Final = required
        self.source: Final = source
        self.repeated: Final = repeated
        self.origins: Final = origins

    def shell_command(self) -> str:
        """Return the command as the shell gets it."""
        return expanded(self.command, self.params)


class Builtin(Value):
    """Nothing to do: *module* is part of the kernel. Only in a plan that shows everything."""

    __slots__ = ("because", "module")

    def __init__(self, module: ModuleName, because: str = "") -> None:
        self.module: Final = module
        self.because: Final = because


class Missing(Value):
    """Nothing can be done: an alias leads to *module*, which has no file."""

    __slots__ = ("because", "module", "required", "sources")

    def __init__(
        self,
        module: ModuleName,
        because: str,
        required: bool,
        sources: tuple[Source, ...] = (),
    ) -> None:
        self.module: Final = module
        self.because: Final = because
        self.required: Final = required
        self.sources: Final = sources


class Skip(Value):
    """Nothing to do, for *reason*: ``loaded``, ``builtin``, or (unloading) ``not loaded``."""

    __slots__ = ("because", "module", "reason")

    def __init__(
        self,
        module: ModuleName,
        reason: Literal["loaded", "builtin", "not loaded"],
        because: str = "",
    ) -> None:
        self.module: Final = module
        self.reason: Final = reason
        self.because: Final = because


class Refuse(Value):
    """Do not load *module*: *source* blacklists it."""

    __slots__ = ("because", "module", "source")

    def __init__(self, module: ModuleName, source: Source | None, because: str = "") -> None:
        self.module: Final = module
        self.source: Final = source
        self.because: Final = because


class Remove(Value):
    """Remove *module*.

    *if_unused*: it is a dependency that may become unused; removed only if its refcnt is 0 then,
    and a failure is passed over. Of a module that is not *required*, a soft dependency, a failure
    is passed over too, and then what would follow from its removal is left out. *refcnt* is its
    refcnt when the plan was made.
    """

    __slots__ = ("because", "if_unused", "module", "refcnt", "required")

    def __init__(
        self,
        module: ModuleName,
        because: str = "",
        if_unused: bool = False,
        *,
        refcnt: int | None = 0,
        required: bool = True,
    ) -> None:
        self.module: Final = module
        self.because: Final = because
        self.if_unused: Final = if_unused
        self.refcnt: Final = refcnt
        self.required: Final = required


class RunRemove(Value):
    """Run *command*, a remove command, instead of removing *module*; *required* as in Remove."""

    __slots__ = ("because", "command", "if_unused", "module", "required", "source")

    def __init__(
        self,
        module: ModuleName,
        command: str,
        because: str,
        source: Source,
        if_unused: bool = False,
        *,
        required: bool = True,
    ) -> None:
        self.module: Final = module
        self.command: Final = command
        self.because: Final = because
        self.source: Final = source
        self.if_unused: Final = if_unused
        self.required: Final = required

    def shell_command(self) -> str:
        """Return the command as the shell gets it: removal has no options to give."""
        return expanded(self.command, "")


class InUse(Value):
    """Stop here: *module* would have to go, but *refcnt* users, *holders* among them, hold it.

    Where it is not *required*, a soft dependency under ``modprobe -a``, the plan goes on after it.
    """

    __slots__ = ("because", "holders", "module", "refcnt", "required")

    def __init__(
        self,
        module: ModuleName,
        because: str,
        refcnt: int,
        holders: tuple[ModuleName, ...],
        *,
        required: bool = True,
    ) -> None:
        self.module: Final = module
        self.because: Final = because
        self.refcnt: Final = refcnt
        self.holders: Final = holders
        self.required: Final = required


if TYPE_CHECKING:
    Step = Insert | RunInstall | Builtin | Missing | Skip | Refuse | Remove | RunRemove | InUse


class Plan(Value):
    """The *steps*, in order, that *operation* on *target* (the word that was asked for) takes.

    *reasons* say why each is there: as many as there are steps, in their order.
    """

    __slots__ = ("operation", "reasons", "steps", "target")

    def __init__(
        self,
        target: str,
        operation: Literal["load", "unload"],
        steps: tuple[Step, ...],
        reasons: tuple[Reason, ...] = (),
    ) -> None:
        self.target: Final = target
        self.operation: Final = operation
        self.steps: Final = steps
        self.reasons: Final = reasons


class Objection(Value):
    """Why a plan is not to be carried out: *module*, one asked for, is *reason*."""

    __slots__ = ("module", "reason")

    def __init__(
        self, module: ModuleName, reason: Literal["loaded", "builtin", "not loaded"]
    ) -> None:
        self.module: Final = module
        self.reason: Final = reason


def objection(plan: Plan, *, first_time: bool) -> Objection | None:
    """Return what keeps *plan* from being carried out at all, None if nothing does.

    A built-in cannot be unloaded; with *first_time* there must be something left to do.
    """
    for step in plan.steps:
        if not isinstance(step, Skip) or step.because:
            continue
        if first_time or (plan.operation == "unload" and step.reason == "builtin"):
            return Objection(step.module, step.reason)
    return None


def expanded(command: str, params: str) -> str:
    """Return *command* with *params* in place of each ``$CMDLINE_OPTS``."""
    return command.replace("$CMDLINE_OPTS", params)


def modprobe_line(step: Step) -> str:
    """Return the line that ``modprobe -v`` prints when it takes *step*; "" if it prints none."""
    if isinstance(step, Insert):
        return f"insmod {step.path} {step.params}"
    if isinstance(step, RunInstall):
        return f"install {step.command} {step.params}"
    if isinstance(step, Builtin):
        return f"builtin {step.module}"
    if isinstance(step, Remove):
        return f"rmmod {step.module}"
    if isinstance(step, RunRemove):
        return f"remove {step.shell_command()}"
    return ""


def as_modprobe_lines(plan: Plan) -> Iterator[str]:
    """Yield the lines that ``modprobe -D`` and ``-n`` print for *plan*, without newlines.

    As in kmod, ``-n -r`` leaves out the dependencies that are in use now, though a real removal
    would find them unused and take them along.
    """
    for step in plan.steps:
        if isinstance(step, Remove) and step.if_unused and step.refcnt:
            continue
        line = modprobe_line(step)
        if line:
            yield line
