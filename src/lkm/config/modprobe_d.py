"""Parse modprobe.d.

Never raises: as in modprobe, one bad line must not hide the good ones.

Source: modprobe.d(5); kmod, libkmod/libkmod-config.c, kmod_config_parse.
"""

from __future__ import annotations

from lkm import _text
from lkm.config.directives import (
    Alias,
    Blacklist,
    Complaint,
    Install,
    Options,
    Remove,
    Softdep,
    Source,
    Weakdep,
)
from lkm.config.files import logical_lines
from lkm.errors import BadNameError
from lkm.names import config_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lkm.config.directives import Directive
    from lkm.config.files import LogicalLine

__all__ = [
    "Alias",
    "Blacklist",
    "Complaint",
    "Install",
    "Options",
    "Remove",
    "Softdep",
    "Source",
    "Weakdep",
    "parse",
]

_BLANKS = " \t"
_REFUSED = ("include", "config")


def parse(text: str, path: str) -> tuple[Directive | Complaint, ...]:
    """Return the directives of *text*, in file order, each bad line as a complaint.

    *path* only names the text in sources and complaints.
    """
    return tuple([_parse_line(line, path) for line in logical_lines(text)])


def _parse_line(line: LogicalLine, path: str) -> Directive | Complaint:
    command, rest = _word(line.text)
    source = Source(path, line.first)
    if command in _REFUSED:
        kmod = f"{path}: command {command} is deprecated and not parsed anymore"
        problem = f"{command} is no longer supported"
        return Complaint(source, line.text, problem, f"libkmod: ERROR: kmod_config_parse: {kmod}")
    build = _COMMANDS.get(command)
    unknown = f"unknown command {_text.quoted(command)}"
    try:
        directive = unknown if build is None else build(rest, source)
    except BadNameError as error:
        directive = str(error)
    if isinstance(directive, str):
        kmod = f"{path} line {line.last}: ignoring bad line starting with '{command}'"
        return Complaint(source, line.text, directive, f"libkmod: ERROR: kmod_config_parse: {kmod}")
    return directive


def _word(text: str) -> tuple[str, str]:
    """Return the first word of *text* and what follows the one blank behind it."""
    text = text.lstrip(_BLANKS)
    word = text.replace("\t", " ").partition(" ")[0]
    return word, text[len(word) + 1 :]


def _alias(rest: str, source: Source) -> Alias | str:
    pattern, rest = _word(rest)
    module, _ = _word(rest)
    if not module:
        return "alias needs a pattern and a module"
    return Alias(config_word(pattern), config_word(module), source)


def _blacklist(rest: str, source: Source) -> Blacklist | str:
    module, _ = _word(rest)
    return Blacklist(config_word(module), source) if module else "blacklist needs a module"


def _options(rest: str, source: Source) -> Options | str:
    module, params = _word(rest)
    if not params:
        return "options needs a module and its parameters"
    return Options(config_word(module), params.replace("\t", " "), source)


def _install(rest: str, source: Source) -> Install | str:
    pattern, command = _word(rest)
    if not command:
        return "install needs a module and a command"
    return Install(config_word(pattern), command, source)


def _remove(rest: str, source: Source) -> Remove | str:
    pattern, command = _word(rest)
    if not command:
        return "remove needs a module and a command"
    return Remove(config_word(pattern), command, source)


def _softdep(rest: str, source: Source) -> Softdep | str:
    pattern, text = _word(rest)
    if not text:
        return "softdep needs a module and its neighbours"
    lists: dict[str, list[str]] = {"": [], "pre:": [], "post:": []}
    mode = ""
    words = _words(text)
    if words and text[:1].isspace() and not text[1:2].isspace():
        # kmod takes a single blank before the first word for a part of it, so that a "pre:" after
        # exactly two blanks is none; its words are dropped like any before "pre:" or "post:".
        words[0] = " " + words[0]
    for word in words:
        if word in ("pre:", "post:"):
            mode = word
        else:
            lists[mode].append(word)
    return Softdep(config_word(pattern), tuple(lists["pre:"]), tuple(lists["post:"]), source)


def _weakdep(rest: str, source: Source) -> Weakdep | str:
    pattern, text = _word(rest)
    if not text:
        return "weakdep needs a module and its neighbours"
    return Weakdep(config_word(pattern), tuple(_words(text)), source)


def _words(text: str) -> list[str]:
    # As bytes, since only they are split at what isspace(3) calls white space.
    return [_text.decode(word) for word in _text.encode(text).split()]


_COMMANDS: dict[str, Callable[[str, Source], Directive | str]] = {
    "alias": _alias,
    "blacklist": _blacklist,
    "install": _install,
    "options": _options,
    "remove": _remove,
    "softdep": _softdep,
    "weakdep": _weakdep,
}
