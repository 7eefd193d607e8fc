"""One modules directory as a value: what modules it has, by name, alias and symbol.

The binary indexes answer, mapped and read only where asked. Where one that is asked is missing or
damaged, the text file beside it answers; where that is missing too, the module files are scanned.
"""

from __future__ import annotations

import os

from lkm import _text
from lkm._value import Value
from lkm.errors import FileError, FormatError, LkmError, NoTreeError
from lkm.names import ModuleName, module_name_of_path
from lkm.tree import _files
from lkm.tree.trie.index import TrieIndex
from lkm.tree.trie.nodes import EMPTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Final, TypeVar

    from lkm.tree.builtin import Builtin
    from lkm.tree.scan.search import SearchRules

    Item = tuple[str, str, int]  # key, value, priority
    Notify = Callable[[str], None]
    Answer = TypeVar("Answer")

DEP, ALIAS, SYMBOLS = "modules.dep", "modules.alias", "modules.symbols"
BUILTIN, BUILTIN_ALIAS = "modules.builtin", "modules.builtin.alias"
_ALL = (DEP, ALIAS, SYMBOLS, BUILTIN_ALIAS, BUILTIN)
_TEXTS = {BUILTIN_ALIAS: "modules.builtin.modinfo"}  # the others' have their names
_CONFIG_FILES = ("modules.softdep", "modules.weakdep")

_READING = "reading the text files instead"
_SCANNING = "scanning the module files instead"
_MENDS = "(depmod mends this)"
_NO_TREE_REMEDY = "name a root or a release that has one; lsmod and rmmod need none"
_CYCLE_MEANS = "by depmod's rules neither these nor what needs them can be loaded"


class Entry(Value):
    """One module of a tree. *path* and *depends* are paths as in modules.dep.

    *depends* is the closure in the order of modules.dep: the last is to be loaded first. Of a
    module of a dependency cycle it holds all the others, in an order that does not load: so a
    scan finds them, and so lkm's depmod lists them.
    """

    __slots__ = ("depends", "name", "path")

    def __init__(self, name: ModuleName, path: str, depends: tuple[str, ...]) -> None:
        self.name: Final = name
        self.path: Final = path
        self.depends: Final = depends


