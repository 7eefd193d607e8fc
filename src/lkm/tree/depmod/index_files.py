"""What the makers of the index files share: aliases as keys, indexes that leave things out.

Source: depmod(8); kmod, tools/depmod.c, output_*.
"""

from __future__ import annotations

import os

from lkm.errors import BadNameError, FileError
from lkm.names import ALIAS_BYTES, alias_name
from lkm.tree import _files
from lkm.tree.problem import Problem
from lkm.tree.trie.writer import write_index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lkm.tree.trie.writer import Group, WrittenIndex


def alias_keys(
    aliases: Sequence[str],
    module: str,
    index: str,
    problems: list[Problem],
    *,
    warn_of_duplicates: bool = False,
) -> list[str]:
    """Return the *aliases* of *module* as *index* has them; what is wrong goes to *problems*.

    An alias that is there twice is wrong only with *warn_of_duplicates*.
    """
    joined = "\0".join(aliases)
    usual = "[" not in joined and "]" not in joined and len(joined) <= ALIAS_BYTES
    if usual and not warn_of_duplicates:
        return joined.replace("-", "_").split("\0") if aliases else []
    keys: list[str] = []
    seen: set[str] = set()
    for alias in aliases:
        try:
            key = alias_name(alias)
        except BadNameError:
            text = f"Unmatched bracket in {alias}"
            problems.append(_warning(text, "bad-alias", index, (module,)))
            continue
        if warn_of_duplicates and key in seen:
            text = f"duplicate module alias:\n{key} {module}"
            problems.append(_warning(text, "duplicate-alias", index, (module,)))
        keys.append(key)
        seen.add(key)
    return keys


def index_of(groups: Iterable[Group], name: str, problems: list[Problem]) -> WrittenIndex:
    """Return the binary index of *groups*, without what the format cannot hold: a problem each."""
    left_out: list[tuple[str, str]] = []
    written = write_index(groups, left_out)
    for key, value in left_out:
        text = f"{name} cannot hold what is not ASCII: {key} {value}"
        problems.append(_warning(text, "not-ascii", name))
    return written


def read_build_file(directory: str, name: str, problems: list[Problem], *, index: str) -> bytes:
    """Return what the kernel's build wrote as *name*; a missing file is a problem and empty."""
    try:
        return _files.read(f"{directory}/{name}")
    except FileError as problem:
        what = f"{name} at" if os.path.isdir(directory) else "directory"
        text = f"could not open {what} {directory}: {os.strerror(problem.errno)}"
        path = f"{directory}/{name}"
        problems.append(Problem("WARNING", text, kind="missing-file", path=path, index=index))
        return b""


def _warning(text: str, kind: str, index: str, modules: tuple[str, ...] = ()) -> Problem:
    return Problem("WARNING", text, kind=kind, modules=modules, index=index)
