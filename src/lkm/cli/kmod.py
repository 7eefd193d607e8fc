"""lkm kmod: the six tools by kmod's own command, and its list."""

from __future__ import annotations

from lkm.cli.dropin import HELP, JSON, NO_CACHE, VERSION, Command, read_options
from lkm.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from lkm.cli.console import Console
    from lkm.cli.options import Parsed

TOOLS = {
    "help": "show this text",
    "list": "list the loaded modules, as lsmod",
    "static-nodes": "show the device nodes whose opening loads a module",
    "lsmod": "list the loaded modules",
    "modinfo": "show what a module file says of itself",
    "modprobe": "load or unload a module with all that belongs to it",
    "insmod": "insert one module file",
    "rmmod": "remove loaded modules",
    "depmod": "write the indexes of a modules directory",
}

COMMAND = Command(
    "kmod",
    "kmod [OPTION] COMMAND [WORD...]",
    "Commands:\n" + "\n".join(f"  {name:<12} {text}" for name, text in TOOLS.items()),
    (NO_CACHE, JSON, VERSION, HELP),
    permute=False,
)


# What kmod does under its own name, and where that is not in a file of the command's name.
_OWN = ("help", "list", "static-nodes")
_FILES = {"list": "lsmod", "static-nodes": "static_nodes"}


def run(parsed: Parsed, console: Console) -> int:
    """Run the tool that the first word names."""
    if not parsed.arguments:
        return _wrong("missing command", console)
    name, *words = parsed.arguments
    if name == "help":
        console.json = False
        console.out.write(COMMAND.help_text())
        return 0
    if name not in TOOLS:
        # Nothing tells which of its words would be options.
        console.json = console.json or "--json" in words
        return _wrong(f"invalid command '{name}'", console)
    if console.json:
        words.insert(0, "--json")
    module = _tool(name)
    if name not in _OWN:
        console.program = name
    try:
        options = read_options(module.COMMAND, words, console)
    except UsageError as error:
        # getopt names the program by the first word that it is given, and that is the command.
        console.usage(name, error)
        return 1
    if options is None:
        return 0
    status: int = module.run(options, console)
    return status


def tool_command(name: str) -> Command | None:
    """Return the definition of kmod's command *name*, None where it takes no words."""
    if name not in TOOLS or name == "help":
        return None
    command: Command = _tool(name).COMMAND
    return command


def _tool(name: str) -> ModuleType:
    return __import__(f"lkm.cli.{_FILES.get(name, name)}", fromlist=["run"])


def _wrong(problem: str, console: Console) -> int:
    console.cause = UsageError(problem)
    console.raw(problem)
    if not console.json:
        console.out.write(COMMAND.help_text())
    return 1
