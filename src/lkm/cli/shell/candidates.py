"""What can stand at the cursor of a command line."""

from __future__ import annotations

import os

from lkm.cli.definitions import BEHIND, LKM, commands, definition
from lkm.cli.dropin import split_options
from lkm.cli.main import DROP_INS
from lkm.cli.options import OptionError, by_long_name
from lkm.cli.shell.kinds import candidates_of_kind
from lkm.cli.shell.offer import Candidate
from lkm.cli.shell.reading import read
from lkm.cli.shell.subjects import Subject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lkm.cli.dropin import Command
    from lkm.cli.options import Option
    from lkm.cli.shell.reading import Line


def complete(words: Sequence[str], index: int) -> list[Candidate]:
    """Return what the word *index* of *words* can be.

    The word counts up to the cursor only; those behind it stand in *words* too. ``words[0]`` is
    the program as it was called. Every candidate begins with the word as it stands. Raises what
    looking for candidates raises.
    """
    called = os.path.basename(words[0])
    if called in DROP_INS:
        return _of_tool(called, words[1:], index - 1, own=_is_lkm(words[0]))
    return _of_lkm(words[1:], index - 1)


def _of_lkm(words: Sequence[str], index: int) -> list[Candidate]:
    before = read(LKM, words[:index])
    current = words[index]
    if not before.arguments:
        if before.open is not None or current.startswith("-"):
            return _of_command(LKM, words, index)
        return [Candidate(*item) for item in commands().items() if item[0].startswith(current)]
    name = before.arguments[0]
    if name == "help":
        found = commands() if len(before.arguments) == 1 else {}
        return [Candidate(*item) for item in found.items() if item[0].startswith(current)]
    # --on stands before the command or behind it: both mean the same.
    at = list(words).index(name)
    rest = [*words[:at], *words[at + 1 :]]
    if name == "kmod":
        return _of_tool(name, words[at + 1 :], index - at - 1)
    return _of_tool(name, rest, index - 1)


def _of_tool(name: str, words: Sequence[str], index: int, *, own: bool = True) -> list[Candidate]:
    if name == "kmod":
        return _of_kmod(words, index, own=own)
    command = definition(name)
    if command.environment:
        more = split_options(os.environ.get(command.environment, ""))
        words, index = [*more, *words], index + len(more)
    if BEHIND in command.words:
        return _of_runner(command, words, index)
    if command.actions:
        return _of_actions(command, words, index)
    return _of_command(command, words, index, own=own)


def _of_runner(command: Command, words: Sequence[str], index: int) -> list[Candidate]:
    """Complete a verb that runs the command line behind ``--``, where only lkm answers."""
    if "--" in words[:index]:
        at = list(words).index("--")
        subject = Subject(command, read(command, words[:at]))
        return _of_behind(words[at + 1 :], index - at - 1, subject)
    if index == 0 or words[0] in [action.name for action in command.actions]:
        return _of_actions(command, words, index)
    return _of_command(command, words, index)


def _of_behind(words: Sequence[str], index: int, subject: Subject) -> list[Candidate]:
    if index == 0:
        return candidates_of_kind("COMMAND", words[0], subject)
    if words[0] == "lkm":
        return _of_lkm(words[1:], index - 1)
    if words[0] in DROP_INS and words[index].startswith("-"):
        return _of_tool(words[0], words[1:], index - 1)
    # The module names are those of the kernel that starts, not of the one that runs here.
    kind = "MODULE" if words[0] in ("modprobe", "modinfo", "rmmod") else "FILE"
    return candidates_of_kind(kind, words[index], subject)


def _of_kmod(words: Sequence[str], index: int, *, own: bool) -> list[Candidate]:
    from lkm.cli.kmod import COMMAND, TOOLS, tool_command

    before = read(COMMAND, words[:index])
    if before.arguments:
        at = list(words).index(before.arguments[0])
        tool = tool_command(before.arguments[0])
        return [] if tool is None else _of_command(tool, words[at + 1 :], index - at - 1, own=own)
    if words[index].startswith("-"):
        return _of_command(COMMAND, words, index)
    return [Candidate(*item) for item in TOOLS.items() if item[0].startswith(words[index])]


def _of_actions(command: Command, words: Sequence[str], index: int) -> list[Candidate]:
    """Complete a verb whose first word names an action with options of its own."""
    before = read(command, words[:index])
    current = words[index]
    for action in command.actions:
        if before.arguments[:1] == (action.name,):
            at = list(words).index(action.name)
            return _of_command(action, words[at + 1 :], index - at - 1)
    if before.arguments or current.startswith("-"):
        return _of_command(command, words, index)
    return [
        Candidate(action.name, action.purpose.partition("\n")[0])
        for action in command.actions
        if action.name.startswith(current)
    ]


def _of_command(
    command: Command, words: Sequence[str], index: int, *, own: bool = True
) -> list[Candidate]:
    before = read(command, words[:index])
    current = words[index]
    line = before.with_later(read(command, words[index + 1 :]))
    subject = Subject(command, line)
    if before.open is not None:
        return candidates_of_kind(before.open.argument, current, subject)
    if current.startswith("-") and not before.ended:
        return _options(command, current, subject, own=own)
    kind = _kind_of_word(command, line, len(before.arguments))
    if kind == BEHIND.removesuffix("..."):
        return [] if current else [Candidate("--", "the command to run comes next")]
    return candidates_of_kind(kind, current, subject) if kind else []


def _options(command: Command, current: str, subject: Subject, *, own: bool) -> list[Candidate]:
    """Return the options that begin so; or what can be the argument that stands within the word."""
    within = _argument_within(command, current)
    if within is not None:
        kind, typed = within
        found = candidates_of_kind(kind, typed, subject)
        return [each.behind(current.removesuffix(typed)) for each in found]
    offered: list[Candidate] = []
    for option in command.options:
        if own or not option.own:
            offered += [Candidate(form, option.help) for form in _forms(option)]
    return [each for each in offered if each.text.startswith(current)]


def _argument_within(command: Command, word: str) -> tuple[str, str] | None:
    """Return the kind of the argument in an option's word, ``--config=/e``, and what there is."""
    if word.startswith("--"):
        name, equals, value = word.removeprefix("--").partition("=")
        option = _named(command, name)
        return (option.argument, value) if equals and option and option.argument else None
    given = read(command, [word]).given
    if given and given[-1][0].argument and given[-1][1]:
        return given[-1][0].argument, given[-1][1]
    return None


def _named(command: Command, name: str) -> Option | None:
    """Return the option that *name*, or a beginning that only it has, means."""
    try:
        return by_long_name(command.options, name)[0]
    except OptionError:
        return None


def _forms(option: Option) -> list[str]:
    """Return the spellings worth typing: those that are going away are not."""
    return [
        *([f"-{option.short}"] if option.short else []),
        *[f"--{name}" for name in option.names],
    ]


def _kind_of_word(command: Command, line: Line, place: int) -> str:
    """Return the kind of the word that stands *place* words behind the first; empty for none."""
    words = command.words
    for option, _ in line.given:
        words = words if option.words is None else option.words
    if place < len(words):
        return words[place].removesuffix("...")
    return words[-1].removesuffix("...") if words and words[-1].endswith("...") else ""


def _is_lkm(program: str) -> bool:
    """Tell whether the program that the shell would start is a link to lkm.

    kmod's own tools may be installed under these names, and do not have lkm's own options.
    """
    from shutil import which

    found = which(program)
    return found is not None and os.path.basename(os.path.realpath(found)) == "lkm"
