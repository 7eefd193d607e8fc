"""modprobe -r: plans, removal flags, and what is said of failures."""

from __future__ import annotations

import os

from lkm.cli.insmod import reason
from lkm.cli.modprobe_work import Work, asked_for
from lkm.cli.rmmod import hint_at_waiting
from lkm.errors import BadNameError, CommandFailedError, KernelError, LkmError, NoSuchModuleError
from lkm.kernel.protocol import FORCE
from lkm.names import alias_name
from lkm.resolve.plan import InUse
from lkm.resolve.resolver import plan_unload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.kernel.apply import Outcome
    from lkm.resolve.plan import Objection, Plan, Step


class Unloading(Work):
    """See Work."""

    operation = "unload"

    def plans(self, word: str, params: str) -> tuple[Plan, ...]:
        """See Work."""
        del params  # removal has none
        plan = plan_unload(
            word,
            self.catalog(),
            self.target.settings(),
            loaded=self.loaded(),
            remove_holders=self.parsed.has("remove_holders"),
            ignore_commands=self.parsed.has("ignore_commands"),
            wait=self.wait_ms > 0,
            show_all=self.show_all,
            keep_going=self.parsed.has("all") or self.console.quiet,
        )
        return (plan,)

    def not_found(self, error: NoSuchModuleError) -> str:
        """See Work."""
        try:
            alias_name(error.name)
        except BadNameError:
            return ""  # kmod has no word for it
        return f"Module {error.name} not found."

    def flags(self) -> int:
        """See Work."""
        return FORCE if self.parsed.has("force") else 0

    def object(self, what: Objection) -> None:
        """See Work."""
        is_builtin = what.reason == "builtin"
        self.say(f"Module {what.module} is {'builtin.' if is_builtin else 'not in kernel.'}")

    def say_failed(self, outcome: Outcome, plan: Plan) -> None:
        """See Work."""
        error, step = outcome.error, outcome.failed
        name = asked_for(plan) if step is None else step.module
        if isinstance(step, InUse):
            self.say(f"Module {name} is in use.")
            hint_at_waiting(name, self.target, self.console)
        elif isinstance(error, KernelError):
            text = f"could not remove '{name}': {os.strerror(error.errno)}"
            self.console.refused(text, error)
        elif isinstance(error, CommandFailedError):
            self.say(f"Error running remove command for {name}")
        elif error is not None:
            self.console.failed_by(f"could not remove '{name}': {reason(error, {})}", error)

    def say_passed_over(self, step: Step, error: LkmError) -> None:
        """See Work."""
        if isinstance(step, InUse):
            self.say(f"Module {step.module} is in use.")
        elif isinstance(error, CommandFailedError):
            self.say(f"Error running remove command for {step.module}")
        elif isinstance(error, KernelError):
            name = error.subject
            self.console.error(f"could not remove '{name}': {os.strerror(error.errno)}")
