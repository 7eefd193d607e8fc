"""Find modules of a tree by name, or by what they declare.

Every criterion costs what it has to: a name needs the index alone, a modalias one look-up. What the
files themselves say is remembered from one question to the next; where it is not, all are read.
"""

from __future__ import annotations

from lkm._value import Value
from lkm.diagnose.matching import Subject, holds, is_same, tests_of
from lkm.errors import LkmError
from lkm.names import ModuleName, alias_name, is_module_file, module_name_of_path
from lkm.tree.scan.whole import facts_of, module_paths
from lkm.tree.trie.fnmatch import fnmatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Final

    from lkm.cache import Cache
    from lkm.tree.catalog import Catalog
    from lkm.tree.scan.whole import Progress, TreeFacts

    Matches = tuple[tuple[str, str], ...]

# So many files are opened sooner than what is remembered of all is loaded.
_FEW = 8


class Criteria(Value):
    """What a module must be to be found; every criterion given must hold.

    *pattern* is a module's name, or, where it ends as one, its file's (``vfat.ko``, with or
    without folders). It and all the others but *modalias* may hold ``*``, ``?`` and ``[...]``.
    Without them *pattern*, *exports*, *needs* and *parameter* must be equal, with dashes as
    underscores in names; *description*, *author*, *license*, *alias*, *firmware*, *path* (in the
    tree) and *signer* must stand somewhere in the text, whatever their case. *modalias* is what a
    bus reports for a device; what matched is the pattern.
    """

    __slots__ = (
        "alias",
        "author",
        "description",
        "exports",
        "firmware",
        "license",
        "modalias",
        "needs",
        "parameter",
        "path",
        "pattern",
        "signer",
    )

    def __init__(  # noqa: PLR0913  # one for each field
        self,
        *,
        pattern: str = "",
        description: str = "",
        author: str = "",
        license: str = "",  # noqa: A002  # modinfo's word
        alias: str = "",
        firmware: str = "",
        parameter: str = "",
        exports: str = "",
        needs: str = "",
        modalias: str = "",
        path: str = "",
        signer: str = "",
    ) -> None:
        self.pattern: Final = pattern
        self.description: Final = description
        self.author: Final = author
        self.license: Final = license
        self.alias: Final = alias
        self.firmware: Final = firmware
        self.parameter: Final = parameter
        self.exports: Final = exports
        self.needs: Final = needs
        self.modalias: Final = modalias
        self.path: Final = path
        self.signer: Final = signer


class Hit(Value):
    """A module found.

    *path* is that in the tree, also of a built-in; *file* where its file is, empty for a built-in.
    *matches* are (criterion, text).
    """

    __slots__ = ("builtin", "file", "matches", "name", "path")

    def __init__(
        self, *, name: ModuleName, path: str, file: str, builtin: bool, matches: Matches
    ) -> None:
        self.name: Final = name
        self.path: Final = path
        self.file: Final = file
        self.builtin: Final = builtin
        self.matches: Final = matches


def find(
    catalog: Catalog,
    criteria: Criteria,
    *,
    on_problem: Callable[[LkmError], None] | None = None,
    cache: Cache | None = None,
    on_progress: Progress | None = None,
) -> Iterator[Hit]:
    """Yield the modules for which every criterion holds: by name, files before built-ins.

    A file that cannot be read is handed to *on_problem*, and the search goes on; without it the
    error is raised. What *cache*, such as ``lkm.default_cache()``, remembers of the files is not
    read again; *on_progress* is called with how many of the others are read, and how many there
    are. Raises ``BadNameError`` for a modalias with an unmatched bracket.
    """
    search = _Search(catalog, criteria)
    for subject in search.subjects(cache, on_progress):
        try:
            matches = search.matches(subject)
        except LkmError as error:
            if on_problem is None:
                raise
            on_problem(error)
            continue
        finally:
            subject.close()
        if matches is not None:
            yield Hit(
                name=subject.name,
                path=subject.path,
                file=subject.file,
                builtin=subject.builtin is not None,
                matches=matches,
            )