class Catalog:
    """One modules directory."""

    def __init__(self, directory: str, indexes: Mapping[str, TrieIndex]) -> None:
        self.directory: Final = directory
        self._indexes = dict(indexes)
        self._problems: dict[str, LkmError] = {}
        self._replaced: set[str] = set()
        self._given_up: dict[str, FormatError] = {}
        self._scanned: Mapping[str, bytes] = {}
        self._rules: SearchRules | None = None
        self._on_notice: Notify | None = None
        self._noticed: set[str] = set()

    @classmethod
    def open(
        cls, directory: str, *, rules: SearchRules | None = None, on_notice: Notify | None = None
    ) -> Catalog:
        """Return the tree at *directory*. Nothing is parsed yet.

        *rules* matter only where the tree has to be scanned. *on_notice* is called with a line
        when the text files are first read in place of an index, and when the module files are.
        Raises ``NoTreeError``.
        """
        catalog = cls(_absolute(directory), {})
        catalog._rules, catalog._on_notice = rules, on_notice
        for name in _ALL:
            try:
                catalog._indexes[name] = TrieIndex.open(f"{catalog.directory}/{name}.bin")
            except (FileError, FormatError) as problem:
                catalog._problems[name] = problem
        if catalog._problems and not os.path.isdir(catalog.directory):
            raise NoTreeError(catalog.directory, "no such modules directory", _NO_TREE_REMEDY)
        return catalog

    @classmethod
    def empty(cls, directory: str) -> Catalog:
        """Return a tree without modules, for whoever goes on without the one at *directory*."""
        return cls(_absolute(directory), {name: TrieIndex.from_bytes(EMPTY) for name in _ALL})

    @property
    def source(self) -> str:
        """What has answered so far: ``indexes``, else ``text`` or ``scan`` for some of them."""
        if self._scanned:
            return "scan"
        return "text" if _READING in self._noticed else "indexes"

    @property
    def release(self) -> str:
        """The release of the kernel that the tree belongs to: the directory's name."""
        return os.path.basename(self.directory.rstrip("/"))

    def entry(self, name: str) -> Entry | None:
        """Return the module *name*, None where the tree has none of that name.

        Dashes count as underscores.
        """
        lines = self._ask(DEP, lambda index: index.find(name.replace("-", "_")))
        return _entry(lines[0]) if lines else None

    def entries(self) -> tuple[Entry, ...]:
        """Return all modules, in the order of modules.dep."""
        lines = sorted([(line, text) for _, text, line in self._items(DEP)])
        return tuple([_entry(text) for _, text in lines])

    def file(self, path: str) -> str:
        """Return where the module file is that modules.dep calls *path*.

        Before kmod, depmod wrote absolute paths below /lib/modules/RELEASE: those are taken as
        below this tree, wherever it lies now.
        """
        if not path.startswith("/"):
            return f"{self.directory}/{path}"
        for parent in ("/lib/modules", "/usr/lib/modules"):
            inside = path.removeprefix(f"{parent}/{self.release}/")
            if inside != path:
                return f"{self.directory}/{inside}"
        return path

    def aliases(self, word: str) -> tuple[ModuleName, ...]:
        """Return the modules with an alias that, as a pattern, matches *word*.

        *word* is normalised as by ``names.alias_name``. In the order of modules.dep; a module that
        matches by two aliases is there twice.
        """
        return _names(self._ask(ALIAS, lambda index: index.match(word)))

    def aliases_of_each(self, words: Iterable[str]) -> list[tuple[ModuleName, ...]]:
        """Return what ``aliases`` returns for each of *words*, at a fraction of the cost."""
        return self._match_each(ALIAS, words)

    def symbol_owners(self, word: str) -> tuple[ModuleName, ...]:
        """Return the modules that export a symbol; *word* is ``symbol:NAME``."""
        return _names(self._ask(SYMBOLS, lambda index: index.match(word)))

    def is_builtin(self, name: str) -> bool:
        """Tell whether the module *name* is built into the kernel; dashes count as underscores."""
        return bool(self._ask(BUILTIN, lambda index: index.find(name.replace("-", "_"))))

    def builtin_aliases(self, word: str) -> tuple[ModuleName, ...]:
        """Return the built-in modules with an alias that matches *word*, normalised."""
        return _names(self._ask(BUILTIN_ALIAS, lambda index: index.match(word)))

    def builtin_aliases_of_each(self, words: Iterable[str]) -> list[tuple[ModuleName, ...]]:
        """Return what ``builtin_aliases`` returns for each of *words*."""
        return self._match_each(BUILTIN_ALIAS, words)

    def builtins(self) -> tuple[Builtin, ...]:
        """Return the built-in modules with their modinfo. Raises ``FileError``."""
        from lkm.tree.builtin import read_builtins  # few commands ask

        return read_builtins(self.directory)

    def config_texts(self) -> tuple[tuple[str, str], ...]:
        """Return (path, text) of modules.softdep and modules.weakdep, where they are there.

        modprobe reads them as parts of its configuration. Raises ``FileError``.
        """
        if DEP in self._problems and not self._has_text(DEP):
            self._index(DEP)  # by a scan, which finds these too
        found = []
        for name in _CONFIG_FILES:
            path = f"{self.directory}/{name}"
            data = self._scanned.get(name) or _files.read_if_there(path)
            if data is not None:
                found.append((path, _text.decode(data)))
        return tuple(found)

    def all_aliases(self) -> tuple[Item, ...]:
        """Return all that the index of aliases holds, as ``TrieIndex.items`` gives it."""
        return tuple(self.each_alias())

    def all_symbols(self) -> tuple[Item, ...]:
        """Return all that the index of exported symbols holds."""
        return tuple(self.each_symbol())

    def all_builtin_aliases(self) -> tuple[Item, ...]:
        """Return all that the index of the built-in modules' aliases holds."""
        return tuple(self._items(BUILTIN_ALIAS))

    def each_alias(self) -> Iterator[Item]:
        """Return what ``all_aliases`` does, for who needs each but once."""
        return self._items(ALIAS)

    def each_symbol(self) -> Iterator[Item]:
        """Return what ``all_symbols`` does, for who needs each but once."""
        return self._items(SYMBOLS)

    def close(self) -> None:
        """Unmap the indexes; the catalog is of no use afterwards."""
        for index in self._indexes.values():
            index.close()

    def _items(self, name: str) -> Iterator[Item]:
        return self._ask(name, lambda index: index.items())

    def _match_each(self, name: str, words: Iterable[str]) -> list[tuple[ModuleName, ...]]:
        asked = list(words)
        if not asked:
            return []  # so that an index that is missing is told of only where it is missed
        return [_names(found) for found in self._ask(name, lambda index: index.match_each(asked))]

    def _ask(self, name: str, question: Callable[[TrieIndex], Answer]) -> Answer:
        """Return what the index *name* answers; one that turns out to be damaged is replaced.

        Where what replaces it is of no use either, it is not asked again.
        """
        if name in self._given_up:
            raise self._given_up[name]
        index = self._index(name)
        try:
            return question(index)
        except FormatError as problem:
            if name in self._replaced:
                self._given_up[name] = problem
                raise  # it is no file of the tree
            index.close()
            self._problems[name] = problem
            del self._indexes[name]
        return self._ask(name, question)

    def _index(self, name: str) -> TrieIndex:
        if name not in self._indexes:
            self._replaced.add(name)
            self._indexes[name] = self._replacement(name)
        return self._indexes[name]

    def _replacement(self, name: str) -> TrieIndex:
        if self._has_text(name) and not self._scanned:
            self._notice(_READING, self._reason(name), f"{_READING} {_MENDS}")
            return self._from_text(name)
        if not self._scanned:
            if name in (BUILTIN, BUILTIN_ALIAS):
                return TrieIndex.from_bytes(EMPTY)  # there is nothing else to make one of
            self._scan(name)
        return TrieIndex.from_bytes(self._scanned[f"{name}.bin"])

    def _has_text(self, name: str) -> bool:
        return os.path.isfile(f"{self.directory}/{_TEXTS.get(name, name)}")

    def _scan(self, name: str) -> None:
        # Here, since a tree with indexes needs none of this.
        from lkm.cache import default_cache
        from lkm.tree.depmod.indexes import build_indexes

        built = build_indexes(self.directory, rules=self._rules, cache=default_cache())
        reason = self._reason(name)
        if built.cycle is None:
            self._notice(_SCANNING, reason, f"{_SCANNING} {_MENDS}")
        else:
            self._notice(_SCANNING, reason, _SCANNING, built.cycle.problem, _CYCLE_MEANS)
        self._scanned = built.files

    def _reason(self, name: str) -> str:
        return _reason(self._problems[name], f"{name}.bin")

    def _notice(self, way: str, *parts: str) -> None:
        """Tell once of each *way* to go without an index."""
        if way not in self._noticed and self._on_notice is not None:
            self._on_notice(f"{self.directory}: {'; '.join(parts)}")
        self._noticed.add(way)

    def _from_text(self, name: str) -> TrieIndex:
        # Here, since a tree with sound indexes needs none of this.
        from lkm.tree import from_text

        path = f"{self.directory}/{_TEXTS.get(name, name)}"
        data = _files.read_if_there(path) or b""
        if name == DEP:
            entries = from_text.dep_entries(data)
        elif name == BUILTIN:
            entries = from_text.builtin_entries(data)
        elif name == BUILTIN_ALIAS:
            entries = from_text.builtin_alias_entries(data)
        else:
            names = [entry.name for entry in self.entries()]
            entries = from_text.alias_entries(data, names, normalised=name == ALIAS)
        return from_text.index_of(entries, path)


def _absolute(directory: str) -> str:
    # As kmod makes it: put behind the working directory and not simplified.
    return directory if directory.startswith("/") else f"{os.getcwd()}/{directory}"


def _reason(problem: LkmError, name: str) -> str:
    if isinstance(problem, FileError):
        return f"{name} cannot be read ({os.strerror(problem.errno)})"
    assert isinstance(problem, FormatError)
    return f"{name} is no usable index ({problem.problem})"


def _entry(line: str) -> Entry:
    path, _, depends = line.partition(":")
    return Entry(
        module_name_of_path(path), path, tuple([part for part in depends.split(" ") if part])
    )


def _names(values: tuple[str, ...]) -> tuple[ModuleName, ...]:
    return tuple([ModuleName(value) for value in values])
