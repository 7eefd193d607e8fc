"""Read the module files of a tree.

Source: kmod, tools/depmod.c, depmod_load_modules.
"""

from __future__ import annotations

import errno
import os

from lkm._fork import MOST_TURNS, Forks, turns
from lkm._value import Value
from lkm.errors import FileError, FormatError
from lkm.module.quick_elf import identity_at
from lkm.module.quick_scan import quick_facts
from lkm.module.scanned import ScannedModule
from lkm.tree.problem import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final

    from lkm.module.scanned import Facts, Identity

    Read = tuple[Identity | None, Facts] | str  # or kmod's reason why it cannot be read

# How many files are a turn.
_STEP, _STEP_COMPRESSED = 32, 2

_COMPRESSIONS = ("gzip file", "xz file", "zstd file")  # as FormatError names them


class Scanned(Value):
    """What the module files say; a file that cannot be read is there by its name alone.

    *identities* say which state of each file that is; None for one that cannot be read.
    """

    __slots__ = ("identities", "modules", "problems")

    def __init__(
        self,
        modules: tuple[ScannedModule, ...],
        problems: tuple[Problem, ...],
        identities: tuple[Identity | None, ...],
    ) -> None:
        self.modules: Final = modules
        self.problems: Final = problems
        self.identities: Final = identities


def scan_tree(
    paths: Sequence[str],
    *,
    with_crcs: bool = False,
    forks: Forks | None = None,
    known: Mapping[str, tuple[Identity, ScannedModule]] | None = None,
) -> Scanned:
    """Read the module files at *paths*, and return what they say in the same order.

    A file that cannot be read, or is no module, is a problem; depmod lists it all the same.
    *forks*, which know ``scan_turns``, take turns with this process. What is *known* of a
    file is not asked again.
    """
    known = known or {}
    forks = Forks((scan_turns,), 0) if forks is None else forks
    unknown = [path for path in paths if path not in known]
    facts = _read_all(unknown, forks, with_crcs=with_crcs)
    modules: list[ScannedModule] = []
    identities: list[Identity | None] = []
    problems: list[Problem] = []
    for path in paths:
        identity: Identity | None = None
        if path in known:
            identity, module = known[path]
        elif isinstance(found := facts[path], str):
            module = ScannedModule(path)
            text = f"failed to load symbols from {path}: {found}"
            problems.append(
                Problem("ERROR", text, kind="unreadable-module", path=path, modules=(module.name,))
            )
        else:
            identity = found[0]
            module = ScannedModule(path, *found[1])
        modules.append(module)
        identities.append(identity)
    return Scanned(tuple(modules), tuple(problems), tuple(identities))


def _read_all(paths: Sequence[str], forks: Forks, *, with_crcs: bool) -> dict[str, Read]:
    if not paths:
        return {}
    if not len(forks):
        return dict(zip(paths, scan_share(paths, with_crcs), strict=True))
    order = list(paths)
    compressed = any(not path.endswith(".ko") for path in paths)
    if compressed:
        order.sort(key=_size, reverse=True)  # the longest first, so that all end at the same time
    step = max(_STEP_COMPRESSED if compressed else _STEP, len(paths) // MOST_TURNS + 1)
    count = -(-len(paths) // step)
    dealt_as = forks.deal(count)
    asked = [
        forks.ask(number, scan_turns, order, dealt_as, step, with_crcs)
        for number in range(len(forks))
    ]
    found = dict(scan_turns(order, dealt_as, step, with_crcs))
    for answer in asked:
        found.update(answer())
    facts: dict[str, Read] = {}
    for turn in range(count):
        share = order[turn * step : (turn + 1) * step]
        # What a process that died had taken is read here.
        reads = found[turn] if turn in found else scan_share(share, with_crcs)
        facts.update(zip(share, reads, strict=True))
    return facts


def scan_turns(
    paths: Sequence[str],
    dealt_as: int,
    step: int,
    with_crcs: bool,  # by position, as Forks.ask takes it
) -> list[tuple[int, list[Read]]]:
    """Return what the files of each turn say that this process gets: *step* of *paths*."""
    return [
        (turn, scan_share(paths[turn * step : (turn + 1) * step], with_crcs))
        for turn in turns(dealt_as)
    ]


def scan_share(paths: Sequence[str], with_crcs: bool) -> list[Read]:  # by position, as below
    """Return what each file says, or kmod's reason why it cannot be read."""
    found: list[Read] = []
    for path in paths:
        try:
            quick = None if with_crcs else quick_facts(path)
            found.append(quick or _read(path, with_crcs=with_crcs))
        except (FileError, FormatError) as problem:
            found.append(_kmod_reason(path, problem))
    return found


def _read(path: str, *, with_crcs: bool) -> tuple[Identity | None, Facts]:
    from lkm.module.scan import scan_file  # where all files are quickly read nobody needs it

    identity = identity_at(path)  # taken first: if the file changes now, that one is of no use
    return identity, scan_file(path, with_crcs=with_crcs).facts


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _kmod_reason(path: str, problem: FileError | FormatError) -> str:
    """Return the errno that kmod has for a file that is no module, in words."""
    if isinstance(problem, FileError):
        return os.strerror(problem.errno)
    try:
        with open(path, "rb") as file:
            start = file.read(6)
    except OSError as unreadable:
        return _reason(unreadable)
    is_cut = len(start) < 6 or start.startswith(b"\x7fELF") or problem.what in _COMPRESSIONS
    return os.strerror(errno.EINVAL if is_cut else errno.ENOEXEC)


def _reason(problem: OSError) -> str:
    return os.strerror(problem.errno or errno.EIO)
