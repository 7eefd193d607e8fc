"""lkm modinfo: show what a module file says of itself."""

from __future__ import annotations

import os

from lkm.cli.console import errno_of
from lkm.cli.dropin import HELP, JSON, NO_CACHE, ON, VERSION, Command
from lkm.cli.modinfo_facts import (
    builtin_values,
    described,
    file_values,
    must_be_a_module,
    unreadable,
)
from lkm.cli.options import Option
from lkm.errors import (
    BadNameError,
    LkmError,
    NoSuchModuleError,
    NoTreeError,
)
from lkm.module.modinfo import nameless_parameters
from lkm.names import alias_name, is_module_file, module_name_of_path
from lkm.report import text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lkm.cli.console import Console
    from lkm.cli.options import Parsed
    from lkm.cli.target import Target
    from lkm.module.modinfo import Entries
    from lkm.names import ModuleName
    from lkm.tree.builtin import Builtin
    from lkm.tree.catalog import Catalog

_FIELDS = (
    Option("author", "a", ("author",), "only the authors"),
    Option("description", "d", ("description",), "only the description"),
    Option("license", "l", ("license",), "only the licence"),
    Option("parm", "p", ("parameters",), "only the parameters"),
    Option("filename", "n", ("filename",), "only the file's name"),
)

COMMAND = Command(
    "modinfo",
    "modinfo [OPTION...] MODULE...",
    "Show what each MODULE, a name, an alias or a module file, says of itself.",
    (
        *_FIELDS,
        Option(
            "field",
            "F",
            ("field",),
            "only the values of this key, such as depends, alias or vermagic",
            argument="KEY",
        ),
        Option("null", "0", ("null",), "end each entry with a NUL byte instead of a newline"),
        Option(
            "modname", "m", ("modname",), "take MODULE for a name, never for an alias or a file"
        ),
        Option(
            "release",
            "k",
            ("set-version",),
            "the modules of this kernel instead of the running one's",
            argument="RELEASE",
        ),
        Option(
            "basedir",
            "b",
            ("basedir",),
            "take ROOT/lib/modules instead of /lib/modules",
            argument="ROOT",
        ),
        ON,
        NO_CACHE,
        JSON,
        VERSION,
        HELP,
    ),
    words=("KNOWN...",),
)

# From so many files on another way of reading them is faster, however long it takes to import.
_MANY = 8


def run(parsed: Parsed, console: Console) -> int:
    """Print each module's facts; return 1 if any could not be had."""
    if not parsed.arguments:
        console.misused("missing module or filename.")
        return 1
    request = _Request(parsed, console)
    entries: list[dict[str, object]] = []
    words = parsed.arguments
    for word, told in zip(words, _told_ahead(words, request, console), strict=True):
        if isinstance(told, str):
            console.out.write(told)
        elif told is not None:
            entries.append({"word": word, **told})
        else:
            entries += _one_by_one(word, request, console)
    if console.json:
        from lkm.report.documents.modinfo import modinfo_document

        console.document = modinfo_document(entries)
    return 1 if console.failed else 0


def _told_ahead(
    words: Sequence[str], request: _Request, console: Console
) -> Iterator[str | dict[str, object] | None]:
    """Yield what is told of each word that means an ordinary module file; None for all others."""
    if len(words) < _MANY or request.field == "filename":
        return iter([None] * len(words))
    from lkm.cli.modinfo_many import files_ahead, told_ahead  # one is told as fast without it

    files = files_ahead(words, request.quiet_directory(), by_name_only=request.by_name_only)
    return told_ahead(files, request.field, request.end, json=console.json)


def _one_by_one(word: str, request: _Request, console: Console) -> Iterator[dict[str, object]]:
    """Tell of all that *word* means; yield it for the JSON document."""
    for subject in _subjects(word, request, console):
        facts = _told(subject, request, console)
        if facts is not None:
            yield {"word": word, **facts}


def _told(
    subject: str | Builtin | LkmError, request: _Request, console: Console
) -> dict[str, object] | None:
    """Print what there is to tell of *subject*; for the JSON document return it instead."""
    if isinstance(subject, LkmError):
        return unreadable(None, subject) if console.json else None
    try:
        if console.json:
            return described(subject, request.field)
        _print(subject, request, console)
    except LkmError as error:
        _complain(subject, error, console)
        return unreadable(subject, error) if console.json else None
    return None


