"""Make the manual page of one command from its definition."""

from __future__ import annotations

import os
import re

from lkm.cli.definitions import BEHIND, commands, definition
from lkm.cli.main import DROP_INS, VERBS
from lkm.cli.manual.mdoc import escaped, paragraphs, sentence, synopsis, text_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lkm.cli.dropin import Command
    from lkm.cli.options import Option

# When the pages last changed in what they say.
DATE = "November 23, 2026"

# In the order in which manual pages have them; those of our own before what points elsewhere.
_SECTIONS = (
    "DESCRIPTION",
    "ENVIRONMENT",
    "FILES",
    "EXIT STATUS",
    "EXAMPLES",
    "DIFFERENCES FROM KMOD",
    "SEE ALSO",
    "CAVEATS",
)
_TOOL_STATUS = "0 if all that was asked was done, 1 if any of it was not."
_VERB_STATUS = "0 yes or done, 1 no, 2 wrong usage, 3 it cannot be told."
_JSON_KEYS = ("json", "on")
# What every action of a verb takes.
_COMMON = frozenset({"help", "json", "no_cache"})


# The files that are written by hand, each with its page.
FORMATS = {
    "modprobe.d": "what modprobe is to know of modules",
    "depmod.d": "where depmod looks for modules",
}


def page_names() -> tuple[str, ...]:
    """Return what has a page: ``lkm``, each of its commands, and the files that users write."""
    return ("lkm", *DROP_INS, *VERBS, *FORMATS)


def page_file(name: str) -> str:
    """Return the name of the page's file, which clashes with none of kmod's own."""
    if name == "lkm":
        return "lkm.1"
    if name in FORMATS:
        return f"lkm-{name}.5"
    return f"lkm-{name}.{'8' if name in DROP_INS else '1'}"


def page(name: str) -> str:
    """Return the page of *name*, a command or a file, as mdoc source."""
    title, _, section = page_file(name).rpartition(".")
    lines = [
        f".Dd {DATE}",
        f".Dt {title.upper()} {section}",
        ".Os",
        ".Sh NAME",
        f".Nm {title}",
        f".Nd {escaped(_purpose(name))}",
    ]
    written = _written(name)
    if name in FORMATS:
        made = {"SEE ALSO": _references(written.pop("SEE ALSO"))}
    else:
        command = definition(name)
        lines += [".Sh SYNOPSIS", *_synopses(name, command)]
        made = _made(name, command, written)
    for heading in _SECTIONS:
        body = [*made.get(heading, []), *written.get(heading, [])]
        if body:
            lines += [f".Sh {heading}", *body]
    return "\n".join(lines) + "\n"


