"""Find modules of a tree by name, or by what they declare.

Every criterion costs what it has to: a name needs the index alone, a modalias one look-up, a
description one section of each file, a needed symbol each file's symbol table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lkm.errors import LkmError
from lkm.module.facts import Module
from lkm.module.modinfo import parameters
from lkm.names import ModuleName, alias_name, is_module_file
from lkm.tree.builtin import Builtin
from lkm.tree.catalog import Catalog, Entry
from lkm.tree.fnmatch import fnmatch

Matches = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What a module must be to be found; every criterion given must hold.

    *pattern* is a module's name, or, where it ends as one, its file's (``vfat.ko``, with or
    without folders). It and all the others but *modalias* may hold ``*``, ``?`` and ``[...]``.
    Without them *pattern*, *exports*, *needs* and *parameter* must be equal, with dashes as
    underscores in names; *description*, *author*, *license*, *alias*, *firmware*, *path* (in the
    tree) and *signer* must stand somewhere in the text, whatever their case. *modalias* is what a
    bus reports for a device; what matched is the pattern.
    """

    pattern: str = ""
    description: str = ""
    author: str = ""
    license: str = ""
    alias: str = ""
    firmware: str = ""
    parameter: str = ""
    exports: str = ""
    needs: str = ""
    modalias: str = ""
    path: str = ""
    signer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A module found.

    *path* is that in the tree, also of a built-in; *file* where its file is, empty for a built-in.
    *matches* are (criterion, text).
    """

    name: ModuleName
    path: str
    file: str
    builtin: bool
    matches: Matches


@dataclass(slots=True)
class _Subject:
    """One module under examination; its file is opened when the first criterion needs it.

    *path* is that in the tree; *file* the module file's, empty for a built-in.
    """

    name: ModuleName
    path: str
    file: str = ""
    builtin: Builtin | None = None
    _module: Module | None = field(default=None, repr=False)

    @property
    def module(self) -> Module:
        if self._module is None:
            self._module = Module.open(self.file)
        return self._module

    def entries(self) -> Sequence[tuple[str, str]]:
        return self.module.modinfo if self.builtin is None else self.builtin.modinfo

    def close(self) -> None:
        if self._module is not None:
            self._module.close()


def find(
    catalog: Catalog,
    criteria: Criteria,
    *,
    on_problem: Callable[[LkmError], None] | None = None,
) -> Iterator[Hit]:
    """Yield the modules for which every criterion holds: by name, files before built-ins.

    A file that cannot be read is handed to *on_problem*, and the search goes on; without it the
    error is raised. Raises ``BadNameError`` for a modalias with an unmatched bracket.
    """
    tests = [
        (kind, wanted, test)
        for kind, test in _TESTS.items()
        if (wanted := str(getattr(criteria, kind)))
    ]
    by_modalias = _by_modalias(catalog, criteria.modalias) if criteria.modalias else None
    for subject in _subjects(catalog):
        if by_modalias is not None and subject.name not in by_modalias:
            continue
        try:
            matches = _examine(subject, tests)
            if matches is not None and by_modalias is not None:
                word = alias_name(criteria.modalias)
                matches = (*matches, *_matching_aliases(subject, word))
        except LkmError as error:
            if on_problem is None:
                raise
            on_problem(error)
            continue
        finally:
            subject.close()
        if matches is None:
            continue
        yield Hit(
            name=subject.name,
            path=subject.path,
            file=subject.file,
            builtin=subject.builtin is not None,
            matches=matches,
        )


_Test = Callable[[_Subject, str], Sequence[str]]


def _examine(subject: _Subject, tests: Sequence[tuple[str, str, _Test]]) -> Matches | None:
    matches: list[tuple[str, str]] = []
    for kind, wanted, test in tests:
        found = test(subject, wanted)
        if not found:
            return None
        if kind not in ("pattern", "path"):  # every hit shows these
            matches += [(kind, text) for text in found]
    return tuple(matches)


def _subjects(catalog: Catalog) -> Iterator[_Subject]:
    entries: list[Entry] = sorted(catalog.entries(), key=lambda entry: entry.name)
    for entry in entries:
        yield _Subject(entry.name, entry.path, catalog.file(entry.path))
    for builtin in sorted(catalog.builtins(), key=lambda each: each.name):
        yield _Subject(builtin.name, builtin.path, builtin=builtin)


def _by_modalias(catalog: Catalog, modalias: str) -> frozenset[ModuleName]:
    word = alias_name(modalias)
    return frozenset([*catalog.aliases(word), *catalog.builtin_aliases(word)])


def _matching_aliases(subject: _Subject, word: str) -> Matches:
    """Return the patterns by which the module is the one for *word*."""
    patterns = [value for key, value in subject.entries() if key == "alias"]
    return tuple([("modalias", each) for each in patterns if fnmatch(word, alias_name(each))])


def _is_glob(text: str) -> bool:
    return any(character in text for character in "*?[")


def _by_pattern(subject: _Subject, wanted: str) -> Sequence[str]:
    if not is_module_file(wanted):
        folded = wanted.replace("-", "_")
        return [subject.name] if _same(subject.name, folded) else []
    if "/" in wanted:
        return [path] if (path := subject.path).endswith(wanted) or _same(path, wanted) else []
    file = subject.path.rpartition("/")[2]
    # vfat.ko is what people call the file, however it is compressed.
    called = {file, f"{file.partition('.ko')[0]}.ko"}
    return [file] if any(_same(each, wanted) for each in called) else []


def _same(text: str, wanted: str) -> bool:
    return fnmatch(text, wanted) if _is_glob(wanted) else text == wanted


def _among(texts: Iterator[str] | Sequence[str], wanted: str) -> list[str]:
    """Return the texts that hold *wanted* somewhere, or match it as a pattern, case apart."""
    folded = wanted.casefold()
    if _is_glob(wanted):
        return [text for text in texts if fnmatch(text.casefold(), folded)]
    return [text for text in texts if folded in text.casefold()]


def _equal(texts: Iterator[str] | Sequence[str], wanted: str) -> list[str]:
    if _is_glob(wanted):
        return [text for text in texts if fnmatch(text, wanted)]
    return [wanted] if wanted in texts else []


def _in_modinfo(key: str) -> _Test:
    def test(subject: _Subject, wanted: str) -> Sequence[str]:
        return _among([value for each, value in subject.entries() if each == key], wanted)

    return test


def _by_parameter(subject: _Subject, wanted: str) -> Sequence[str]:
    names = [parameter.name for parameter in parameters(subject.entries())]
    return _equal(names, wanted.replace("-", "_"))


def _by_export(subject: _Subject, wanted: str) -> Sequence[str]:
    if subject.builtin is not None:
        return []
    return _equal([export.name for export in subject.module.exports], wanted)


def _by_need(subject: _Subject, wanted: str) -> Sequence[str]:
    if subject.builtin is not None:
        return []
    return _equal([need.name for need in subject.module.imports], wanted)


def _by_path(subject: _Subject, wanted: str) -> Sequence[str]:
    return _among([subject.path], wanted)


def _by_signer(subject: _Subject, wanted: str) -> Sequence[str]:
    if subject.builtin is not None or subject.module.signature is None:
        return []
    return _among([subject.module.signature.signer], wanted)


# In the order of their cost: a cheap criterion that fails spares the dear ones.
_TESTS: Mapping[str, _Test] = {
    "pattern": _by_pattern,
    "path": _by_path,
    "description": _in_modinfo("description"),
    "author": _in_modinfo("author"),
    "license": _in_modinfo("license"),
    "alias": _in_modinfo("alias"),
    "firmware": _in_modinfo("firmware"),
    "parameter": _by_parameter,
    "signer": _by_signer,
    "exports": _by_export,
    "needs": _by_need,
}
