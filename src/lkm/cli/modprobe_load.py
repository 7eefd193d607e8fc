"""modprobe that loads: plans, insertion flags, and what is said of failures."""

from __future__ import annotations

import errno
import os

from lkm.cli.insmod import failed_to_insert, force_flags, reason
from lkm.cli.modprobe_work import Work, asked_for
from lkm.errors import (
    AlreadyLoadedError,
    CannotTellError,
    CommandFailedError,
    KernelError,
    LkmError,
    NoSuchModuleError,
    UnknownSymbolError,
)
from lkm.resolve.plan import Insert
from lkm.resolve.resolver import plan_load_file, plan_loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.kernel.apply import Outcome
    from lkm.resolve.plan import Objection, Plan, Step

_INSERT_WORDS = {
    errno.EEXIST: "Module already in kernel",
    errno.ENOENT: "Unknown symbol in module, or unknown parameter (see dmesg)",
}
_DEPENDENCIES_WERE_LOADED = (
    "the modules that it is said to depend on are loaded: modules.dep may be out of date (lkm "
    "depmod), or the module was built for another kernel"
)


class Loading(Work):
    """See Work."""

    operation = "load"

    def plans(self, word: str, params: str) -> tuple[Plan, ...]:
        """See Work."""
        found = self._plans(word, params)
        if self.parsed.has("init_returns"):
            from lkm.cli.answers import answer_inits, init_answer  # it is said rarely

            steps = [step for plan in found for step in plan.steps]
            # What the others return, which these need, is not what is asked about.
            names = [each.module for each in steps if isinstance(each, Insert) and not each.because]
            answer_inits(self.target.kernel, names, init_answer(self.parsed))
        return found

    def _plans(self, word: str, params: str) -> tuple[Plan, ...]:
        catalog, settings = self.catalog(), self.target.settings()
        there = {} if self.show_all else {module.name: module.state for module in self.loaded()}
        ignore_commands = self.parsed.has("ignore_commands")
        use_blacklist = self.parsed.has("blacklist")
        if word.startswith(("/", "./")):
            plan = plan_load_file(
                word,
                catalog,
                settings,
                loaded=there,
                params=params,
                ignore_commands=ignore_commands,
                use_blacklist=use_blacklist,
                show_all=self.show_all,
                on_bad_word=self._say_bad,
            )
            return (plan,)
        return plan_loads(
            word,
            catalog,
            settings,
            loaded=there,
            params=params,
            ignore_commands=ignore_commands,
            use_blacklist=use_blacklist,
            show_all=self.show_all,
            on_bad_word=self._say_bad,
        )

    def _say_bad(self, word: str) -> None:
        self.console.error(f"failed to lookup soft dependency '{word}', continuing anyway.")

    def not_found(self, error: NoSuchModuleError) -> str:
        """See Work."""
        return str(error)

    def object(self, what: Objection) -> None:
        """See Work."""
        words = _INSERT_WORDS[errno.EEXIST]
        self.console.error(f"could not insert '{what.module}': {words}")

    def flags(self) -> int:
        """See Work."""
        return force_flags(self.parsed)

    def say_failed(self, outcome: Outcome, plan: Plan) -> None:
        """See Work."""
        error = outcome.error
        text = f"could not insert '{asked_for(plan)}'"
        if isinstance(error, KernelError):
            if isinstance(error, UnknownSymbolError) and error.remedy == UnknownSymbolError.remedy:
                error.remedy = _dependencies(outcome)
            if isinstance(outcome.failed, Insert):
                failed_to_insert(outcome.failed.path, error, self.console)
            # An init that said so, and no module of that name is there.
            untrue = error.errno == errno.EEXIST and not isinstance(error, AlreadyLoadedError)
            why = os.strerror(error.errno) if untrue else reason(error, _INSERT_WORDS)
            self.console.refused(f"{text}: {why}", error)
        elif isinstance(error, CommandFailedError):
            self.console.error(str(error))
            self.console.error(f"{text}: {os.strerror(errno.EINVAL)}")
        elif isinstance(error, NoSuchModuleError):
            self.console.error(f"could not find module by name='{error.name}'")
            self.console.error(f"{text}: {_INSERT_WORDS[errno.ENOENT]}")
        elif error is not None:
            self.console.failed_by(f"{text}: {reason(error, _INSERT_WORDS)}", error)

    def say_passed_over(self, step: Step, error: LkmError) -> None:
        """See Work."""
        if isinstance(error, CommandFailedError):
            self.console.error(str(error))
        elif isinstance(error, NoSuchModuleError):
            self.console.error(f"could not find module by name='{error.name}'")
        elif isinstance(error, KernelError) and isinstance(step, Insert):
            failed_to_insert(step.path, error, self.console)
        elif isinstance(error, CannotTellError):
            self.console.hint(str(error))


def _dependencies(outcome: Outcome) -> str:
    """Return what is to be said of the dependencies of what lacks a symbol."""
    if not outcome.absent:
        return _DEPENDENCIES_WERE_LOADED
    names = " ".join([step.module for step in outcome.absent])
    return f"of what it depends on this is not loaded, since its init said that it was: {names}"
