"""Read what a program or a shared library asks of the loader that starts it.

    .interp     the path of that loader, with its NUL
    .dynamic    entries of two words each, a tag and a value, up to a tag of 0 (DT_NULL)
    .dynstr     the names that values of DT_NEEDED (1), DT_SONAME (14), DT_RPATH (15) and
                DT_RUNPATH (29) are offsets into

Source: System V ABI, chapter 5; ld.so(8).
"""

from __future__ import annotations

import struct

from lkm import _text
from lkm._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from lkm.elf.file import ElfFile

_NEEDED, _RPATH, _RUNPATH = 1, 15, 29


class Dynamic(Value):
    """What one file needs: the *interpreter*'s path, and by name the libraries *needed*.

    *folders* are where to look for these first, as written: ``$ORIGIN`` is the file's own. All is
    empty for a static program.
    """

    __slots__ = ("folders", "interpreter", "needed")

    def __init__(self, interpreter: str, needed: tuple[str, ...], folders: tuple[str, ...]) -> None:
        self.interpreter: Final = interpreter
        self.needed: Final = needed
        self.folders: Final = folders


def read_dynamic(file: ElfFile) -> Dynamic:
    """Return what *file* needs. Raises ``FormatError`` for sections outside the file."""
    interpreter = _text.decode((file.section_data(".interp") or b"").partition(b"\0")[0])
    names = file.section_data(".dynstr") or b""
    word = file.order + ("QQ" if file.is_64bit else "II")
    data = file.section_data(".dynamic") or b""
    size = struct.calcsize(word)
    entries = list(struct.iter_unpack(word, data[: len(data) // size * size]))
    ended = next((at for at, (tag, _) in enumerate(entries) if tag == 0), len(entries))

    def told(wanted: int) -> list[str]:
        return [
            _text.decode(names[value : names.find(b"\0", value)])
            for tag, value in entries[:ended]
            if tag == wanted and value < len(names)
        ]

    # Where there is a DT_RUNPATH the loader passes a DT_RPATH over.
    texts = told(_RUNPATH) or told(_RPATH)
    folders = [folder for text in texts for folder in text.split(":") if folder]
    return Dynamic(interpreter, tuple(told(_NEEDED)), tuple(folders))
