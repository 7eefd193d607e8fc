"""One modules directory as a value: what modules it has, by name, alias and symbol.

The binary indexes answer, mapped and read only where asked. Where one of them is missing or is no
such index, the text file beside it does; where that is missing too, the module files are scanned.
"""

from __future__ import annotations

import os

from lkm import _text
from lkm._value import Value
from lkm.errors import BadNameError, FileError, FormatError, LkmError, NoTreeError
from lkm.names import ModuleName, alias_name, module_name_of_path
from lkm.tree import _files
from lkm.tree.trie import TrieIndex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Final

    from lkm.tree.builtin import Builtin
    from lkm.tree.search import SearchRules

DEP, ALIAS, SYMBOLS = "modules.dep", "modules.alias", "modules.symbols"
BUILTIN, BUILTIN_ALIAS = "modules.builtin", "modules.builtin.alias"
_CONFIG_FILES = ("modules.softdep", "modules.weakdep")

_NO_TREE_REMEDY = "name a root or a release that has one; lsmod and rmmod need none"
_CYCLE_MEANS = "by depmod's rules neither these nor what needs them can be loaded"


class Entry(Value):
    """One module of a tree. *path* and *depends* are paths as in modules.dep.

    *depends* is the closure in the order of modules.dep: the last is to be loaded first. Of a
    module of a dependency cycle, which only a scan can meet, it holds all the others, in an order
    that does not load.
    """

    __slots__ = ("depends", "name", "path")

    def __init__(self, name: ModuleName, path: str, depends: tuple[str, ...]) -> None:
        self.name: Final = name
        self.path: Final = path
        self.depends: Final = depends


