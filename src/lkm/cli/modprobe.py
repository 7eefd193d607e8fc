"""lkm modprobe: load or unload a module with all that belongs to it."""

from __future__ import annotations

import errno
import os

from lkm.cli.console import one_line
from lkm.cli.dropin import HELP, JSON, ON, SYSLOG, VERBOSE, VERSION, Command
from lkm.cli.insmod import FORCE_MODVERSION, FORCE_VERMAGIC, force_flags
from lkm.cli.options import Option
from lkm.cli.target import Target
from lkm.errors import (
    CommandFailedError,
    FileError,
    KernelError,
    LkmError,
    NoModuleSupportError,
    NoSuchModuleError,
    NoTreeError,
)
from lkm.resolve.plan import InUse, as_modprobe_lines, modprobe_line, objection
from lkm.resolve.resolver import plan_load, plan_load_file, plan_unload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.cli.console import Console
    from lkm.cli.options import Parsed
    from lkm.kernel.apply import CommandRunner, Outcome
    from lkm.kernel.loaded import LoadedModule
    from lkm.resolve.plan import Objection, Plan, Step

COMMAND = Command(
    "modprobe",
    "modprobe [OPTION...] MODULE [PARAMETER[=VALUE]...]\n"
    "       modprobe [OPTION...] -a MODULE...\n"
    "       modprobe [OPTION...] -r MODULE...",
    "Load MODULE, a name, an alias or a file, with its dependencies; or unload it with those\n"
    "that nothing uses any more.",
    (
        Option("all", "a", ("all",), "every word is a module, none a parameter"),
        Option("remove", "r", ("remove",), "unload, with dependencies that become unused"),
        Option(
            "remove_holders",
            "",
            ("remove-holders",),
            "unload, and first the modules that use it",
            old=("remove-dependencies",),
        ),
        Option("wait", "w", ("wait",), "with -r: try again so long while in use", argument="MSEC"),
        Option("first_time", "", ("first-time",), "fail if it is loaded (-r: not loaded) already"),
        Option(
            "ignore_commands",
            "i",
            ("ignore-install", "ignore-remove"),
            "pass over the install or remove command of MODULE",
        ),
        Option("blacklist", "b", ("use-blacklist",), "a blacklist counts for names as well"),
        Option("force", "f", ("force",), "both of the following: dangerous"),
        FORCE_MODVERSION,
        FORCE_VERMAGIC,
        Option(
            "show_alias",
            "R",
            ("show-alias",),
            "print the modules that MODULE stands for",
            old=("resolve-alias",),
        ),
        Option("show_depends", "D", ("show-depends",), "print all that would be loaded"),
        Option(
            "show_config",
            "c",
            ("show-config",),
            "print the configuration and the indexes",
            old=("showconfig",),
        ),
        Option(
            "show_modversions",
            "",
            ("show-modversions",),
            "print symbols and CRCs that MODULE needs",
            old=("dump-modversions",),
        ),
        Option("show_exports", "", ("show-exports",), "print symbols and CRCs that MODULE offers"),
        Option("dry_run", "n", ("dry-run",), "do nothing, print what would be done", old=("show",)),
        Option(
            "config",
            "C",
            ("config",),
            "read this instead of modprobe.d; repeatable",
            argument="PATH",
        ),
        Option("dirname", "d", ("dirname",), "another root for /lib/modules", argument="ROOT"),
        Option("release", "S", ("set-version",), "another kernel's modules", argument="RELEASE"),
        SYSLOG,
        Option("quiet", "q", ("quiet",), "say nothing of what goes wrong"),
        VERBOSE,
        ON,
        JSON,
        VERSION,
        HELP,
    ),
    environment="MODPROBE_OPTIONS",
)

_SHOWN = ("show_config", "show_modversions", "show_exports", "show_alias")
_INSERT_WORDS = {
    errno.EEXIST: "Module already in kernel",
    errno.ENOENT: "Unknown symbol in module, or unknown parameter (see dmesg)",
}


