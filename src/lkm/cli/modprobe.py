"""lkm modprobe: load or unload a module with all that belongs to it."""

from __future__ import annotations

from lkm.cli.console import Closed
from lkm.cli.dropin import (
    HELP,
    INIT_RETURNS,
    JSON,
    NO_CACHE,
    ON,
    SYSLOG,
    VERBOSE,
    VERSION,
    Command,
)
from lkm.cli.insmod import FORCE_MODVERSION, FORCE_VERMAGIC, joined
from lkm.cli.modprobe_work import milliseconds, verbosity
from lkm.cli.options import Option
from lkm.cli.target import Target
from lkm.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.cli.console import Console
    from lkm.cli.options import Parsed

COMMAND = Command(
    "modprobe",
    "modprobe [OPTION...] MODULE [PARAMETER[=VALUE]...]\n"
    "       modprobe [OPTION...] -a MODULE...\n"
    "       modprobe [OPTION...] -r MODULE...",
    "Load MODULE, a name, an alias or a file, with its dependencies; or unload it with those\n"
    "that nothing uses any more.",
    (
        Option(
            "all",
            "a",
            ("all",),
            "load every MODULE named; no word is a parameter",
            words=("MODULE...",),
        ),
        Option(
            "remove",
            "r",
            ("remove",),
            "unload instead, and with it the dependencies that nothing uses any more",
            words=("LOADED...",),
        ),
        Option(
            "remove_holders",
            "",
            ("remove-holders",),
            "unload, and first of all the modules that use it",
            old=("remove-dependencies",),
            words=("LOADED...",),
        ),
        Option(
            "wait",
            "w",
            ("wait",),
            "with -r and --atomic: while it is in use try again to remove it, so many milliseconds "
            "long",
            argument="MSEC",
        ),
        Option(
            "first_time",
            "",
            ("first-time",),
            "fail where there is nothing to do: it is loaded, or with -r is not",
        ),
        Option(
            "atomic",
            "",
            ("atomic",),
            "load all that is asked for or nothing: where anything of it fails, or a signal ends "
            "it, remove again what this run has loaded",
            own=True,
        ),
        Option(
            "ignore_commands",
            "i",
            ("ignore-install", "ignore-remove"),
            "do not run the install or remove command that modprobe.d has for MODULE itself",
        ),
        Option(
            "blacklist",
            "b",
            ("use-blacklist",),
            "a blacklist holds for MODULE given by its name as well, not only by an alias",
        ),
        Option("force", "f", ("force",), "both of the following; dangerous"),
        FORCE_MODVERSION,
        FORCE_VERMAGIC,
        Option(
            "show_alias",
            "R",
            ("show-alias",),
            "print the names of the modules that MODULE, an alias, stands for",
            old=("resolve-alias",),
        ),
        Option(
            "show_depends",
            "D",
            ("show-depends",),
            "print what would be loaded, one line each, in that order",
        ),
        Option(
            "show_config",
            "c",
            ("show-config",),
            "print the whole configuration, and the indexes of aliases and symbols",
            old=("showconfig",),
        ),
        Option(
            "show_modversions",
            "",
            ("show-modversions",),
            "print the symbols that MODULE needs, each with its CRC",
            old=("dump-modversions",),
        ),
        Option(
            "show_exports",
            "",
            ("show-exports",),
            "print the symbols that MODULE exports, each with its CRC",
        ),
        Option(
            "dry_run",
            "n",
            ("dry-run",),
            "change nothing, but print what would be done",
            old=("show",),
        ),
        Option(
            "config",
            "C",
            ("config",),
            "read this file or directory instead of modprobe.d; may be repeated",
            argument="PATH",
        ),
        Option(
            "dirname",
            "d",
            ("dirname",),
            "take ROOT/lib/modules instead of /lib/modules",
            argument="ROOT",
        ),
        Option(
            "release",
            "S",
            ("set-version",),
            "the modules of this kernel instead of the running one's",
            argument="RELEASE",
        ),
        SYSLOG,
        Option(
            "quiet",
            "q",
            ("quiet",),
            "say nothing of modules that are not found, nor of what goes wrong",
        ),
        VERBOSE,
        ON,
        INIT_RETURNS,
        NO_CACHE,
        JSON,
        VERSION,
        HELP,
    ),
    words=("MODULE", "PARAMETER..."),
    environment="MODPROBE_OPTIONS",
)

_SHOWN = ("show_config", "show_modversions", "show_exports", "show_alias")


def run(parsed: Parsed, console: Console) -> int:
    """Do what the options ask; return 0, or 1 if anything of it failed."""
    for text in parsed.every("wait"):
        if milliseconds(text) is None:
            console.misused(f"unexpected wait value '{text}'.")
            return 1
    target = Target(
        parsed.last("on"),
        console,
        root=parsed.last("dirname"),
        release=parsed.last("release") if parsed.has("release") else None,
        config_paths=parsed.every("config"),
    )
    if parsed.has("init_returns"):
        from lkm.cli.answers import init_answer  # it is said rarely

        init_answer(parsed)
    removing = parsed.has("remove") or parsed.has("remove_holders")
    if removing and parsed.has("atomic"):
        raise UsageError("--atomic takes back what was loaded, so it cannot stand with -r")
    shown = [key for key in _SHOWN if parsed.has(key)]
    if not parsed.arguments and "show_config" not in shown:
        console.misused("missing parameters. See -h.")
        return 1
    console.quiet = parsed.has("quiet")
    console.level = verbosity(parsed)
    if isinstance(console.err, Closed):
        console.log_to_syslog()  # nobody would read it otherwise
    if shown and not (removing and shown[0] == "show_alias"):
        from lkm.cli import modprobe_show  # loading needs none of it

        return modprobe_show.SHOWS[shown[0]](parsed, target, console)
    if removing:
        from lkm.cli.modprobe_unload import Unloading  # only one of the two is needed

        return Unloading(parsed, target, console).run(parsed.arguments, "")
    from lkm.cli.modprobe_load import Loading

    work = Loading(parsed, target, console)
    if parsed.has("all"):
        return work.run(parsed.arguments, "")
    word, *words = parsed.arguments
    return work.run((word,), parameter_text(words))


def parameter_text(words: list[str]) -> str:
    """Return the parameters as the kernel gets them: a value with blanks is put in quotes."""
    texts = []
    for word in words:
        key, equals, value = word.partition("=")
        quoted = value.startswith(('"', "'"))
        if equals and " " in value and not quoted:
            value = f'"{value}"'
        texts.append(f"{key}{equals}{value}")
    return joined(texts)
