"""lkm modinfo: show what a module file says of itself."""

from __future__ import annotations

import os

from lkm.cli.console import one_line
from lkm.cli.dropin import HELP, JSON, ON, VERSION, Command
from lkm.cli.options import Option
from lkm.errors import LkmError, NoTreeError
from lkm.module.facts import Module
from lkm.module.modinfo import parameters
from lkm.names import is_module_file
from lkm.report import text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lkm.cli.console import Console
    from lkm.cli.options import Parsed
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
        Option("field", "F", ("field",), "only the values of this key", argument="KEY"),
        Option("null", "0", ("null",), "end entries with NUL, not newline"),
        Option("modname", "m", ("modname",), "MODULE is a name, never an alias or a file"),
        Option("release", "k", ("set-version",), "another kernel's modules", argument="RELEASE"),
        Option("basedir", "b", ("basedir",), "another file system root", argument="ROOT"),
        ON,
        JSON,
        VERSION,
        HELP,
    ),
)


def run(parsed: Parsed, console: Console) -> int:
    """Print each module's facts; return 1 if any could not be had."""
    if not parsed.arguments:
        console.error("missing module or filename.")
        return 1
    request = _Request(parsed, console)
    described: list[dict[str, object]] = []
    for word in parsed.arguments:
        for subject in _subjects(word, request, console):
            if request.json:
                described.append(_described(subject, request, console))
            else:
                _print(subject, request, console)
    if request.json:
        from lkm.report.documents.modinfo import modinfo_document  # noqa: PLC0415  # only --json needs it
        from lkm.report.documents.writing import write  # noqa: PLC0415  # only --json needs it

        write(modinfo_document(described), console.out)
    return 1 if console.failed else 0


class _Request:
    """What of each module is wanted, in which form, and from which tree."""

    def __init__(self, parsed: Parsed, console: Console) -> None:
        wanted = {option.key for option in _FIELDS} | {"field"}
        self.field = ""
        for key, value in parsed.given:
            if key in wanted:
                self.field = value if key == "field" else key
        self.end = "\0" if parsed.has("null") else "\n"
        self.json = parsed.has("json")
        self.by_name_only = parsed.has("modname")
        self._parsed = parsed
        self._console = console
        self._catalog: Catalog | None = None
        self._builtins: dict[ModuleName, Builtin] | None = None

    def catalog(self) -> Catalog:
        """Return the tree that names are looked up in. Raises ``NoTreeError``."""
        if self._catalog is None:
            from lkm.cli.target import Target  # noqa: PLC0415  # files need no tree

            root, release = self._parsed.last("basedir"), self._parsed.last("release")
            on = self._parsed.last("on")
            self._catalog = Target(on, self._console, root=root, release=release).catalog()
        return self._catalog

    def builtin(self, name: ModuleName) -> Builtin | None:
        """Return what the kernel says of a module compiled into it."""
        if self._builtins is None:
            self._builtins = {each.name: each for each in self.catalog().builtins()}
        return self._builtins.get(name)


def _subjects(word: str, request: _Request, console: Console) -> Iterator[str | Builtin]:
    """Yield the file, or the built-in module, of everything that *word* means."""
    if not request.by_name_only and is_module_file(word) and os.path.isfile(word):
        # As given, not simplified: /cwd/./x.ko.
        yield word if word.startswith("/") else f"{os.getcwd()}/{word}"
        return
    try:
        names = _names(word, request)
    except NoTreeError as error:
        console.error(f"Module {word} not found; {one_line(error)}")
        return
    if not names:
        console.error(f"Module {word} not found.")
    for name in names:
        entry = request.catalog().entry(name)
        subject = request.builtin(name) if entry is None else request.catalog().file(entry.path)
        if subject is None:
            console.error(f"Module {name} not found.")
        else:
            yield subject


def _names(word: str, request: _Request) -> tuple[ModuleName, ...]:
    # Here, since the facts of a file take none of this.
    from lkm.config.settings import Settings  # noqa: PLC0415
    from lkm.resolve.lookup import lookup, lookup_name  # noqa: PLC0415

    if request.by_name_only:
        found = lookup_name(word, request.catalog())
    else:
        # modinfo reads no modprobe.d: an alias there renames a module for modprobe only.
        found = lookup(word, request.catalog(), Settings())
    return tuple(each.name for each in found)


def _print(subject: str | Builtin, request: _Request, console: Console) -> None:
    if request.field == "filename":
        filename = subject if isinstance(subject, str) else "(builtin)"
        console.out.write(filename + request.end)
        return
    if not isinstance(subject, str):
        console.out.write(_builtin_text(subject, request))
        return
    if not request.field:
        # The name stands even where the rest cannot be read, as in kmod.
        try:
            with Module.open(subject) as module:
                console.out.write(text.modinfo_text(module, subject, end=request.end))
        except LkmError as error:
            console.out.write(f"{'filename:':<16}{subject}{request.end}")
            console.complain(error)
        return
    try:
        with Module.open(subject) as module:
            console.out.write(_field_text(module, request))
    except LkmError as error:
        console.complain(error)


def _field_text(module: Module, request: _Request) -> str:
    if request.field == "parm":
        values = text.parameter_field_texts(module.parameters)
    elif request.field in _SIGNATURE_KEYS:
        entries = text.all_entries(module)
        values = [value for key, value in entries if key == request.field]
    else:
        values = list(module.values(request.field))
    return "".join(value + request.end for value in values)


_SIGNATURE_KEYS = ("build-id", "sig_id", "signer", "sig_key", "sig_hashalgo", "signature")


def _builtin_text(builtin: Builtin, request: _Request) -> str:
    declared = parameters(builtin.modinfo)
    if not request.field:
        return text.builtin_text(builtin, declared, end=request.end)
    if request.field == "parm":
        values = text.parameter_field_texts(declared)
    else:
        values = [value for key, value in builtin.modinfo if key == request.field]
    return "".join(value + request.end for value in values)


def _described(subject: str | Builtin, request: _Request, console: Console) -> dict[str, object]:
    from lkm.report.documents.modinfo import builtin_facts, module_facts  # noqa: PLC0415  # only --json needs it
    from lkm.report.documents.writing import error_facts  # noqa: PLC0415  # only --json needs it

    if not isinstance(subject, str):
        return builtin_facts(subject, parameters(subject.modinfo))
    try:
        with Module.open(subject) as module:
            return module_facts(module, subject, field=request.field)
    except LkmError as error:
        console.complain(error)
        return {"path": subject, "error": error_facts(error)}
