"""Names of modules, aliases and module files.

Two spellings exist for a dash: user space writes ``snd-pcm.ko``, the kernel ``snd_pcm``. Every
module name in lkm is the kernel's spelling, made here and nowhere else.
"""

from __future__ import annotations

from lkm.errors import BadNameError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NewType

    ModuleName = NewType("ModuleName", str)
else:
    ModuleName = str

MODULE_SUFFIXES = (".ko", ".ko.gz", ".ko.xz", ".ko.zst")

ALIAS_BYTES = 4095


def module_name(text: str) -> ModuleName:
    """Return the module name that *text*, a name or a file's base name, stands for.

    Everything from the first dot on is dropped and dashes become underscores:
    ``snd-pcm.ko.zst`` is ``snd_pcm``. The result may be empty (``.gitkeep``).

    Source: kmod, libkmod-util.c, modname_normalize.
    """
    return ModuleName(text.partition(".")[0].replace("-", "_"))


def module_name_of_path(path: str) -> ModuleName:
    """Return the name of the module in the file at *path*."""
    # As module_name does it, in one step: this is done for each file of a tree.
    return ModuleName(path.rpartition("/")[2].partition(".")[0].replace("-", "_"))


def alias_name(text: str) -> str:
    """Return *text* with dashes as underscores, save between ``[`` and the next ``]``.

    Dots stay. Raises ``BadNameError`` for an unmatched bracket and for more than 4095 bytes.

    Source: kmod, libkmod-util.c, alias_normalize.
    """
    if len(text) > ALIAS_BYTES:
        raise BadNameError(text, f"longer than {ALIAS_BYTES} bytes")
    return config_word(text)


def config_word(text: str) -> str:
    """Return *text*, a name in the configuration, as ``alias_name`` does, however long it is.

    Source: kmod, libkmod-util.c, underscores.
    """
    if "[" not in text and "]" not in text:
        return text.replace("-", "_")
    parts: list[str] = []
    rest = text
    while rest:
        outside, opening, inside = rest.partition("[")
        if "]" in outside:
            raise BadNameError(text, "unmatched bracket")
        parts.append(outside.replace("-", "_"))
        if not opening:
            break
        inside, closing, rest = inside.partition("]")
        if not closing:
            raise BadNameError(text, "unmatched bracket")
        parts.append(f"[{inside}]")
    return "".join(parts)


def is_module_file(path: str) -> bool:
    """Tell whether *path* ends as a module file's name does, with something before the suffix."""
    return path.endswith(MODULE_SUFFIXES) and path.rpartition("/")[2] not in MODULE_SUFFIXES
