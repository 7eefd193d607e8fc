"""Options and blacklists on the kernel command line.

Source: kmod, libkmod/libkmod-config.c, kmod_config_parse_kcmdline; modprobe(8).
"""

from __future__ import annotations

from lkm import _text
from lkm.config.directives import Blacklist, Complaint, Options, Source
from lkm.errors import BadNameError
from lkm.names import config_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.config.directives import Directive

SOURCE = Source("/proc/cmdline", 0)

_READ_BYTES = 4095

# What isspace(3) calls white space, and nothing that only Unicode does.
_BLANKS = dict.fromkeys(map(ord, "\t\n\v\f\r"), " ")


def parse_command_line(text: str) -> tuple[Directive | Complaint, ...]:
    """Return the options and blacklists that *text*, a kernel command line, holds.

    Only its first 4095 bytes count. Items that are no ``MODULE.PARAM[=VALUE]`` are passed over;
    a module name with an unmatched bracket is a complaint.
    """
    text = _text.decode(_text.encode(text)[:_READ_BYTES]).partition("\0")[0]
    found: list[Directive | Complaint] = []
    for item in _items(text):
        found.extend(_directives(item))
    return tuple(found)


def _directives(item: str) -> tuple[Directive | Complaint, ...]:
    quoted = item.startswith('"')
    module, dot, param = item[quoted:].partition(".")
    name, equals, value = param.partition("=")
    if not dot or not _is_plain(module) or "=" in module or not _is_plain(name) or "." in name:
        return ()
    if quoted and equals:  # a quote around the whole item belongs around the value
        value = '"' + value
    if module == "modprobe" and name == "blacklist" and equals:
        return tuple([Blacklist(piece, SOURCE) for piece in value.split(",")])
    try:
        module = config_word(module)
    except BadNameError as error:
        kmod = f"Ignoring bad option on kernel command line while parsing module name: '{module}'"
        kmod = f"libkmod: ERROR: kcmdline_parse_result: {kmod}"
        return (Complaint(SOURCE, item, str(error), kmod),)
    return (Options(module, (name + equals + value).replace("\t", " "), SOURCE),)


def _is_plain(text: str) -> bool:
    return '"' not in text and text.translate(_BLANKS).find(" ") < 0


def _items(text: str) -> list[str]:
    """Split *text* at white space outside double quotes; what an open quote holds is dropped."""
    items: list[str] = []
    pending = ""
    parts = text.split('"')
    for index, part in enumerate(parts):
        if index % 2:
            pending += f'"{part}"'
            continue
        first, *others = part.translate(_BLANKS).split(" ")
        pending += first
        if others:
            items.append(pending)
            items += others[:-1]
            pending = others[-1]
    if len(parts) % 2:
        items.append(pending)
    return [item for item in items if item]