def run(parsed: Parsed, console: Console) -> int:
    """Do what the options ask; return 0, or 1 if anything of it failed."""
    if not parsed.last("wait", "0").isdecimal():
        console.error(f"unexpected wait value '{parsed.last('wait')}'.")
        return 1
    console.quiet = parsed.has("quiet")
    target = Target(
        parsed.last("on"),
        console,
        root=parsed.last("dirname"),
        release=parsed.last("release"),
        config_paths=parsed.every("config"),
    )
    shown = [key for key in _SHOWN if parsed.has(key)]
    if not parsed.arguments and shown != ["show_config"]:
        console.error("missing parameters. See -h.")
        return 1
    if shown:
        from lkm.cli import modprobe_show  # loading needs none of it

        return modprobe_show.SHOWS[shown[0]](parsed, target, console)
    if parsed.has("remove") or parsed.has("remove_holders"):
        return _Unloading(parsed, target, console).run(parsed.arguments, "")
    if parsed.has("all"):
        return _Loading(parsed, target, console).run(parsed.arguments, "")
    word, *words = parsed.arguments
    return _Loading(parsed, target, console).run((word,), parameter_text(words))


def parameter_text(words: list[str]) -> str:
    """Return the parameters as the kernel gets them: a value with blanks is put in quotes."""
    texts = []
    for word in words:
        key, equals, value = word.partition("=")
        quoted = value.startswith(('"', "'"))
        if equals and " " in value and not quoted:
            value = f'"{value}"'
        texts.append(f"{key}{equals}{value}")
    return " ".join(texts)


class _Work:
    """One run of modprobe: a plan for each word, carried out unless only to be shown."""

    def __init__(self, parsed: Parsed, target: Target, console: Console) -> None:
        self.parsed = parsed
        self.target = target
        self.console = console
        self.show_all = parsed.has("show_depends")
        self.only_show = self.show_all or parsed.has("dry_run")
        self.attempts: list[tuple[Plan, Objection | None, Outcome | None]] = []
        self.status = 0

    def run(self, words: tuple[str, ...], params: str) -> int:
        for word in words:
            try:
                plan = self.plan(word, params)
            except NoTreeError as error:
                self._fail(error, f"Module {word} not found in directory {one_line(error)}")
            except NoSuchModuleError as error:
                self._fail(error, self.not_found(error))
            except FileError as error:
                if error.path != word:  # not the file asked for, but one that the answer needs
                    raise
                text = f"Failed to get module from path {word}: {os.strerror(error.errno)}"
                self._fail(error, text)
            else:
                self._take(plan)
        if self.console.json:
            from lkm.report.documents.plans import plans_document

            self.console.document = plans_document(self.target.on, self.attempts)
        return self.status

    def plan(self, word: str, params: str) -> Plan:
        raise NotImplementedError

    def not_found(self, error: NoSuchModuleError) -> str:
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

    def say(self, text: str) -> None:
        """Say what is in the way of one word: fatal for that one, with -a a warning."""
        self.console.say("WARNING" if self.parsed.has("all") else "FATAL", text)

    def loaded(self) -> tuple[LoadedModule, ...]:
        """Return what is loaded; nothing where all is to be shown or the kernel takes none."""
        if self.show_all:
            return ()
        try:
            return self.target.kernel.modules()
        except NoModuleSupportError:
            # Whoever wants to change that kernel is told so by the change itself.
            return ()

    def _fail(self, error: LkmError, text: str) -> None:
        self.console.cause = error
        self.status = 1
        self.say(text)

    def _take(self, plan: Plan) -> None:
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

        outcome = apply_plan(
            plan,
            self.target.kernel,
            on_step=self._announce if self.parsed.has("verbose") else None,
            run_command=self._command_runner(),
            first_time=self.parsed.has("first_time"),
            flags=self.flags(),
            wait_ms=int(self.parsed.last("wait", "0")),
        )
        for step, _error in outcome.passed_over:
            if isinstance(step, InUse):
                self.say(f"Module {step.module} is in use.")
        for step in outcome.not_run:
            self.status = 1
            text = f"the {self.target.on} runs no commands, so this was left out: "
            self.console.warning(f"{text}{modprobe_line(step).strip()}; -i passes over it")
        if outcome.error is not None:
            self.status = 1
            self.say_failed(outcome, plan)
        return outcome

    def _announce(self, step: Step) -> None:
        line = modprobe_line(step)
        if line and not self.console.json:
            self.console.out.write(line + "\n")
            self.console.out.flush()

    def _command_runner(self) -> CommandRunner | None:
        """Return what runs install and remove commands; nothing does on another kernel."""
        if self.target.on != "live":
            return None
        from lkm.kernel.apply import run_in_shell  # few plans hold a command

        handed_on = passed_on(self.parsed)
        return lambda command, module: run_in_shell(command, module, options=handed_on)


