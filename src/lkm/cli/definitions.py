"""The definition of any command, drop-in or own verb, as one kind of value.

A drop-in's is its ``COMMAND``. An own verb's is made from its argparse parser, so that completion
and man pages know one form only and cannot say what the parser does not take.
"""

from __future__ import annotations

from types import ModuleType

from lkm.cli.dropin import Command
from lkm.cli.main import DROP_INS, VERBS, load
from lkm.cli.options import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Action, ArgumentParser

LKM = Command(
    "lkm",
    "lkm [--on KERNEL] [--no-cache] COMMAND [WORD...]",
    "The Linux loadable kernel module system.",
    (
        Option(
            "on",
            "",
            ("on",),
            "which kernel COMMAND is about: live, the running one (default), or sandbox",
            argument="KERNEL",
        ),
        Option(
            "no_cache",
            "",
            ("no-cache",),
            "have COMMAND neither use nor remember facts of earlier runs",
        ),
        Option("version", "V", ("version",), "show the version of lkm"),
        Option("help", "h", ("help",), "show the commands"),
    ),
    permute=False,
)


def definition(name: str) -> Command:
    """Return the definition of the command *name*, one of ``DROP_INS`` or ``VERBS``; or of lkm."""
    if name == "lkm":
        return LKM
    module = load(name)
    if name in DROP_INS:
        command: Command = module.COMMAND
        return command
    return _of_verb(name, module)


def commands() -> dict[str, str]:
    """Return every command that ``lkm`` has, and its purpose in a few words."""
    return {**DROP_INS, **VERBS, "help": "show the commands, or the help of one"}


def _of_verb(name: str, module: ModuleType) -> Command:
    from lkm.cli.verb_parser import verb_parser  # it needs argparse, which the drop-ins do without

    return _of_parser(name, verb_parser(name, module))


def _of_parser(name: str, parser: ArgumentParser) -> Command:
    from argparse import _SubParsersAction  # the one way to a parser's actions

    options, words, texts, actions = [], [], [], []
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            # Its own purpose is what the parent's help says of it.
            actions += [_of_parser(each, made) for each, made in action.choices.items()]
        elif action.option_strings:
            options.append(_option(action))
        else:
            words.append(_argument(action) + ("..." if action.nargs in ("*", "+") else ""))
            texts.append(action.help or "")
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    return Command(
        name,
        usage,
        (parser.description or "").strip(),
        tuple(options),
        words=tuple(words),
        word_texts=tuple(texts),
        actions=tuple(actions),
    )


def _option(action: Action) -> Option:
    letters = [text[1:] for text in action.option_strings if not text.startswith("--")]
    names = tuple([text[2:] for text in action.option_strings if text.startswith("--")])
    takes = action.nargs != 0
    text = "show this help" if action.dest == "help" else action.help or ""
    return Option(
        action.dest,
        letters[0] if letters else "",
        names,
        text,
        argument=_argument(action) if takes else "",
    )


def _argument(action: Action) -> str:
    """Return what stands for the action's argument; ``{a,b}`` where these are all that it takes."""
    if action.choices is not None and action.metavar is None:
        return "{" + ",".join(str(choice) for choice in action.choices) + "}"
    metavar = action.metavar or action.dest.upper()
    return metavar if isinstance(metavar, str) else " ".join(metavar)
