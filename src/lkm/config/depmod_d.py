"""Parse depmod.d: where depmod looks for modules, and which of two files wins.

Never raises for a bad line, as in modprobe.d.

Source: depmod.d(5); kmod, tools/depmod.c, cfg_file_parse.
"""

from __future__ import annotations

from lkm._text import quoted
from lkm._value import Value
from lkm.config.directives import Complaint, Source
from lkm.config.files import config_files, files_of_paths, logical_lines, read_text
from lkm.tree.scan.search import Override as OverrideRule
from lkm.tree.scan.search import SearchRules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

    from lkm.config.files import LogicalLine


class Search(Value):
    """``search WORD...``: subdirectories, ``built-in`` and ``external``, the most wanted first."""

    __slots__ = ("source", "words")

    def __init__(self, words: tuple[str, ...], source: Source) -> None:
        self.words: Final = words
        self.source: Final = source


class Override(Value):
    """``override NAME VERSION SUBDIR``: SUBDIR/NAME wins for releases that match VERSION."""

    __slots__ = ("name", "source", "subdirectory", "version")

    def __init__(self, name: str, version: str, subdirectory: str, source: Source) -> None:
        self.name: Final = name
        self.version: Final = version
        self.subdirectory: Final = subdirectory
        self.source: Final = source


class External(Value):
    """``external VERSION DIR``: modules are also below *directory*."""

    __slots__ = ("directory", "source", "version")

    def __init__(self, version: str, directory: str, source: Source) -> None:
        self.version: Final = version
        self.directory: Final = directory
        self.source: Final = source


class Exclude(Value):
    """``exclude NAME...``: directory entries that depmod passes over."""

    __slots__ = ("names", "source")

    def __init__(self, names: tuple[str, ...], source: Source) -> None:
        self.names: Final = names
        self.source: Final = source


class Ignored(Value):
    """``include`` or ``make_map_files``: known, and without effect."""

    __slots__ = ("command", "source")

    def __init__(self, command: str, source: Source) -> None:
        self.command: Final = command
        self.source: Final = source


if TYPE_CHECKING:
    DepmodDirective = Search | Override | External | Exclude | Ignored


class DepmodSettings(Value):
    """All of depmod.d: the *directives* in reading order, and *complaints* about bad lines."""

    __slots__ = ("complaints", "directives")

    def __init__(
        self, directives: tuple[DepmodDirective, ...], complaints: tuple[Complaint, ...]
    ) -> None:
        self.directives: Final = directives
        self.complaints: Final = complaints

    @classmethod
    def read(cls, root: str = "/", config_paths: Sequence[str] = ()) -> DepmodSettings:
        """Read depmod.d under *root*, or *config_paths* (files, directories) instead."""
        found = files_of_paths(config_paths) if config_paths else config_files(root, "depmod.d")
        parsed = [one for path in found.paths for one in parse(read_text(path) or "", path)]
        return cls(
            tuple([one for one in parsed if not isinstance(one, Complaint)]),
            (
                *[_as_depmods(complaint) for complaint in found.complaints],
                *[one for one in parsed if isinstance(one, Complaint)],
            ),
        )

    def rules(self, release: str) -> SearchRules:
        """Return what the directives say of the kernel *release*."""
        return search_rules(self.directives, release)

    def remarks(self, release: str) -> tuple[str, ...]:
        """Return in kmod's words which directives have no effect for *release*: ``depmod -vv``."""
        found = []
        covers = _Coverage(release)
        for one in self.directives:
            if isinstance(one, Ignored):
                found.append(f"{one.source}: command {one.command} not implemented yet")
            elif isinstance(one, Override) and not covers(one.version):
                found.append(f"{one.source}: override kernel did not match {one.version}")
            elif isinstance(one, External) and not covers(one.version):
                found.append(f"{one.source}: external directory did not match {one.version}")
        return tuple(found)


def parse(text: str, path: str) -> tuple[DepmodDirective | Complaint, ...]:
    """Return the directives of *text*, in file order, each bad line as a complaint."""
    return tuple([_parse_line(line, path) for line in logical_lines(text)])


def search_rules(directives: Iterable[DepmodDirective], release: str) -> SearchRules:
    """Return what *directives* say of the kernel *release*, in the order they stand in."""
    search: list[str] = []
    overrides: list[OverrideRule] = []
    externals: list[str] = []
    excludes: list[str] = []
    covers = _Coverage(release)
    for one in directives:
        if isinstance(one, Search):
            search += one.words
        elif isinstance(one, Exclude):
            excludes += one.names
        elif isinstance(one, Override) and covers(one.version):
            overrides.append(OverrideRule(one.name, one.subdirectory))
        elif isinstance(one, External) and covers(one.version):
            externals.append(one.directory)
    return SearchRules(tuple(search), tuple(overrides), tuple(externals), tuple(excludes))


def _parse_line(line: LogicalLine, path: str) -> DepmodDirective | Complaint:
    words = line.text.replace("\t", " ").split(" ")
    command, *rest = [word for word in words if word]
    source = Source(path, line.first)
    if command == "search":
        return Search(tuple(rest), source)
    if command == "exclude":
        return Exclude(tuple(rest), source)
    if command in ("include", "make_map_files"):
        return Ignored(command, source)
    if command == "override" and len(rest) >= 3:
        return Override(rest[0], rest[1], rest[2], source)
    if command == "external" and len(rest) >= 2:
        return External(rest[0], rest[1], source)
    kmod = f"depmod: ERROR: {path}:{line.last}: ignoring bad line starting with '{command}'"
    known = {"override": "a module, a version and a folder", "external": "a version and a folder"}
    wanted = known.get(command)
    problem = f"{command} needs {wanted}" if wanted else f"unknown command {quoted(command)}"
    return Complaint(source, line.text, problem, kmod)


def _as_depmods(complaint: Complaint) -> Complaint:
    """Return a complaint about a file as depmod says it, whose library speaks by its voice."""
    text = complaint.kmod_text.replace("libkmod: ERROR: conf_files_filter_out: ", "depmod: ERROR: ")
    return Complaint(complaint.source, complaint.text, complaint.problem, text)


class _Coverage:
    """Tells which versions cover a *release*; each is searched for once, if many lines have it."""

    def __init__(self, release: str) -> None:
        self._release = release
        self._known = {"*": True}

    def __call__(self, version: str) -> bool:
        known = self._known.get(version)
        if known is None:
            from lkm.config.posix_regex import search  # few lines need it

            known = self._known[version] = search(version, self._release)
        return known
