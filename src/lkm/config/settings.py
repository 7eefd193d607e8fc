"""All configuration that is in effect, as one value to ask."""

from __future__ import annotations

from lkm.config import files
from lkm.config.cmdline import parse_command_line
from lkm.config.directives import (
    Alias,
    Blacklist,
    Complaint,
    Install,
    Options,
    Remove,
    Softdep,
    Weakdep,
)
from lkm.config.modprobe_d import parse
from lkm.tree.trie.fnmatch import fnmatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final, TypeVar

    from lkm.config.directives import Directive, Source

    _Patterned = TypeVar("_Patterned", Alias, Install, Remove, Softdep, Weakdep)


class Settings:
    """The directives in effect, in the order in which modprobe reads them."""

    __slots__ = (
        "_aliases",
        "_blacklist",
        "_installs",
        "_options",
        "_removes",
        "_softdeps",
        "_weakdeps",
        "complaints",
        "directives",
    )

    def __init__(self, parsed: Iterable[Directive | Complaint] = ()) -> None:
        everything = tuple(parsed)
        self.complaints: Final = tuple([one for one in everything if isinstance(one, Complaint)])
        self.directives: Final = tuple(
            [one for one in everything if not isinstance(one, Complaint)]
        )
        self._aliases: Final[list[Alias]] = []
        self._installs: Final[list[Install]] = []
        self._removes: Final[list[Remove]] = []
        self._softdeps: Final[list[Softdep]] = []
        self._weakdeps: Final[list[Weakdep]] = []
        self._blacklist: Final[dict[str, Blacklist]] = {}
        self._options: Final[list[Options]] = []
        for directive in self.directives:
            self._file_away(directive)

    def _file_away(self, directive: Directive) -> None:
        if isinstance(directive, Softdep):  # by far the most: a tree brings hundreds
            self._softdeps.append(directive)
        elif isinstance(directive, Alias):
            self._aliases.append(directive)
        elif isinstance(directive, Options):
            self._options.append(directive)
        elif isinstance(directive, Blacklist):
            self._blacklist.setdefault(directive.module, directive)
        elif isinstance(directive, Install):
            self._installs.append(directive)
        elif isinstance(directive, Remove):
            self._removes.append(directive)
        else:
            self._weakdeps.append(directive)

    @classmethod
    def read(
        cls,
        root: str = "/",
        config_paths: Sequence[str] = (),
        tree_texts: Iterable[tuple[str, str]] = (),
        command_line: str = "",
    ) -> Settings:
        """Read modprobe.d under *root*, or *config_paths* (files, directories) instead.

        *tree_texts* are the path and text of the tree's ``modules.softdep`` and
        ``modules.weakdep``, which take their place among the files by their names;
        *command_line* is the kernel's and comes last.
        """
        texts = dict(tree_texts)
        if config_paths:
            found = files.files_of_paths(config_paths, extra=texts)
        else:
            found = files.config_files(root, "modprobe.d", extra=texts)
        parsed: list[Directive | Complaint] = list(found.complaints)
        for path in found.paths:
            text = texts[path] if path in texts else files.read_text(path)
            parsed += parse(text or "", path)
        parsed += parse_command_line(command_line)
        return cls(parsed)

    def aliases_for(self, word: str) -> tuple[Alias, ...]:
        """Return every alias line whose pattern matches *word*, in order."""
        return tuple([alias for alias in self._aliases if _matches(alias.pattern, word)])

    def options_for(self, name: str, alias: str = "") -> tuple[str, tuple[Source, ...]]:
        """Return the parameters for *name*, or for the *alias* that it was found by.

        All matching lines, joined by one blank; and where they stand.
        """
        found = self.options_lines(name, alias)
        return " ".join([line.params for line in found]), tuple([line.source for line in found])

    def options_lines(self, name: str, alias: str = "") -> tuple[Options, ...]:
        """Return the lines that ``options_for`` joins, in order."""
        return tuple(
            [
                line
                for line in self._options
                if (line.module == name or (alias and line.module == alias)) and line.params
            ]
        )

    def install_for(self, name: str) -> Install | None:
        """Return the command that runs instead of inserting *name*: the first that matches."""
        return _first(self._installs, name)

    def remove_for(self, name: str) -> Remove | None:
        """Return the command that runs instead of removing *name*: the first that matches."""
        return _first(self._removes, name)

    def install_named(self, name: str) -> Install | None:
        """Return the first install line whose pattern is *name* itself, to the letter."""
        return next((line for line in self._installs if line.pattern == name), None)

    def remove_named(self, name: str) -> Remove | None:
        """Return the first remove line whose pattern is *name* itself, to the letter."""
        return next((line for line in self._removes if line.pattern == name), None)

    def softdep_for(self, name: str) -> Softdep | None:
        """Return the soft dependencies of *name*: the first line that matches, only."""
        return _first(self._softdeps, name)

    def blacklisted(self, name: str) -> Blacklist | None:
        """Return the line that blacklists *name*, if there is one."""
        return self._blacklist.get(name)


def _first(lines: list[_Patterned], name: str) -> _Patterned | None:
    for line in lines:
        if _matches(line.pattern, name):
            return line
    return None


def _matches(pattern: str, name: str) -> bool:
    if pattern == name:
        # A class like "[a]" does not match its own spelling; plain names are the rule.
        return "[" not in pattern and "\\" not in pattern
    if "*" in pattern or "?" in pattern or "[" in pattern or "\\" in pattern:
        return fnmatch(name, pattern)
    return False