def _made(name: str, command: Command, written: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the sections that follow from the definition; takes its part out of *written*."""
    status, description = _described(command)
    if name in VERBS:
        status = _verb_status(status)
    return {
        "DESCRIPTION": [
            *description,
            *written.pop("DESCRIPTION", []),
            *(_command_lists() if name == "lkm" else []),
            *_all_options(command),
        ],
        "ENVIRONMENT": [] if "ENVIRONMENT" in written else _environment(command),
        "EXIT STATUS": text_lines(status or (_TOOL_STATUS if name in DROP_INS else _VERB_STATUS)),
        "SEE ALSO": _see_also(name, written.pop("SEE ALSO", [])),
    }


def _verb_status(status: str) -> str:
    """Return what a verb's help says of its exit status, with what is so for every verb."""
    if not status:
        return _VERB_STATUS
    always = {"2": "2 stands for wrong usage", "3": "3 for what cannot be done or told"}
    named = re.findall(r"\d+", status)
    missing = [text for number, text in always.items() if number not in named]
    more = " and ".join(missing)
    return f"{status} {more[:1].upper()}{more[1:]}." if more else status


def _purpose(name: str) -> str:
    if name == "lkm":
        return "the Linux loadable kernel module system"
    return FORMATS.get(name) or commands()[name]


def _synopses(name: str, command: Command) -> list[str]:
    lines = []
    for usage in command.usage.split("\n"):
        words = usage.split()
        called = f"lkm {name}" if name != "lkm" else "lkm"
        skipped = 2 if words[:2] == ["lkm", name] else 1
        actions = [each.name for each in command.actions]
        if words[skipped : skipped + 1] and words[skipped] in actions:
            called, skipped = f"{called} {words[skipped]}", skipped + 1
        lines += [f".Nm {called}", *synopsis(" ".join(words[skipped:]))]
    return lines


def _described(command: Command) -> tuple[str, list[str]]:
    """Return what the purpose says of the exit status, and the rest of it as mdoc."""
    text, _, status = command.purpose.partition("Exit status:")
    return " ".join(status.split()), paragraphs(text)


def _all_options(command: Command) -> list[str]:
    theirs = [option for option in command.options if not option.own]
    ours = [option for option in command.options if option.own]
    return [
        *_options(theirs, "The options are:"),
        *_options(ours, "These are lkm's own, and must be spelled out:"),
        *_common(command),
        *[
            line
            for action in _actions(command)
            for line in _action(action, apart=_is_apart(command))
        ],
    ]


def _common(command: Command) -> list[str]:
    """Return the options that every action of a verb takes, told once."""
    if not command.actions or _is_apart(command):
        return []
    own = {option.key for option in command.options}
    shared = [each for each in command.actions[0].options if each.key in _COMMON - own]
    return _options(shared, "Every action takes those, and this:")


def _is_apart(command: Command) -> bool:
    """Tell whether the command does something without an action: these share nothing with it."""
    return BEHIND in command.words


def _actions(command: Command) -> tuple[Command, ...]:
    """Return the commands within *command* that have no page of their own."""
    if command.name == "kmod":
        from lkm.cli.kmod import tool_command

        own = tool_command("static-nodes")
        return () if own is None else (own,)
    return command.actions


def _action(action: Command, *, apart: bool) -> list[str]:
    words = "" if not action.words else " " + " ".join([f"Ar {word}" for word in action.words])
    return [
        f".Ss {action.name}{words.replace(' Ar ', ' ')}",
        *(paragraphs(action.purpose) if apart else text_lines(sentence(action.purpose))),
        *_words(action),
        *_options(
            [option for option in action.options if apart or option.key not in _COMMON],
            "Its options are:",
        ),
    ]


def _words(action: Command) -> list[str]:
    """Return what each word of an action is, where something is told of it."""
    pairs = zip(action.words, action.word_texts or [""] * len(action.words), strict=True)
    told = [(word, text) for word, text in pairs if text]
    if not told:
        return []
    items = [
        line for word, text in told for line in (f".It Ar {word}", *text_lines(sentence(text)))
    ]
    return [".Bl -tag -width Ds", *items, ".El"]


def _command_lists() -> list[str]:
    """Return the commands of lkm, each with its purpose and the page that tells of it."""
    tools = _listed(DROP_INS, "kmod's tools, with its options, its text and its exit status:")
    return [*tools, *_listed(VERBS, "lkm's own:")]


def _listed(names: dict[str, str], before: str) -> list[str]:
    lines = [".Pp", escaped(before), ".Bl -tag -width install-links"]
    for name, purpose in names.items():
        title, _, section = page_file(name).rpartition(".")
        # Not in a wrapped form, since a macro takes the whole line.
        lines += [
            f".It Cm {name}",
            *text_lines(sentence(purpose)),
            "See",
            f".Xr {title} {section} .",
        ]
    return [*lines, ".El"]


def _options(options: Iterable[Option], before: str) -> list[str]:
    items = [line for option in options for line in _option(option)]
    if not items:
        return []
    return [".Pp", escaped(before), ".Bl -tag -width Ds", *items, ".El"]


def _option(option: Option) -> list[str]:
    forms = [f"Fl {option.short}"] if option.short else []
    forms += [f"Fl -{name}" for name in option.names]
    argument = ""
    if option.argument.startswith("{"):
        argument = " " + " | ".join(
            [f"Cm {each}" for each in option.argument.strip("{}").split(",")]
        )
    elif option.argument:
        argument = f" Ar {option.argument}"
    lines = [f".It {' , '.join(forms)}{argument}", *text_lines(sentence(option.help))]
    if option.old:
        old = " , ".join([f"Fl -{name}" for name in option.old])
        lines += ["The old spelling", f".{old}", "still works, with a warning."]
    return lines


def _environment(command: Command) -> list[str]:
    items: list[str] = []
    if command.environment:
        items += [f".It Ev {command.environment}"]
        items += ["Words that are read before those of the command line."]
    if any(option.key == "on" for option in command.options) or command.name == "sandbox":
        items += [".It Ev LKM_STATE", "The file that holds the sandbox."]
        items += [".It Ev XDG_STATE_HOME", "Without that, the folder that it lies below;"]
        items += ["the default is", ".Pa ~/.local/state ."]
    return [".Bl -tag -width Ds", *items, ".El"] if items else []


def _see_also(name: str, written: Iterable[str]) -> list[str]:
    """Return references to the pages of lkm that belong to this one, and those *written*."""
    if name == "lkm":
        others = [each for each in page_names() if each != "lkm"]
    elif name in DROP_INS:
        others = ["lkm", *[each for each in DROP_INS if each != name]]
    else:
        others = ["lkm"]
    places = [(title, section) for title, _, section in map(_parts, map(page_file, others))]
    return _references([*written, *[f".Xr {title} {section}" for title, section in places]])


def _references(lines: Iterable[str]) -> list[str]:
    """Return the lines ``.Xr TITLE SECTION`` in the order and with the commas of SEE ALSO."""
    places = [(words[1], words[2]) for words in map(str.split, lines)]
    places.sort(key=_by_section)
    last = len(places) - 1
    return [
        f".Xr {title} {section}{'' if at == last else ' ,'}"
        for at, (title, section) in enumerate(places)
    ]


def _parts(file: str) -> tuple[str, str, str]:
    return file.rpartition(".")


def _by_section(place: tuple[str, str]) -> tuple[str, str]:
    return place[1], place[0]


def _written(name: str) -> dict[str, list[str]]:
    """Return the sections that were written by hand; what precedes the first is DESCRIPTION's."""
    path = f"{os.path.dirname(__file__)}/pages/{name}.mdoc"
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        text = file.read()
    sections: dict[str, list[str]] = {}
    heading = "DESCRIPTION"
    for line in text.splitlines():
        if line.startswith(".Sh "):
            heading = line.removeprefix(".Sh ")
        else:
            sections.setdefault(heading, []).append(line)
    return sections
