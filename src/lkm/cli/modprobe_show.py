"""What modprobe shows without loading anything: -R, -c, --show-modversions, --show-exports."""

from __future__ import annotations

import errno
import os

from lkm.errors import FileError
from lkm.module.facts import Module
from lkm.report.config import config_lines
from lkm.resolve.lookup import lookup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.cli.console import Console
    from lkm.cli.options import Parsed
    from lkm.cli.target import Target

_END_OF_CONFIGURATION = "# End of configuration files. Dumping indexes now:"
_NO_SYMBOLS = os.strerror(errno.ENODATA)


def config(parsed: Parsed, target: Target, console: Console) -> int:
    """Print the configuration in effect and the alias and symbol indexes."""
    settings, catalog = target.settings(), target.catalog()
    if parsed.has("json"):
        from lkm.report.documents.plans import config_document  # noqa: PLC0415  # only --json needs it
        from lkm.report.documents.writing import write  # noqa: PLC0415  # only --json needs it

        aliases, symbols = catalog.alias_index.items(), catalog.symbol_index.items()
        write(config_document(settings, aliases, symbols), console.out)
        return 0
    lines = [*config_lines(settings), "", _END_OF_CONFIGURATION, "", ""]
    console.out.write("\n".join(lines))
    for index in (catalog.alias_index, catalog.symbol_index):
        lines = [f"alias {key} {value}\n" for key, value, _ in index.items()]
        console.out.write("".join(lines))
    return 0


def alias(parsed: Parsed, target: Target, console: Console) -> int:
    """Print the modules that each word stands for."""
    for word in parsed.arguments if parsed.has("all") else parsed.arguments[:1]:
        found = lookup(word, target.catalog(), target.settings())
        if not found and not parsed.has("quiet"):
            level = "WARNING" if parsed.has("all") else "FATAL"
            console.say(level, f"Module {word} not found in directory {target.directory}")
        if not found:
            console.failed = True
        if parsed.has("json"):
            from lkm.report.documents.plans import names_document  # noqa: PLC0415  # only --json needs it
            from lkm.report.documents.writing import write  # noqa: PLC0415  # only --json needs it

            names = [each.name for each in found]
            write(names_document(word, names), console.out)
            continue
        for each in found:
            console.out.write(f"{each.name}\n")
    return 1 if console.failed else 0


def modversions(parsed: Parsed, target: Target, console: Console) -> int:
    """Print symbols and CRCs that the module needs, as its ``__versions`` has them."""
    return _symbols("modversions", parsed, target, console)


def exports(parsed: Parsed, target: Target, console: Console) -> int:
    """Print symbols that the module offers, with CRCs; 0 where it has none."""
    return _symbols("symbols", parsed, target, console)


def _symbols(what: str, parsed: Parsed, target: Target, console: Console) -> int:
    word = parsed.arguments[0]
    path = _file_of(word, target)
    if not path:
        console.say("FATAL", f"Module {word} not found.")
        return 1
    try:
        with Module.open(path) as module:
            rows: list[tuple[str, int | None]]
            if what == "symbols":
                rows = [(export.name, export.crc) for export in module.exports]
            else:
                rows = [(version.name, version.crc) for version in module.versions]
    except FileError as error:
        console.say("FATAL", f"could not get {what} of {word}: {os.strerror(error.errno)}")
        return 1
    if not rows:
        console.say("FATAL", f"could not get {what} of {word}: {_NO_SYMBOLS}")
        return 1
    if parsed.has("json"):
        from lkm.report.documents.modinfo import symbols_document  # noqa: PLC0415  # only --json needs it
        from lkm.report.documents.writing import write  # noqa: PLC0415  # only --json needs it

        write(symbols_document(path, rows), console.out)
        return 0
    console.out.write("".join(f"0x{crc or 0:08x}\t{name}\n" for name, crc in rows))
    return 0


def _file_of(word: str, target: Target) -> str:
    if word.startswith(("/", "./")):
        return word
    catalog = target.catalog()
    for found in lookup(word, catalog, target.settings()):
        entry = catalog.entry(found.name)
        if entry is not None:
            return catalog.file(entry.path)
    return ""


SHOWS = {"show_alias": alias, "show_modversions": modversions, "show_exports": exports}
