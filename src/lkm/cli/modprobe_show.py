"""What modprobe shows without loading anything: -R, -c, --show-modversions, --show-exports."""

from __future__ import annotations

import errno
import os

from lkm.cli.console import errno_of, one_line
from lkm.errors import FileError, FormatError, LkmError, NoSuchModuleError, NoTreeError
from lkm.names import module_name_of_path
from lkm.resolve.lookup import Found, lookup, lookup_each
from lkm.tree.catalog import Catalog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lkm.cli.console import Console
    from lkm.cli.options import Parsed
    from lkm.cli.target import Target
    from lkm.config.settings import Settings
    from lkm.module.facts import Module

_END_OF_CONFIGURATION = "# End of configuration files. Dumping indexes now:"
_NO_SYMBOLS = os.strerror(errno.ENODATA)


def config(_parsed: Parsed, target: Target, console: Console) -> int:
    """Print the configuration in effect and the alias and symbol indexes."""
    settings, catalog = target.settings(), _catalog(target)
    if console.json:
        from lkm.report.documents.plans import config_document

        aliases, symbols = catalog.all_aliases(), catalog.all_symbols()
        console.document = config_document(settings, aliases, symbols)
        return 0
    from lkm.report.config import config_lines  # -R needs none of it

    lines = [*config_lines(settings), "", _END_OF_CONFIGURATION, "", ""]
    console.out.write("\n".join(lines))
    for items in (catalog.each_alias, catalog.each_symbol):
        console.out.write("".join([f"alias {key} {value}\n" for key, value, _ in items()]))
    return 0


def alias(parsed: Parsed, target: Target, console: Console) -> int:
    """Print the modules that each word stands for."""
    answers: dict[str, tuple[Found, ...]] = {}
    failed: dict[str, LkmError] = {}
    catalog = _catalog(target)
    words = parsed.arguments if parsed.has("all") else parsed.arguments[:1]
    for word, found in zip(words, _found_each(words, catalog, target.settings()), strict=True):
        answers[word] = found
        if not found:
            failed[word] = console.cause = _not_found(word, catalog, target)
            console.say(_level(parsed), _not_found_text(word, catalog))
        elif not console.json:
            console.out.write("".join([f"{each.name}\n" for each in found]))
    if console.json:
        from lkm.report.documents.lookups import lookup_document

        console.document = lookup_document(answers, failed, catalog)
    return 1 if failed else 0


def _found_each(
    words: Sequence[str], catalog: Catalog, settings: Settings
) -> Iterable[tuple[Found, ...]]:
    try:
        found = iter(lookup_each([word for word in words if not _is_path(word)], catalog, settings))
    except LkmError:
        # What cannot be read is to be told of behind the words that are found without it.
        found = (lookup(word, catalog, settings) for word in words if not _is_path(word))
    return (_file(word) if _is_path(word) else next(found) for word in words)


def _file(path: str) -> tuple[Found, ...]:
    return (Found(module_name_of_path(path), "", "file"),) if os.path.exists(path) else ()


def _level(parsed: Parsed) -> str:
    return "WARNING" if parsed.has("all") else "FATAL"


def _not_found(word: str, catalog: Catalog, target: Target) -> LkmError:
    if _is_path(word):
        return FileError("read", word, errno.ENOENT)
    return _no_tree(target) or NoSuchModuleError(word, catalog.directory)


def _no_tree(target: Target) -> NoTreeError | None:
    try:
        target.catalog()
    except NoTreeError as error:
        return error
    return None


def _not_found_text(word: str, catalog: Catalog) -> str:
    if _is_path(word):
        return f"Failed to get module from path {word}: {os.strerror(errno.ENOENT)}"
    return f"Module {word} not found in directory {catalog.directory}"


def _is_path(word: str) -> bool:
    return word.startswith(("/", "./"))


def _catalog(target: Target) -> Catalog:
    """Return the tree; an empty one where there is none, whose configuration is there anyway."""
    try:
        return target.catalog()
    except NoTreeError as error:
        return Catalog.empty(error.directory)


def modversions(parsed: Parsed, target: Target, console: Console) -> int:
    """Print symbols and CRCs that the module needs, as its ``__versions`` has them."""
    return _symbols("modversions", parsed, target, console)


def exports(parsed: Parsed, target: Target, console: Console) -> int:
    """Print symbols that the module offers, with CRCs; 0 where it has none."""
    return _symbols("symbols", parsed, target, console)


def _symbols(what: str, parsed: Parsed, target: Target, console: Console) -> int:
    from lkm.module.facts import Module  # -R and -c need none of it

    word = parsed.arguments[0]
    level = _level(parsed)
    path = _file_of(word, target)
    if not os.path.exists(path):
        console.cause = _not_found(word, _catalog(target), target)
        console.say(level, f"Module {word} not found.")
        return 1
    try:
        with Module.open(path) as module:
            rows = _rows(what, module)
    except (FileError, FormatError) as error:
        console.cause = error
        console.say(level, f"could not get {what} of {word}: {os.strerror(errno_of(error))}")
        if isinstance(error, FormatError):
            console.hint(one_line(error))
        return 1
    if not rows:
        console.cause = FormatError("module", f"it has no {what}", path=path, remedy="")
        console.say(level, f"could not get {what} of {word}: {_NO_SYMBOLS}")
        return 1
    if console.json:
        from lkm.report.documents.modinfo import symbols_document

        console.document = symbols_document(
            "modversions" if what == "modversions" else "exports", path, rows
        )
        return 0
    console.out.write("".join(f"0x{crc or 0:08x}\t{name}\n" for name, crc in rows))
    return 0


def _rows(what: str, module: Module) -> list[tuple[str, int | None]]:
    if what == "modversions":
        return [(version.name, version.crc) for version in module.versions]
    from lkm.module.scan import scan  # see above

    # In the order of the symbol table, as in kmod; not in that of the export tables.
    seen = scan(module.elf, with_crcs=True)
    return [*zip(seen.exports, seen.crcs, strict=True)]


def _file_of(word: str, target: Target) -> str:
    if "/" in word or os.path.isfile(word):
        return word
    catalog = _catalog(target)
    for found in lookup(word, catalog, target.settings()):
        entry = catalog.entry(found.name)
        if entry is not None:
            return catalog.file(entry.path)
    return ""


SHOWS = {
    "show_config": config,
    "show_modversions": modversions,
    "show_exports": exports,
    "show_alias": alias,
}
