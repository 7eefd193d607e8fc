"""What stands for a word in a usage line, and what such a word can be."""

from __future__ import annotations

import os

from lkm.cli.shell.offer import Candidate, spelled
from lkm.cli.shell.paths import paths
from lkm.names import is_module_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from lkm.cli.shell.subjects import Subject


def candidates_of_kind(kind: str, typed: str, subject: Subject) -> list[Candidate]:
    """Return what a word of *kind* that begins as *typed* can be, for the command at hand.

    *kind* is the word's name in the usage, or ``{a,b}`` for one of these. What has no entry in
    ``KINDS`` can be anything, and nothing is offered.
    """
    if kind.startswith("{"):
        choices = kind.strip("{}").split(",")
        return [Candidate(choice) for choice in choices if choice.startswith(typed)]
    offer = KINDS.get(kind)
    return [] if offer is None else offer(typed, subject)


def _module(typed: str, subject: Subject) -> list[Candidate]:
    """Offer what modprobe loads: a module of the tree, or a file where the word is a path."""
    if "/" in typed or typed == "~":
        return _module_file(typed, subject)
    return _names(subject.module_names(), typed)


def _known(typed: str, subject: Subject) -> list[Candidate]:
    """Offer what modinfo describes: built-in modules, and files of this folder, as well."""
    if "/" in typed or typed == "~":
        return _module_file(typed, subject)
    files = [each for each in paths(typed, is_module_file) if not each.text.endswith("/")]
    return _names([*subject.module_names(), *subject.builtin_names()], typed) + files


def _loaded(typed: str, subject: Subject) -> list[Candidate]:
    if "/" in typed:
        return _module_file(typed, subject)
    here = set(subject.arguments)
    return _names([name for name in subject.loaded_names() if name not in here], typed)


def _module_file(typed: str, _subject: Subject) -> list[Candidate]:
    return paths(typed, is_module_file)


def _file(typed: str, _subject: Subject) -> list[Candidate]:
    return paths(typed, lambda _name: True)


def _folder(typed: str, _subject: Subject) -> list[Candidate]:
    return paths(typed, lambda _name: False)


def _parameter(typed: str, subject: Subject) -> list[Candidate]:
    """Offer the parameters of the module that the first word names, or a yes-or-no one's values."""
    declared = {each.name: each for each in subject.parameters()}
    name, equals, value = typed.partition("=")
    if equals:
        one = declared.get(name.replace("-", "_")) or declared.get(name)
        values = ("Y", "N") if one is not None and one.type in ("bool", "invbool") else ()
        return [Candidate(f"{name}={each}") for each in values if each.startswith(value)]
    said = {word.partition("=")[0].replace("-", "_") for word in subject.arguments[1:]}
    found = []
    for each in declared.values():
        if each.name.replace("-", "_") not in said:
            kind = f"({each.type})" if each.type else ""
            meaning = " ".join([*each.description.split(), kind]).strip()
            found += [Candidate(f"{text}=", meaning) for text in spelled([each.name], typed)]
    return found


def _field(typed: str, subject: Subject) -> list[Candidate]:
    return [Candidate(key) for key in subject.fields() if key.startswith(typed)]


def _release(typed: str, subject: Subject) -> list[Candidate]:
    running = os.uname().release
    return [
        Candidate(each, "running" if each == running else "")
        for each in subject.releases()
        if each.startswith(typed)
    ]


def _release_or_image(typed: str, subject: Subject) -> list[Candidate]:
    return _file(typed, subject) if "/" in typed else _release(typed, subject)


def _kernel(typed: str, _subject: Subject) -> list[Candidate]:
    kernels = {
        "live": "the running kernel",
        "sandbox": "a kernel in a file",
        "lab": "a kernel in a throw-away machine",
    }
    return [Candidate(*item) for item in kernels.items() if item[0].startswith(typed)]


def _releases(typed: str, subject: Subject) -> list[Candidate]:
    """Offer releases behind those that stand in the word, with commas between them."""
    before, comma, last = typed.rpartition(",")
    there = before.split(",")
    found = [each for each in _release(last, subject) if each.text not in there]
    return [each.behind(before + comma) for each in found]


def _source(typed: str, _subject: Subject) -> list[Candidate]:
    kernels = {
        "debian:6.1": "the newest of this series",
        "debian:6.12": "the newest of this series",
    }
    return [Candidate(*item) for item in kernels.items() if item[0].startswith(typed)]


def _architecture(typed: str, _subject: Subject) -> list[Candidate]:
    return [Candidate(name) for name in ("x86_64", "arm64") if name.startswith(typed)]


def _command(typed: str, subject: Subject) -> list[Candidate]:
    """Offer what a guest surely has, and files."""
    from lkm.cli.main import DROP_INS

    if "/" in typed or typed == "~":
        return _file(typed, subject)
    programs = {"lkm": "the command itself", **DROP_INS, "sh": "a shell", "dmesg": ""}
    return [Candidate(*item) for item in programs.items() if item[0].startswith(typed)]


def _format(typed: str, _subject: Subject) -> list[Candidate]:
    from lkm.report.static_nodes import FORMATS

    return [Candidate(each) for each in FORMATS if each.startswith(typed)]


def _page(typed: str, _subject: Subject) -> list[Candidate]:
    from lkm.cli.definitions import commands
    from lkm.cli.manual.page import FORMATS

    found = {"lkm": "the command itself", **commands(), **FORMATS}
    del found["help"]
    return [Candidate(*item) for item in found.items() if item[0].startswith(typed)]


def _schema(typed: str, _subject: Subject) -> list[Candidate]:
    """Offer the schemas by their whole names, or without ``lkm.`` where that is not being typed."""
    from lkm.report import schemas

    names = schemas.names()
    if typed:
        names += tuple([each.removeprefix("lkm.") for each in names])
    return [Candidate(each) for each in names if each.startswith(typed)]


def _never(typed: str, _subject: Subject) -> list[Candidate]:
    """Offer what is no number."""
    return [Candidate(word, "it does not return") for word in ("never",) if word.startswith(typed)]


def _names(names: list[str], typed: str) -> list[Candidate]:
    return [Candidate(name) for name in sorted(set(spelled(names, typed)))]


# By the name of the word in usage lines and helps; a test holds that each name used there is here
# or among those of which nothing can be known.
KINDS: Final[dict[str, Callable[[str, Subject], list[Candidate]]]] = {
    "ARCHITECTURE": _architecture,
    "COMMAND": _command,
    "DIR": _folder,
    "FILE": _file,
    "FORMAT": _format,
    "KERNEL": _kernel,
    "KEY": _field,
    "KNOWN": _known,
    "LOADED": _loaded,
    "MODULE": _module,
    "MODULEFILE": _module_file,
    "N|never": _never,
    "PAGE": _page,
    "PARAMETER": _parameter,
    "PATH": _file,
    "PATTERN": _known,
    "RELEASE": _release,
    "RELEASE,RELEASE": _releases,
    "RELEASE|PATH": _release_or_image,
    "ROOT": _folder,
    "SCHEMA": _schema,
    "SOURCE": _source,
}
