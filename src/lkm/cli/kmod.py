"""lkm kmod: the six tools by kmod's own command, and its list."""

from __future__ import annotations

from lkm.cli.dropin import HELP, VERSION, Command, read_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.cli.console import Console
    from lkm.cli.options import Parsed

_TOOLS = {
    "help": "show this text",
    "list": "list the loaded modules, as lsmod",
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
    "Commands:\n" + "\n".join(f"  {name:<9} {text}" for name, text in _TOOLS.items()),
    (VERSION, HELP),
    permute=False,
)


def run(parsed: Parsed, console: Console) -> int:
    """Run the tool that the first word names."""
    if not parsed.arguments:
        return _wrong("missing command", console)
    name, *words = parsed.arguments
    if name == "help":
        console.out.write(COMMAND.help_text())
        return 0
    if name not in _TOOLS:
        return _wrong(f"invalid command '{name}'", console)
    tool = "lsmod" if name == "list" else name
    console.program = tool
    console.json = "--json" in words
    module = __import__(f"lkm.cli.{tool}", fromlist=["run"])
    options = read_options(module.COMMAND, words, console)
    if options is None:
        return 0
    status: int = module.run(options, console)
    return status


def _wrong(problem: str, console: Console) -> int:
    console.raw(problem)
    console.out.write(COMMAND.help_text())
    return 1
