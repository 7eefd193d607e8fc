"""The index files of aliases, of symbols and of built-in modules.

Source: depmod(8); kmod, tools/depmod.c, output_*.
"""

from __future__ import annotations

import os

from lkm import _text
from lkm.errors import BadNameError, FileError
from lkm.names import alias_name
from lkm.tree import _files, builtin, tables
from lkm.tree.order import SYMBOL_BUCKETS, hash_order
from lkm.tree.scan import Problem
from lkm.tree.trie_writer import build_index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lkm.module.scan import ScannedModule

    Item = tuple[str, str, int]  # key, value, priority


def make_alias(
    files: dict[str, bytes],
    names: Sequence[str],
    aliases_of: Sequence[Sequence[str]],
    problems: list[Problem],
    *,
    warn_of_duplicates: bool,
) -> None:
    """Add modules.alias and its binary form to *files*, what is wrong with aliases to *problems*.

    *aliases_of* holds those of each module of *names*. An alias that one module has twice is wrong
    only with *warn_of_duplicates*.
    """
    aliases = [
        (alias, name, rank)
        for rank, (name, found) in enumerate(zip(names, aliases_of, strict=True))
        for alias in found
    ]
    files["modules.alias"] = tables.alias_text(aliases)
    entries = _normalised(aliases, "modules.alias.bin", problems, twice=warn_of_duplicates)
    files["modules.alias.bin"] = index_of(entries, "modules.alias.bin", problems)


def make_symbols(
    files: dict[str, bytes],
    modules: Sequence[ScannedModule],
    owners: Mapping[str, int],
    problems: list[Problem],
) -> None:
    """Add modules.symbols and its binary form: of each symbol the place of its owner."""
    symbols = []
    for symbol in hash_order(owners, SYMBOL_BUCKETS):
        rank = owners[symbol]
        symbols.append((f"symbol:{symbol}", modules[rank].name, rank))
    files["modules.symbols"] = tables.alias_text(symbols, tables.SYMBOLS_TITLE)
    files["modules.symbols.bin"] = index_of(symbols, "modules.symbols.bin", problems)


def make_builtin(files: dict[str, bytes], directory: str, problems: list[Problem]) -> None:
    """Add the two indexes of built-in modules, made from what the kernel's build has left."""
    listed = read_build_file(directory, "modules.builtin", problems, index="modules.builtin.bin")
    entries = builtin.index_entries(listed)
    for line in _text.decode(listed).removesuffix("\n").split("\n") if listed else ():
        if not line[:1].isalpha():
            text = f"Invalid modules.builtin line: {line}\n"  # kmod has the line's newline here
            problems.append(
                Problem(
                    "ERROR",
                    text,
                    kind="bad-line",
                    path=f"{directory}/modules.builtin",
                    index="modules.builtin.bin",
                )
            )
    files["modules.builtin.bin"] = index_of(entries, "modules.builtin.bin", problems)
    index = "modules.builtin.alias.bin"
    modinfo = read_build_file(directory, "modules.builtin.modinfo", problems, index=index)
    aliases = _normalised(builtin.alias_entries(modinfo), index, problems)
    files[index] = index_of(aliases, index, problems)


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


def _normalised(
    aliases: Iterable[Item], index: str, problems: list[Problem], *, twice: bool = False
) -> list[Item]:
    """Return *aliases* as *index* has them; one that a module has *twice* may be a problem."""
    entries = []
    seen: set[tuple[str, str]] = set()

    def warn(kind: str, text: str, name: str) -> None:
        problems.append(Problem("WARNING", text, kind=kind, modules=(name,), index=index))

    for alias, name, rank in aliases:
        try:
            item = (alias_name(alias), name, rank)
        except BadNameError:
            warn("bad-alias", f"Unmatched bracket in {alias}", name)
            continue
        if twice:
            if item[:2] in seen:
                warn("duplicate-alias", f"duplicate module alias:\n{item[0]} {name}", name)
            seen.add(item[:2])
        entries.append(item)
    return entries


def index_of(entries: Iterable[Item], name: str, problems: list[Problem]) -> bytes:
    """Return the binary index of *entries*, without those that the format cannot hold."""
    left_out: list[tuple[str, str]] = []
    data = build_index(entries, left_out)
    for key, value in left_out:
        text = f"{name} cannot hold what is not ASCII: {key} {value}"
        problems.append(Problem("WARNING", text, kind="not-ascii", index=name))
    return data
