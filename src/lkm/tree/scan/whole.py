"""What all module files of a tree say, for questions that concern each of them.

Most of it is remembered by earlier runs (``lkm.tree.memory``); the rest is read on all cores, and
remembered. A file that cannot be read, or is no module, has no facts here: whoever opens it
learns what is wrong with it.
"""

from __future__ import annotations

import time

from lkm import _text
from lkm._version import __version__
from lkm.cache import FileIdentity
from lkm.errors import FileError, FormatError, MissingLibraryError
from lkm.module.quick_elf import identity_at
from lkm.module.scanned import ScannedModule
from lkm.names import module_name_of_path
from lkm.tree.memory.columns import ScanColumns, module_part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence, Set
    from typing import TypeVar

    from lkm.cache import Cache
    from lkm.module.scanned import Identity
    from lkm.tree.catalog import Catalog
    from lkm.tree.memory.columns import Part
    from lkm.tree.memory.remembered import TreeMemory
    from lkm.tree.scan.reading import Read

    # How many files have been read, of how many.
    Progress = Callable[[int, int], None]
    Said = TypeVar("Said")

_PATHS = "paths"
# How many files are given to all processes at a time.
_WINDOW = 256
_STEP = 32  # files from one report of progress to the next
# If more files are not remembered than these, what all of the tree say is remembered anew: a few
# that have changed, or cannot be read, are sooner read each time; so are more of a part of it.
_FEW, _MANY = 64, 200


def module_paths(catalog: Catalog, cache: Cache | None = None) -> list[str]:
    """Return the paths of all modules as in modules.dep, in the order of their names.

    They are remembered for as long as the binary index does not change.
    """
    index = f"{catalog.directory}/modules.dep.bin"
    looked_ns = time.time_ns()
    identity = FileIdentity.of(index) if cache is not None else None
    if cache is None or identity is None:
        return _in_order([entry.path for entry in catalog.entries()])
    made_by, *known = _text.decode(cache.find(_PATHS, identity) or b"").split("\0")
    if made_by == __version__:
        return known
    try:
        # As it is now: another depmod may have written it since the catalog was opened.
        paths = _indexed_paths(index)
    except (FileError, FormatError):
        return _in_order([entry.path for entry in catalog.entries()])
    if FileIdentity.of(index) == identity:
        facts = _text.encode("\0".join([__version__, *paths]))
        cache.remember(_PATHS, identity, facts, looked_ns=looked_ns)
    return paths


def _indexed_paths(path: str) -> list[str]:
    from lkm.tree.trie.index import TrieIndex  # the list is remembered, mostly

    index = TrieIndex.open(path)
    try:
        lines = sorted([(line, text) for _, text, line in index.items()])
    finally:
        index.close()
    return _in_order([text.partition(":")[0] for _, text in lines])


def _in_order(paths: Sequence[str]) -> list[str]:
    return sorted(paths, key=module_name_of_path)


class TreeFacts:
    """What module files say: remembered of some, which are *unchanged*, and just now *read*."""

    def __init__(
        self, remembered: ScanColumns, unchanged: Set[str], read: Mapping[str, ScannedModule]
    ) -> None:
        self._remembered = remembered
        self._unchanged = unchanged
        self._read = read

    def find(self, path: str) -> ScannedModule | None:
        """Return what the file at *path* says, None where that is not known."""
        found = self._read.get(path)
        if found is None and path in self._unchanged:
            return self._remembered.module(path)
        return found

    def sifted(
        self, paths: Sequence[str], part: Part, piece: bytes, *, any_case: bool = False
    ) -> list[str]:
        """Return those of *paths* in whose *part* the *piece* may stand; see ``ScanColumns``.

        The files of which nothing is known are among them.
        """
        may = self._remembered.holding(part, piece, any_case=any_case)
        known, read = self._unchanged, self._read
        for path, module in read.items():
            data = module_part(module, part)
            if piece in (data.lower() if any_case else data) or (any_case and not data.isascii()):
                may.add(path)
        return [path for path in paths if path in may or not (path in known or path in read)]


def facts_of(
    wanted: Sequence[str],
    everything: Sequence[str],
    directory: str,
    cache: Cache | None = None,
    on_progress: Progress | None = None,
) -> TreeFacts:
    """Return what those of the *wanted* module files say that can be read.

    *everything* are all module files of the tree at *directory*. What is not remembered is read;
    where that is more than a few files, all of the tree is, and remembered.
    """
    remembered = ScanColumns(cache, directory)
    unchanged = remembered.unchanged(wanted)
    unknown = [path for path in wanted if path not in unchanged]
    in_part = len(wanted) < len(everything)
    if len(unknown) <= (_MANY if in_part else _FEW) and (in_part or unchanged):
        read = {path: module for path, _, module in _read(unknown, on_progress)}
        return TreeFacts(remembered, unchanged, read)
    if unknown:
        from lkm.tree.memory.remembered import TreeMemory  # most questions have all answers at hand

        found = _read_and_remember(everything, TreeMemory(cache, directory), on_progress)
        return TreeFacts(remembered, frozenset(), found)
    return TreeFacts(remembered, unchanged, {})


def _read_and_remember(
    everything: Sequence[str], memory: TreeMemory, on_progress: Progress | None
) -> Mapping[str, ScannedModule]:
    known = memory.known(everything)
    facts = {path: module for path, (_, module) in known.items()}
    identities: dict[str, Identity | None] = {path: known[path][0] for path in known}
    unknown = [path for path in everything if path not in known]
    for path, identity, module in _read(unknown, on_progress):
        facts[path], identities[path] = module, identity
    if len(identities) > len(known):
        modules = [facts.get(path) or ScannedModule(path) for path in everything]
        memory.remember(modules, [*map(identities.get, everything)], None)
    return facts


def _read(
    paths: Sequence[str], on_progress: Progress | None
) -> Iterator[tuple[str, Identity | None, ScannedModule]]:
    """Yield what the files say that can be read.

    None after one for which a library is missing: it is missing for the others too, most likely.
    """
    from lkm.tree.scan.reading import scan_share  # where all is remembered nobody needs it

    def read(numbers: list[int]) -> list[Read]:
        return scan_share([paths[number] for number in numbers], False)

    try:
        for path, said in zip(paths, on_all_cores(read, paths, on_progress), strict=True):
            if isinstance(said, tuple):
                identity, facts = said
                yield path, identity, ScannedModule(path, *facts)
    except MissingLibraryError:
        return


def on_all_cores(
    read: Callable[[list[int]], list[Said]], paths: Sequence[str], on_progress: Progress | None
) -> Iterator[Said]:
    """Yield what *read* says of each of *paths*, by its number, in their order.

    Other processes are asked as well, so an answer is a value that ``marshal`` knows.
    """
    from lkm._fork import forks_for, in_turn  # see _read

    total = len(paths)
    packed = any(not path.endswith(".ko") for path in paths)
    # What is to be unpacked takes time by its size.
    sizes = [_size(path) for path in paths] if packed else [1] * total
    count = forks_for(total)
    report = on_progress or _nobody_asks
    report(0, total)
    try:
        for done, said in enumerate(in_turn(read, sizes, window=_WINDOW, count=count)):
            if not done % _STEP:
                report(done, total)
            yield said
    finally:
        report(total, total)


def _nobody_asks(_done: int, _total: int) -> None:
    pass


def _size(path: str) -> int:
    identity = identity_at(path)
    return 0 if identity is None else identity[2]