class _Request:
    """What of each module is wanted, in which form, and from which tree."""

    def __init__(self, parsed: Parsed, console: Console) -> None:
        wanted = {option.key for option in _FIELDS} | {"field"}
        self.field: str | None = None
        for key, value in parsed.given:
            if key in wanted:
                self.field = value if key == "field" else key
        self.end = "\0" if parsed.has("null") else "\n"
        self.by_name_only = parsed.has("modname")
        self._parsed = parsed
        self._console = console
        self._catalog: Catalog | None = None
        self._builtins: dict[ModuleName, Builtin] | None = None

    def catalog(self) -> Catalog:
        """Return the tree that names are looked up in. Raises ``NoTreeError``."""
        if self._catalog is None:
            self._catalog = self._target().catalog()
        return self._catalog

    def quiet_directory(self) -> str:
        """Return the tree's directory; none where more than the arguments is asked for it."""
        if self._parsed.last("on") == "sandbox":
            return ""  # it may have to boot first, which is told in its turn
        try:
            return self._target().directory
        except NoTreeError:
            return ""

    def _target(self) -> Target:
        from lkm.cli.target import Target  # files need no tree

        parsed, release = self._parsed, None
        if parsed.has("release"):
            release = parsed.last("release")
        root, on = parsed.last("basedir"), parsed.last("on")
        return Target(on, self._console, root=root, release=release)

    def builtin(self, name: ModuleName) -> Builtin | None:
        """Return what the kernel says of a module compiled into it."""
        if self._builtins is None:
            # Of several with one name the first counts.
            self._builtins = {each.name: each for each in reversed(self.catalog().builtins())}
        return self._builtins.get(name)


def _subjects(word: str, request: _Request, console: Console) -> Iterator[str | Builtin | LkmError]:
    """Yield the file, or the built-in module, of everything that *word* means.

    Where there is none, say so, and yield the error.
    """
    if not request.by_name_only and is_module_file(word) and os.path.isfile(word):
        # As given, not simplified: /cwd/./x.ko.
        yield word if word.startswith("/") else f"{os.getcwd()}/{word}"
        return
    try:
        names = _names(word, request)
    except NoTreeError as error:
        console.failed_by(_not_found(word, request), error)
        yield error
        return
    if not names:
        missing = NoSuchModuleError(word, request.catalog().directory)
        console.error(_not_found(word, request), missing)
        yield missing
    for name in names:
        entry = request.catalog().entry(name)
        subject = request.builtin(name) if entry is None else request.catalog().file(entry.path)
        if subject is None:
            missing = NoSuchModuleError(name, request.catalog().directory)
            console.error(f"Module {name} not found.", missing)
            yield missing
        else:
            yield subject


def _not_found(word: str, request: _Request) -> str:
    """Return kmod's words for it: it tells names from aliases where it knows what is meant."""
    if request.by_name_only:
        return f"Module name {word} not found."
    try:
        alias_name(word)
    except BadNameError:
        return f"Module alias {word} not found."
    return f"Module {word} not found."


def _names(word: str, request: _Request) -> tuple[ModuleName, ...]:
    # Here, since the facts of a file take none of this.
    from lkm.config.settings import Settings
    from lkm.resolve.lookup import lookup, lookup_name

    if request.by_name_only:
        found = lookup_name(word, request.catalog())
    else:
        # modinfo reads no modprobe.d: an alias there renames a module for modprobe only.
        found = lookup(word, request.catalog(), Settings())
    return tuple(each.name for each in found)


def _print(subject: str | Builtin, request: _Request, console: Console) -> None:
    from lkm.module.facts import Module  # many files are read without it

    out, end = console.out, request.end
    if not isinstance(subject, str):
        _complain_of_parameters(subject.modinfo, request, console)
        if request.field is None:
            out.write(text.builtin_text(subject, end=end))
        else:
            out.write("".join([value + end for value in builtin_values(subject, request.field)]))
    elif request.field == "filename":  # told without opening it
        out.write(subject + end)
    elif request.field is not None:
        with Module.open(subject) as module:
            out.write("".join([value + end for value in file_values(module, request.field)]))
            _complain_of_parameters(module.modinfo, request, console)
    else:
        # The name stands even where the rest cannot be read, as in kmod.
        shown = text.filename_line(subject) + end
        try:
            with Module.open(subject) as module:
                must_be_a_module(module)
                shown = text.modinfo_text(module, subject, end=end)
                _complain_of_parameters(module.modinfo, request, console)
        finally:
            out.write(shown)


def _complain_of_parameters(entries: Entries, request: _Request, console: Console) -> None:
    """Name the entries that declare no parameter, where they are shown; it is no failure."""
    if request.field in (None, "parm"):
        for entry in nameless_parameters(entries):
            text = f"Found invalid \"{entry}\": missing ':'"
            console.raw(f"{console.program}: ERROR: {text}", "ERROR", text)


def _complain(subject: str | Builtin, error: LkmError, console: Console) -> None:
    """Say in kmod's words that a file could not be read, and then why."""
    path = subject if isinstance(subject, str) else subject.path
    name = module_name_of_path(path)
    number = errno_of(error)
    console.failed_by(f"could not get modinfo from '{name}': {os.strerror(number)}", error)
