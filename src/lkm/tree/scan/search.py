"""Which of two module files of one name is taken.

Source: depmod.d(5); kmod, tools/depmod.c, depmod_module_is_higher_priority.
"""

from __future__ import annotations

from lkm._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Literal

BUILT_IN = "built-in"
EXTERNAL = "external"


class Override(Value):
    """The file *subdirectory*/*name* wins over every other of its module.

    *name* is a file's name without its suffix, as it is spelled on disk: dashes count.
    """

    __slots__ = ("name", "subdirectory")

    def __init__(self, name: str, subdirectory: str) -> None:
        self.name: Final = name
        self.subdirectory: Final = subdirectory


class SearchRules(Value):
    """What depmod.d says of one release: where module files are, and which of them win.

    *search* holds subdirectories of the tree and the words ``built-in`` and ``external``, the most
    preferred first; empty means ``updates`` alone. *externals* are folders walked besides the
    tree, in the order of the configuration; directory entries named in *excludes* are passed over.
    """

    __slots__ = ("excludes", "externals", "overrides", "search")

    def __init__(
        self,
        search: tuple[str, ...] = (),
        overrides: tuple[Override, ...] = (),
        externals: tuple[str, ...] = (),
        excludes: tuple[str, ...] = (),
    ) -> None:
        self.search: Final = search or ("updates",)
        self.overrides: Final = overrides
        self.externals: Final = externals
        self.excludes: Final = excludes


class Duplicate(Value):
    """The file *other* was passed over for *chosen*, which holds a module of the same name.

    *because*: an ``override`` names the chosen file, or the ``search`` directive prefers it, each
    by the word *rule*; or nothing tells the two apart, and the ``order`` of the file system did.
    """

    __slots__ = ("because", "chosen", "module", "other", "rule")

    def __init__(
        self,
        *,
        module: str,
        chosen: str,
        other: str,
        because: Literal["override", "search", "order"],
        rule: str,
    ) -> None:
        self.module: Final = module
        self.chosen: Final = chosen
        self.other: Final = other
        self.because: Final = because
        self.rule: Final = rule


class Chooser:
    """Answers which file wins in the tree at *directory*, under *rules*."""

    __slots__ = ("_built_in", "_folders", "_overrides", "_prefix")

    def __init__(self, rules: SearchRules, directory: str) -> None:
        self._prefix = directory + "/"
        # kmod looks at what was written last first; the answer can depend on it.
        self._overrides = [f"{rule.subdirectory}/{rule.name}" for rule in reversed(rules.overrides)]
        self._built_in = -1
        # (rank, folder with its slash, whether it is external); a higher rank wins.
        self._folders: list[tuple[int, str, bool]] = []
        rank = 0
        for word in reversed(rules.search):
            if word == BUILT_IN:
                self._built_in = rank
            elif word == EXTERNAL:
                for folder in reversed(rules.externals):
                    self._folders.append((rank, folder + "/", True))
                    rank += 1
            else:
                self._folders.append((rank, word + "/", False))
            rank += 1

    def prefers(self, new: str, old: str) -> bool:
        """Tell whether the file at *new* takes the place of *old*, which was found before it."""
        new_stem, old_stem = self._stem(new), self._stem(old)
        new, old = self._relative(new), self._relative(old)
        for path in self._overrides:
            if path == new_stem:
                return True
            if path == old_stem:
                return False
        new_rank = old_rank = -1
        for rank, folder, external in self._folders:
            new_is_there = new.startswith(folder)
            if new_is_there:
                new_rank = rank
            # Of two files in one search folder kmod ranks only the new one, which so wins.
            if (external or not new_is_there) and old.startswith(folder):
                old_rank = rank
        new_rank = self._built_in if new_rank < 0 else new_rank
        old_rank = self._built_in if old_rank < 0 else old_rank
        return new_rank > old_rank

    def explained(self, module: str, chosen: str, other: str) -> Duplicate:
        """Return why the file *chosen* was taken for *module*, and not *other*."""
        stem = self._stem(chosen)
        because: Literal["override", "search", "order"] = "order"
        rule = ""
        if stem in self._overrides:
            because, rule = "override", stem
        else:
            chosen_rank, word = self._rank(self._relative(chosen))
            if chosen_rank > self._rank(self._relative(other))[0]:
                because, rule = "search", word
        return Duplicate(module=module, chosen=chosen, other=other, because=because, rule=rule)

    def _rank(self, path: str) -> tuple[int, str]:
        """Return the rank of a file's folder, and the word of ``search`` that gives it."""
        found = [
            (rank, EXTERNAL if external else folder.removesuffix("/"))
            for rank, folder, external in self._folders
            if path.startswith(folder)
        ]
        return max(found) if found else (self._built_in, BUILT_IN)

    def _relative(self, path: str) -> str:
        return path.removeprefix(self._prefix)

    def _stem(self, path: str) -> str:
        """Return what an `override` may name: a path in the tree without its suffix."""
        if not path.startswith(self._prefix):
            return ""  # as kmod, which overrides nothing by a file of an external folder
        folder, slash, base = path.removeprefix(self._prefix).rpartition("/")
        return folder + slash + base.partition(".")[0]