class _Search:
    """One question about the modules of *catalog*."""

    def __init__(self, catalog: Catalog, criteria: Criteria) -> None:
        self._catalog = catalog
        self._criteria = criteria
        self._tests = tests_of({kind: getattr(criteria, kind) for kind in Criteria.__slots__})
        self._word = alias_name(criteria.modalias)
        self._drivers = _by_modalias(catalog, self._word) if self._word else None

    def subjects(self, cache: Cache | None, on_progress: Progress | None) -> Iterator[Subject]:
        """Yield the modules that can be among those sought, with what is known of each."""
        catalog = self._catalog
        paths = {catalog.file(path): path for path in module_paths(catalog, cache)}
        left = [*paths]
        if self._is_restricted:
            left = [file for file, path in paths.items() if self._may_be(path)]
        facts: TreeFacts | None = None
        about_scans = any(test.part is not None for test in self._tests)
        if len(left) > _FEW and (about_scans or self._word):
            facts = facts_of(left, [*paths], catalog.directory, cache, on_progress)
            for test in self._tests:
                if test.part is not None:
                    left = facts.sifted(left, test.part, test.piece, any_case=test.any_case)
        signers: Mapping[str, str | None] = {}
        if len(left) > _FEW and self._criteria.signer:
            from lkm.tree.scan.signers import signers_of  # few ask for them

            signers = signers_of(left, [*paths], catalog.directory, cache, on_progress)
        for file in left:
            path = paths[file]
            scanned = None if facts is None else facts.find(file)
            signer = _if_known(signers, file)
            yield Subject(module_name_of_path(path), path, file, scanned=scanned, signer=signer)
        for builtin in sorted(catalog.builtins(), key=lambda each: each.name):
            if self._may_be(builtin.path, builtin.name):
                yield Subject(builtin.name, builtin.path, builtin=builtin)

    def matches(self, subject: Subject) -> Matches | None:
        """Return by which texts *subject* is one of those sought; None if it is not."""
        matches: list[tuple[str, str]] = []
        for test in self._tests:
            found = test.found(subject)
            if not found:
                return None
            matches += [(test.kind, text) for text in found]
        if self._word:
            patterns = [value for key, value in subject.entries() if key == "alias"]
            for pattern in patterns:
                if fnmatch(self._word, alias_name(pattern)):
                    matches.append(("modalias", pattern))
        return tuple(matches)

    @property
    def _is_restricted(self) -> bool:
        return bool(self._criteria.pattern or self._criteria.path or self._word)

    def _may_be(self, path: str, name: ModuleName | None = None) -> bool:
        """Tell whether all holds that can be told without what the module says."""
        wanted = self._criteria
        if wanted.pattern and not _is_called(
            name or module_name_of_path(path), path, wanted.pattern
        ):
            return False
        if self._drivers is not None and (name or module_name_of_path(path)) not in self._drivers:
            return False
        return not wanted.path or holds(path, wanted.path)


def _if_known(signers: Mapping[str, str | None], file: str) -> tuple[str, ...] | None:
    if file not in signers:
        return None
    signer = signers[file]
    return () if signer is None else (signer,)


def _by_modalias(catalog: Catalog, word: str) -> frozenset[ModuleName]:
    return frozenset([*catalog.aliases(word), *catalog.builtin_aliases(word)])


def _is_called(name: ModuleName, path: str, wanted: str) -> bool:
    """Tell whether *wanted* is the module's name, or its file's if it ends as such."""
    if not is_module_file(wanted):
        return is_same(name, wanted.replace("-", "_"))
    if "/" in wanted:
        return path.endswith(wanted) or is_same(path, wanted)
    file = path.rpartition("/")[2]
    # vfat.ko is what people call the file, however it is compressed.
    return any(is_same(each, wanted) for each in (file, f"{file.partition('.ko')[0]}.ko"))