class Catalog:
    """One modules directory. *source* says what answers: ``indexes``, ``text`` or ``scan``.

    *notice* is empty, or one line that says why the indexes do not answer, and which modules
    need each other, where a scan met some.
    """

    def __init__(
        self,
        directory: str,
        source: str,
        notice: str,
        indexes: Mapping[str, TrieIndex],
        scanned: Mapping[str, bytes],
    ) -> None:
        self.directory: Final = directory
        self.source: Final = source
        self.notice: Final = notice
        self._indexes = dict(indexes)
        self._scanned = scanned

    @classmethod
    def open(cls, directory: str, *, rules: SearchRules | None = None) -> Catalog:
        """Return the tree at *directory*. Nothing is parsed yet where its indexes are sound.

        *rules* matter only where the tree has to be scanned. Raises ``NoTreeError``, and what a
        scan raises.
        """
        directory = _absolute(directory)
        indexes: dict[str, TrieIndex] = {}
        reason = ""
        for name in (DEP, ALIAS, SYMBOLS, BUILTIN_ALIAS, BUILTIN):
            try:
                indexes[name] = TrieIndex.open(f"{directory}/{name}.bin")
            except (FileError, FormatError) as problem:
                # Those of the built-ins can be made at once from files that the build put there.
                if not reason and name not in (BUILTIN, BUILTIN_ALIAS):
                    reason = _reason(problem, f"{name}.bin")
        if not reason:
            return cls(directory, "indexes", "", indexes, {})
        if not os.path.isdir(directory):
            raise NoTreeError(directory, "no such modules directory", _NO_TREE_REMEDY)
        missing = [name for name in (DEP, ALIAS, SYMBOLS) if name not in indexes]
        if all(os.path.isfile(f"{directory}/{name}") for name in missing):
            notice = f"{directory}: {reason}; reading the text files instead (depmod mends this)"
            return cls(directory, "text", notice, indexes, {})
        return cls._scan(directory, f"{reason}; scanning the module files instead", rules)

    @classmethod
    def from_scan(cls, directory: str, *, rules: SearchRules | None = None) -> Catalog:
        """Return the tree at *directory* as its module files are now, whatever its indexes say.

        Raises ``NoTreeError`` and ``FileError``.
        """
        directory = _absolute(directory)
        if not os.path.isdir(directory):
            raise NoTreeError(directory, "no such modules directory", _NO_TREE_REMEDY)
        return cls._scan(directory, "", rules)

    @classmethod
    def empty(cls, directory: str) -> Catalog:
        """Return a tree without modules, for whoever goes on without the one at *directory*."""
        return cls(directory, "text", "", {}, {})

    @classmethod
    def _scan(cls, directory: str, reason: str, rules: SearchRules | None) -> Catalog:
        # Here, since only a tree without indexes needs what reads module files.
        from lkm.tree.depmod import build_indexes

        built = build_indexes(directory, rules=rules)
        if built.cycle is not None:
            parts = [part for part in (reason, built.cycle.problem, _CYCLE_MEANS) if part]
            notice = f"{directory}: {'; '.join(parts)}"
        else:
            notice = f"{directory}: {reason} (depmod mends this)" if reason else ""
        files = built.files
        names = (DEP, ALIAS, SYMBOLS, BUILTIN_ALIAS, BUILTIN)
        indexes = {name: TrieIndex.from_bytes(files[f"{name}.bin"]) for name in names}
        return cls(directory, "scan", notice, indexes, files)

    @property
    def release(self) -> str:
        """The release of the kernel that the tree belongs to: the directory's name."""
        return os.path.basename(self.directory.rstrip("/"))

    def entry(self, name: str) -> Entry | None:
        """Return the module *name*, None where the tree has none of that name.

        Dashes count as underscores.
        """
        lines = self._index(DEP).find(name.replace("-", "_"))
        return _entry(lines[0]) if lines else None

    def entries(self) -> tuple[Entry, ...]:
        """Return all modules, in the order of modules.dep."""
        lines = sorted([(line, text) for _, text, line in self._index(DEP).items()])
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

    def name_of(self, path: str) -> ModuleName:
        """Return the name of the module that modules.dep lists as *path*."""
        return module_name_of_path(path)

    def aliases(self, word: str) -> tuple[ModuleName, ...]:
        """Return the modules with an alias that, as a pattern, matches *word*.

        *word* is normalised as by ``names.alias_name``. In the order of modules.dep; a module that
        matches by two aliases is there twice.
        """
        return _names(self._index(ALIAS).match(word))

    def symbol_owners(self, word: str) -> tuple[ModuleName, ...]:
        """Return the modules that export a symbol; *word* is ``symbol:NAME``."""
        return _names(self._index(SYMBOLS).match(word))

    def is_builtin(self, name: str) -> bool:
        """Tell whether the module *name* is built into the kernel; dashes count as underscores."""
        return bool(self._index(BUILTIN).find(name.replace("-", "_")))

    def builtin_aliases(self, word: str) -> tuple[ModuleName, ...]:
        """Return the built-in modules with an alias that matches *word*, normalised."""
        return _names(self._index(BUILTIN_ALIAS).match(word))

    def builtins(self) -> tuple[Builtin, ...]:
        """Return the built-in modules with their modinfo. Raises ``FileError``."""
        from lkm.tree.builtin import read_builtins  # few commands ask

        return read_builtins(self.directory)

    def config_texts(self) -> tuple[tuple[str, str], ...]:
        """Return (path, text) of modules.softdep and modules.weakdep, where they are there.

        modprobe reads them as parts of its configuration. Raises ``FileError``.
        """
        found = []
        for name in _CONFIG_FILES:
            path = f"{self.directory}/{name}"
            data = self._scanned.get(name)
            if data is None and not self._scanned:
                data = _files.read_if_there(path)
            if data is not None:
                found.append((path, _text.decode(data)))
        return tuple(found)

    @property
    def alias_index(self) -> TrieIndex:
        """The index of aliases, for whoever prints all of it."""
        return self._index(ALIAS)

    @property
    def symbol_index(self) -> TrieIndex:
        """The index of exported symbols, for whoever prints all of it."""
        return self._index(SYMBOLS)

    @property
    def builtin_alias_index(self) -> TrieIndex:
        """The index of the built-in modules' aliases, for whoever looks through all of it."""
        return self._index(BUILTIN_ALIAS)

    def close(self) -> None:
        """Unmap the indexes; the catalog is of no use afterwards."""
        for index in self._indexes.values():
            index.close()

    def _index(self, name: str) -> TrieIndex:
        found = self._indexes.get(name)
        if found is None:
            found = self._indexes[name] = self._from_text(name)
        return found

    def _from_text(self, name: str) -> TrieIndex:
        # Here, since a tree with sound indexes needs none of this.
        from lkm.tree import builtin, tables
        from lkm.tree.trie_writer import build_index

        source = f"{name}.modinfo".replace(".alias", "") if name == BUILTIN_ALIAS else name
        path = f"{self.directory}/{source}"
        data = _files.read_if_there(path) or b""
        entries: Iterable[tuple[str, str, int]]
        if name == DEP:
            entries = _dep_entries(tables.parse_dep(data))
        elif name == BUILTIN:
            entries = builtin.index_entries(data)
        elif name == BUILTIN_ALIAS:
            entries = _normalised(builtin.alias_entries(data))
        else:
            ranks = {entry.name: rank for rank, entry in enumerate(self.entries())}
            entries = _ranked(tables.parse_aliases(data), ranks)
            if name == ALIAS:
                entries = _normalised(entries)
        sound = [item for item in entries if item[0].isascii() and item[1].isascii()]
        return TrieIndex.from_bytes(build_index(sound), path)


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


def _dep_entries(lines: Iterable[tuple[str, tuple[str, ...]]]) -> list[tuple[str, str, int]]:
    return [
        (module_name_of_path(path), " ".join((f"{path}:", *depends)), rank)
        for rank, (path, depends) in enumerate(lines)
    ]


def _ranked(
    aliases: Iterable[tuple[str, str]], ranks: Mapping[ModuleName, int]
) -> list[tuple[str, str, int]]:
    last = len(ranks)
    return [(alias, name, ranks.get(ModuleName(name), last)) for alias, name in aliases]


def _normalised(aliases: Iterable[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    entries = []
    for alias, module, rank in aliases:
        try:
            entries.append((alias_name(alias), module, rank))
        except BadNameError:
            continue
    return entries
