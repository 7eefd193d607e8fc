"""The index files that are made from what modules, and the kernel, say of themselves.

Apart from those that symbols make, since the two can be made at the same time.
"""

from __future__ import annotations

from lkm.module.scan import ScannedModule
from lkm.tree import tables
from lkm.tree.device_nodes import device_nodes
from lkm.tree.index_files import make_alias, make_builtin
from lkm.tree.scan import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    # level, text, kind, path, modules, index
    PlainProblem = tuple[str, str, str, str, tuple[str, ...], str]
    # The files; problems with what stands before modules.symbols in depmod's order, and behind it.
    Made = tuple[dict[str, bytes], list[PlainProblem], list[PlainProblem]]


def modinfo_files(
    directory: str,
    declared: Sequence[tuple[str, bytes]],
    warn_of_duplicates: bool,  # called through Fork
) -> Made:
    """Return the files, and what is wrong, as values for ``marshal``.

    *declared* are path and ``.modinfo`` of each module, in the order of modules.dep. Raises
    ``FileError``.
    """
    modules = [ScannedModule(path, modinfo) for path, modinfo in declared]
    names = [module.name for module in modules]
    aliases = [module.values("alias") for module in modules]
    files: dict[str, bytes] = {}
    early: list[Problem] = []
    late: list[Problem] = []
    make_alias(files, names, aliases, early, warn_of_duplicates=warn_of_duplicates)
    files["modules.softdep"] = tables.softdep_text(_values(modules, "softdep"))
    files["modules.weakdep"] = tables.weakdep_text(_values(modules, "weakdep"))
    make_builtin(files, directory, late)
    files["modules.devname"] = tables.devname_text(device_nodes(modules, aliases, late))
    return files, _plain(early), _plain(late)


def problems_of(plain: Iterable[PlainProblem]) -> list[Problem]:
    """Return the problems that ``modinfo_files`` has told."""
    return [
        Problem(level, text, kind=kind, path=path, modules=modules, index=index)
        for level, text, kind, path, modules, index in plain
    ]


def _plain(problems: Iterable[Problem]) -> list[PlainProblem]:
    return [
        (each.level, each.text, each.kind, each.path, each.modules, each.index) for each in problems
    ]


def _values(modules: Iterable[ScannedModule], wanted: str) -> list[tuple[str, str]]:
    return [(module.name, value) for module in modules for value in module.values(wanted)]
