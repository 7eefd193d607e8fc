"""What modprobe does with its words: a plan for each, shown or carried out."""

from __future__ import annotations

import os

from lkm.cli.console import Closed
from lkm.errors import (
    FileError,
    LkmError,
    NoModuleSupportError,
    NoSuchModuleError,
    NoTreeError,
)
from lkm.resolve.plan import InUse, as_modprobe_lines, modprobe_line, objection
from lkm.tree.catalog import Catalog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lkm.cli.console import Console
    from lkm.cli.options import Parsed
    from lkm.cli.target import Target
    from lkm.kernel.apply import CommandRunner, Outcome
    from lkm.kernel.interruption import Interruption
    from lkm.kernel.loaded import LoadedModule
    from lkm.kernel.taking_back import TakenBack
    from lkm.names import ModuleName
    from lkm.report.documents.plans import Attempt
    from lkm.resolve.plan import Objection, Plan, Step

_STDERR = 2
_DEFAULT_VERBOSITY = 4  # a syslog level: warnings
_LONGEST = 2**64 - 1


class Work:
    """One run of modprobe: a plan for each word, carried out unless only to be shown."""

    operation: str

    def __init__(self, parsed: Parsed, target: Target, console: Console) -> None:
        self.parsed = parsed
        self.target = target
        self.console = console
        self.show_all = parsed.has("show_depends")
        self.wait_ms = milliseconds(parsed.last("wait", "0")) or 0
        self.only_show = self.show_all or parsed.has("dry_run")
        self.attempts: list[Attempt | tuple[str, LkmError]] = []
        self.status = 0
        self.ended = False
        self.no_tree: NoTreeError | None = None
        self.warned: set[str] = set()
        self.done: list[Step] = []
        self.failed_commands: list[ModuleName] = []
        self.any_failed = False
        self.interruption: Interruption | None = None
        self.taken_back: TakenBack | None = None
        self.unsaid: OSError | None = None

    def run(self, words: tuple[str, ...], params: str) -> int:
        """Do it for each word, *params* for the kernel; return the exit status."""
        finished = False
        try:
            self._take_all(words, params)
            finished = True
        finally:
            # Also where stdout cannot be written to any more.
            self._end(finished=finished)
        if self.console.json:
            from lkm.report.documents.plans import plans_document

            self.console.document = plans_document(
                self.target.on,
                self.operation,
                self.attempts,
                interrupted="" if self.interruption is None else self.interruption.name,
                taken_back=self.taken_back,
            )
        return self.status

    def _take_all(self, words: tuple[str, ...], params: str) -> None:
        for word in words:
            if self.ended or self._is_interrupted():
                break
            try:
                self._take_word(word, params)
            except LkmError as error:
                if not self.done:
                    raise
                # What was done before has to be told, in the document too.
                self.attempts.append((word, error))
                self.console.complain(error)
                self.status = 1
                break

    def _take_word(self, word: str, params: str) -> None:
        try:
            plans = self.plans(word, params)
        except NoSuchModuleError as error:
            self._fail(word, self.no_tree or error, self.not_found(error))
            if self.no_tree is not None:
                self.console.hint(f"{self.no_tree.problem}; {self.no_tree.remedy}")
        except FileError as error:
            if error.path != word:  # not the file asked for, but one that the answer needs
                raise
            text = f"Failed to get module from path {word}: {os.strerror(error.errno)}"
            self._fail(word, error, text)
        else:
            before = self.status
            for plan in plans:
                if self._is_interrupted():
                    break
                # As in kmod, of several modules by one alias the last one decides.
                self.status = before
                self._take(plan)
                self.any_failed |= self.status != 0
            if self.any_failed and self.parsed.has("atomic"):
                self.status = 1  # all or nothing

    def _is_interrupted(self) -> bool:
        return self.interruption is not None and self.interruption.came()

    def _end(self, *, finished: bool) -> None:
        """Take back what was loaded, if it is to be; say that, and what a signal has left."""
        if self.interruption is None:
            return  # nothing was to be carried out
        if not finished:
            # As far as is known it takes no more.
            self.console.out = Closed(strict=False)  # type: ignore[assignment]  # all that is used
        failed = self.status != 0 or self._is_interrupted() or not finished
        if failed and self.parsed.has("atomic"):
            self.taken_back = self._take_back()
        from lkm.cli.modprobe_ending import say_interrupted, say_taken_back  # few runs need it

        if self._is_interrupted():
            self.status = self.interruption.status
            say_interrupted(self.interruption.name, self.done, self.failed_commands, self.console)
        if self.taken_back is not None:
            say_taken_back(self.taken_back, self.failed_commands, self.console)
        if self.unsaid is not None:
            raise self.unsaid

    def _take_back(self) -> TakenBack:
        from lkm.kernel.taking_back import take_back  # few runs need it

        interruption = self.interruption
        assert interruption is not None
        # The signal that led here has been obeyed: only a further one cuts the waiting short.
        times = interruption.times
        return take_back(
            self.done,
            self.target.kernel,
            failed_commands=self.failed_commands,
            on_step=self._announce_if_possible if self._announcing() else None,
            wait_ms=self.wait_ms,
            pause=lambda seconds: interruption.pause(seconds, times=times),
            stopped=lambda: interruption.times > times,
        )

    def _announce_if_possible(self, step: Step) -> None:
        """Announce what is taken back; what cannot be announced is taken back all the same."""
        try:
            self._announce(step)
        except OSError as error:
            self.unsaid = error
            self.console.out = Closed(strict=False)  # type: ignore[assignment]  # as in _end

    def plans(self, word: str, params: str) -> tuple[Plan, ...]:
        """Return what to do, one after the other, even where one of them fails."""
        raise NotImplementedError

    def catalog(self) -> Catalog:
        """Return the tree; an empty one where there is none: aliases and commands need none."""
        if self.no_tree is None:
            try:
                return self.target.catalog()
            except NoTreeError as error:
                self.no_tree = error
        return Catalog.empty(self.no_tree.directory)

    def not_found(self, error: NoSuchModuleError) -> str:
        """Return what kmod says of a word that stands for no module."""
        raise NotImplementedError

    def object(self, what: Objection) -> None:
        """Say why the plan is not carried out."""
        raise NotImplementedError

    def flags(self) -> int:
        """Return the flags for every insertion."""
        return 0

    def say_failed(self, outcome: Outcome, plan: Plan) -> None:
        """Say which step failed, and why."""
        raise NotImplementedError

    def say_passed_over(self, step: Step, error: LkmError) -> None:
        """Say what kmod says of a step that failed and may."""
        raise NotImplementedError

    def say(self, text: str) -> None:
        """Say what is in the way of one word; without -a that ends it all.

        Under -q it does not: kmod ends where it says that it does, and then it says nothing.
        """
        goes_on = self.parsed.has("all")
        self.console.say("WARNING" if goes_on else "FATAL", text)
        self.ended = not goes_on and not self.console.quiet

    def loaded(self) -> tuple[LoadedModule, ...]:
        """Return what is loaded; nothing where the kernel takes no modules."""
        try:
            return self.target.kernel.present()
        except NoModuleSupportError:
            # Whoever wants to change that kernel is told so by the change itself.
            return ()

    def _fail(self, word: str, error: LkmError, text: str) -> None:
        self.attempts.append((word, error))
        self.console.cause = error
        self.status = 1
        if text:
            self.say(text)
        else:
            self.console.hint(str(error))

    def _warn(self, plan: Plan) -> None:
        """Say once what in the configuration has no effect on the plan."""
        from lkm.resolve.surprises import surprises  # only -v tells them

        for text in surprises(plan, self.target.settings()):
            if text not in self.warned:
                self.warned.add(text)
                self.console.warning(text)

    def _take(self, plan: Plan) -> None:
        if self.parsed.has("verbose"):
            self._warn(plan)
        in_the_way = objection(plan, first_time=self.parsed.has("first_time"))
        outcome = None
        if in_the_way is not None:
            self.status = 1
            self.object(in_the_way)
        elif self.only_show:
            self._show(plan)
        else:
            outcome = self._carried_out(plan)
        self.attempts.append((plan, in_the_way, outcome))

    def _show(self, plan: Plan) -> None:
        if not self.console.json:
            for line in as_modprobe_lines(plan):
                self.console.out.write(line + "\n")
        for step in plan.steps:
            if isinstance(step, InUse):
                self.status = 1 if step.required else self.status
                self.say(f"Module {step.module} is in use.")

    def _carried_out(self, plan: Plan) -> Outcome:
        from lkm.kernel.apply import apply_plan  # -D and -n do without
        from lkm.kernel.interruption import Interruption  # as well

        if self.interruption is None:
            # To the end of it all: between two plans what was done must not be forgotten.
            self.interruption = Interruption()
            self.interruption.start()
            # A further signal must not keep from saying what was done.
            self.console.at_end = self.interruption.stop
        outcome = apply_plan(
            plan,
            self.target.kernel,
            on_step=self._announcing(),
            on_done=self.done.append,
            run_command=self._command_runner(),
            first_time=self.parsed.has("first_time"),
            strict=self.parsed.has("atomic"),
            flags=self.flags(),
            wait_ms=self.wait_ms,
            pause=self.interruption.pause,
            stopped=self.interruption.came,
        )
        for step, error in outcome.passed_over:
            self.say_passed_over(step, error)
        for step in outcome.not_run:
            self.status = 1
            text = f"the {self.target.on} runs no commands, so this was left out: "
            self.console.warning(f"{text}{modprobe_line(step).strip()}; -i passes over it")
        if outcome.error is not None:
            self.status = 1
            self.say_failed(outcome, plan)
        return outcome

    def _announcing(self) -> Callable[[Step], None] | None:
        return self._announce if verbosity(self.parsed) > _DEFAULT_VERBOSITY else None

    def _announce(self, step: Step) -> None:
        line = modprobe_line(step)
        if line and not self.console.json:
            self.console.out.write(line + "\n")
            self.console.out.flush()

    def _command_runner(self) -> CommandRunner | None:
        """Return what runs install and remove commands; nothing does on another kernel."""
        if self.target.on != "live":
            return None
        return self._run_command

    def _run_command(self, command: str, module: ModuleName) -> int:
        from lkm.kernel.apply import run_in_shell  # few plans hold a command

        # Nothing may stand on stdout beside the one document.
        output = _STDERR if self.console.json else None
        status = run_in_shell(command, module, options=passed_on(self.parsed), output=output)
        if status and module not in self.failed_commands:
            self.failed_commands.append(module)
        return status


