"""The index files that are made from what modules say of themselves.

Apart from those that symbols make, since the two can be made at the same time.

Source: depmod(8); kmod, tools/depmod.c, output_aliases, output_softdeps, output_devname.
"""

from __future__ import annotations

from lkm import _text
from lkm._value import Value
from lkm.module.scanned import ScannedModule
from lkm.tree import tables
from lkm.tree.depmod.builtin_files import builtin_files
from lkm.tree.depmod.chunks import Chunks
from lkm.tree.depmod.device_nodes import device_nodes
from lkm.tree.depmod.index_files import alias_keys, index_of
from lkm.tree.problem import Problem
from lkm.tree.trie.writer import WrittenIndex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

    # level, text, kind, path, modules, index
    PlainProblem = tuple[str, str, str, str, tuple[str, ...], str]
    Plain = tuple[bytes, Sequence[int], bytes, bytes]
    # Aliases; the files of built-ins, and others; problems with what stands before modules.symbols
    # in depmod's order, and behind it.
    Files = dict[str, bytes]
    Made = tuple[Plain, Files, Files, list[PlainProblem], list[PlainProblem]]

ALIAS = "modules.alias.bin"
OTHER_KEYS = (b"softdep", b"weakdep", b"devname:")
"""Without one of these a module adds nothing to ``other_texts``."""


class Aliases(Value):
    """modules.alias as *text*, whose chunks belong to the modules, and its *index*."""

    __slots__ = ("index", "text")

    def __init__(self, text: Chunks, index: WrittenIndex) -> None:
        self.text: Final = text
        self.index: Final = index

    @classmethod
    def from_plain(cls, plain: Plain) -> Aliases:
        """Return what ``plain`` has given."""
        text, lengths, data, marks = plain
        return cls(Chunks(text, lengths), WrittenIndex(data, marks))

    @property
    def plain(self) -> Plain:
        """All of it as values for ``marshal``."""
        return self.text.text, self.text.lengths, self.index.data, self.index.marks

    @property
    def files(self) -> dict[str, bytes]:
        """The files by name."""
        return {"modules.alias": self.text.text, ALIAS: self.index.data}


def modinfo_files(
    directory: str,
    declared: Sequence[tuple[str, bytes]],
    warn_of_duplicates: bool,  # by position, as Forks.ask takes it
) -> Made:
    """Return the files, those of built-in modules too, and what is wrong, all for ``marshal``.

    *declared* are path and ``.modinfo`` of each module, in the order of modules.dep. Raises
    ``FileError``.
    """
    modules = [ScannedModule(path, modinfo) for path, modinfo in declared]
    early: list[Problem] = []
    late: list[Problem] = []
    chunks: list[bytes] = []
    groups: list[tuple[str, int, list[str]]] = []
    for rank, module in enumerate(modules):
        name, aliases = module.name, module.values("alias")
        chunks.append(tables.alias_lines(aliases, name))
        keys = alias_keys(aliases, name, ALIAS, early, warn_of_duplicates=warn_of_duplicates)
        groups.append((name, rank, keys))
    text = Chunks.of(_text.encode(tables.ALIAS_TITLE), chunks)
    made = Aliases(text, index_of(groups, ALIAS, early))
    builtins = builtin_files(directory, late)
    return made.plain, builtins, other_texts(modules, late), _plain(early), _plain(late)


def other_texts(modules: Sequence[ScannedModule], problems: list[Problem]) -> dict[str, bytes]:
    """Return the text files that few modules have a line in; see ``device_nodes`` for problems."""
    return {
        "modules.softdep": tables.softdep_text(_values(modules, "softdep")),
        "modules.weakdep": tables.weakdep_text(_values(modules, "weakdep")),
        "modules.devname": tables.devname_text(device_nodes(modules, problems)),
    }


def problems_of(told: Iterable[PlainProblem]) -> list[Problem]:
    """Return the problems that ``modinfo_files`` has told."""
    return [
        Problem(level, text, kind=kind, path=path, modules=modules, index=index)
        for level, text, kind, path, modules, index in told
    ]


def _plain(problems: Iterable[Problem]) -> list[PlainProblem]:
    return [
        (each.level, each.text, each.kind, each.path, each.modules, each.index) for each in problems
    ]


def _values(modules: Iterable[ScannedModule], wanted: str) -> list[tuple[str, str]]:
    key = wanted.encode()
    having = [module for module in modules if key in module.modinfo_bytes]
    return [(module.name, value) for module in having for value in module.values(wanted)]
