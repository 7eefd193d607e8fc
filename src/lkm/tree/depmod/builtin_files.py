"""The two indexes of built-in modules, made from what the kernel's build has left.

Source: depmod(8); kmod, tools/depmod.c, output_builtin_bin and output_builtin_alias_bin.
"""

from __future__ import annotations

from lkm import _text
from lkm.tree import builtin
from lkm.tree.depmod.index_files import alias_keys, index_of, read_build_file
from lkm.tree.problem import Problem

BUILTIN_SOURCES = ("modules.builtin", "modules.builtin.modinfo")
_BUILTIN, _ALIAS = "modules.builtin.bin", "modules.builtin.alias.bin"


def builtin_files(directory: str, problems: list[Problem]) -> dict[str, bytes]:
    """Return the two files by name; what is wrong is added to *problems*. Raises ``FileError``."""
    listed, modinfo = BUILTIN_SOURCES
    files: dict[str, bytes] = {}
    data = read_build_file(directory, listed, problems, index=_BUILTIN)
    for line in _text.decode(data).removesuffix("\n").split("\n") if data else ():
        if not line[:1].isalpha():
            text = f"Invalid modules.builtin line: {line}\n"  # kmod has the line's newline here
            path = f"{directory}/{listed}"
            problems.append(Problem("ERROR", text, kind="bad-line", path=path, index=_BUILTIN))
    names = [name for name, _, _ in builtin.index_entries(data)]
    files[_BUILTIN] = index_of([("", 0, names)], _BUILTIN, problems).data
    data = read_build_file(directory, modinfo, problems, index=_ALIAS)
    aliases = builtin.alias_entries(data)
    groups = [(name, 0, alias_keys((alias,), name, _ALIAS, problems)) for alias, name, _ in aliases]
    files[_ALIAS] = index_of(groups, _ALIAS, problems).data
    return files
