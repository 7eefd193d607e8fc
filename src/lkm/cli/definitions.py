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
    from collections.abc import Sequence

LKM = Command(
    "lkm",
    "lkm [--on KERNEL] [--no-cache] COMMAND [WORD...]",
    "The Linux loadable kernel module system.",
    (
        Option(
            "on",
            "",
            ("on",),
            "which kernel COMMAND is about: live, the running one (default), sandbox, or lab",
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

# What stands behind ``--``: another command line.
BEHIND = "COMMAND..."


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

    # Actions in files of their own, which share no option with the verb.
    apart = []
    for action in getattr(module, "ACTIONS", ()):
        whole = f"{name} {action}"
        apart.append(_of_parser(action, verb_parser(whole, load(whole))))
    behind = (BEHIND,) if hasattr(module, "TAKES_COMMAND") else ()
    return _of_parser(name, verb_parser(name, module), apart, behind)


def _of_parser(
    name: str,
    parser: ArgumentParser,
    apart: Sequence[Command] = (),
    behind: tuple[str, ...] = (),
) -> Command:
    from argparse import _SubParsersAction  # the one way to a parser's actions

    options = []
    words, texts = list(behind), [""] * len(behind)
    actions = list(apart)
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
        "\n".join([usage, *[action.usage for action in apart]]),
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
    # What may be followed by more of the same is read as a word by what knows one argument only.
    more = (f"{_argument(action)}...",) if takes and action.nargs in ("*", "+") else None
    return Option(
        action.dest,
        letters[0] if letters else "",
        names,
        text,
        argument=_argument(action) if takes else "",
        words=more,
    )


def _argument(action: Action) -> str:
    """Return what stands for the action's argument; ``{a,b}`` where these are all that it takes."""
    if action.choices is not None and action.metavar is None:
        return "{" + ",".join(str(choice) for choice in action.choices) + "}"
    metavar = action.metavar or action.dest.upper()
    return metavar if isinstance(metavar, str) else " ".join(metavar)