class _Loading(_Work):
    def plan(self, word: str, params: str) -> Plan:
        load = plan_load_file if word.startswith(("/", "./")) else plan_load
        return load(
            word,
            self.target.catalog(),
            self.target.settings(),
            loaded={module.name: module.state for module in self.loaded()},
            params=params,
            ignore_commands=self.parsed.has("ignore_commands"),
            use_blacklist=self.parsed.has("blacklist"),
            show_all=self.show_all,
        )

    def not_found(self, error: NoSuchModuleError) -> str:
        return str(error)

    def object(self, what: Objection) -> None:
        words = _INSERT_WORDS[errno.EEXIST]
        self.console.error(f"could not insert '{what.module}': {words}")

    def flags(self) -> int:
        return force_flags(self.parsed)

    def say_failed(self, outcome: Outcome, plan: Plan) -> None:
        error = outcome.error
        text = f"could not insert '{asked_for(plan)}'"
        if isinstance(error, KernelError):
            reason = _INSERT_WORDS.get(error.errno, os.strerror(error.errno))
            self.console.refused(f"{text}: {reason}", error, on=self.target.on)
        elif isinstance(error, CommandFailedError):
            self.console.error(str(error))
            self.console.error(f"{text}: {os.strerror(errno.EINVAL)}")
        elif isinstance(error, NoSuchModuleError):
            self.console.error(f"could not find module by name='{error.name}'")
            self.console.error(f"{text}: {_INSERT_WORDS[errno.ENOENT]}")
        elif error is not None:
            self.console.cause = error
            self.console.error(f"{text}: {one_line(error)}")


class _Unloading(_Work):
    def plan(self, word: str, params: str) -> Plan:
        del params  # removal has none
        return plan_unload(
            word,
            self.target.catalog(),
            self.target.settings(),
            loaded=self.loaded(),
            remove_holders=self.parsed.has("remove_holders"),
            ignore_commands=self.parsed.has("ignore_commands"),
            wait=self.parsed.has("wait"),
            keep_going=self.parsed.has("all"),
        )

    def not_found(self, error: NoSuchModuleError) -> str:
        return f"Module {error.name} not found."

    def object(self, what: Objection) -> None:
        is_builtin = what.reason == "builtin"
        self.say(f"Module {what.module} is {'builtin.' if is_builtin else 'not in kernel.'}")

    def say_failed(self, outcome: Outcome, plan: Plan) -> None:
        error, step = outcome.error, outcome.failed
        name = asked_for(plan) if step is None else step.module
        if isinstance(step, InUse):
            self.say(f"Module {name} is in use.")
        elif isinstance(error, KernelError):
            text = f"could not remove '{name}': {os.strerror(error.errno)}"
            self.console.refused(text, error, on=self.target.on)
        elif isinstance(error, CommandFailedError):
            self.say(f"Error running remove command for {name}")
        elif error is not None:
            self.console.error(f"could not remove '{name}': {one_line(error)}")


def asked_for(plan: Plan) -> str:
    """Return the module that kmod's messages name: the one that the word stands for."""
    for step in plan.steps:
        if not step.because:
            return step.module
    return plan.target


def passed_on(parsed: Parsed) -> str:
    """Return the options that a modprobe run by an install command is to take over."""
    words = [part for path in parsed.every("config") for part in ("-C", path)]
    flags = (("quiet", "-q"), ("syslog", "-s"), ("verbose", "-v"))
    return " ".join([*words, *(flag for key, flag in flags if parsed.has(key))])