def milliseconds(text: str) -> int | None:
    """Return the number in *text* as strtoul(3) reads it; None where there is more, or none."""
    digits = text.lstrip(" \t\n\v\f\r")
    negative = digits.startswith("-")
    digits = digits.removeprefix("-" if negative else "+").lower()
    octal = digits.startswith("0") and digits.isdecimal()
    try:
        number = int(digits, 8 if octal else 0) if digits[:1].isdecimal() else None
    except ValueError:
        return None
    if number is None or not digits.isalnum():
        return None
    return _LONGEST if negative or number > _LONGEST else number


def verbosity(parsed: Parsed) -> int:
    """Return the level that -v and -q lead to, one after the other."""
    level = _DEFAULT_VERBOSITY
    for key, _ in parsed.given:
        if key == "quiet":
            level = 0
        elif key == "verbose":
            level += 1
    return level


def asked_for(plan: Plan) -> str:
    """Return the module that kmod's messages name: the one that the word stands for."""
    for step in plan.steps:
        if not step.because:
            return step.module
    return plan.target


def passed_on(parsed: Parsed) -> str:
    """Return the options that a modprobe run by an install command is to take over.

    In the order given; those of MODPROBE_OPTIONS once more, as kmod does.
    """
    flags = {"quiet": "-q", "syslog": "-s", "verbose": "-v"}
    words: list[str] = []
    for key, value in parsed.given:
        if key == "config":
            words += ["-C", value]
        elif key in flags:
            words.append(flags[key])
    return " ".join(words)
