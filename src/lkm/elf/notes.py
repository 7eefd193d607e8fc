"""Read ELF notes.

    note    u32 name size (NUL included), u32 description size, u32 type,
            name, zeros up to a multiple of 4, description, zeros up to a multiple of 4

Source: System V ABI, chapter 5, "Note Section"; elf(5).
"""

from __future__ import annotations

from lkm import _text
from lkm._cursor import Cursor
from lkm._value import Value
from lkm.elf.constants import NT_GNU_BUILD_ID
from lkm.errors import FormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Literal

# The whole of a build id's section, as linkers write it, up to the id.
_USUAL = {
    "<": b"\4\0\0\0\x14\0\0\0\3\0\0\0GNU\0",
    ">": b"\0\0\0\4\0\0\0\x14\0\0\0\3GNU\0",
}
_USUAL_BYTES = 36
# Its section holds one note; among so many more that a walk takes long nobody looks for an id.
_MOST_BYTES = 1 << 16


class Note(Value):
    """One note: who defined it (*name*), what it is to them (*type*), and its bytes."""

    __slots__ = ("description", "name", "type")

    def __init__(self, name: str, type: int, description: bytes) -> None:  # noqa: A002  # ELF's word
        self.name: Final = name
        self.type: Final = type
        self.description: Final = description


def parse_notes(data: bytes, order: Literal["<", ">"]) -> tuple[Note, ...]:
    """Return the notes in *data*, the contents of a note section, in file order.

    The zeros after the last note may be missing. Raises ``FormatError`` where a note is cut off.
    """
    cursor = Cursor(data, order=order, what="ELF notes")
    notes = []
    while cursor.offset < cursor.end:
        name_size, size, kind = cursor.u32(), cursor.u32(), cursor.u32()
        name = cursor.take(name_size)
        cursor.take(min(-name_size % 4, cursor.end - cursor.offset))
        description = cursor.take(size)
        cursor.take(min(-size % 4, cursor.end - cursor.offset))
        notes.append(Note(_text.decode(name.rstrip(b"\0")), kind, description))
    return tuple(notes)


def build_id_in(data: bytes, order: Literal["<", ">"]) -> bytes | None:
    """Return the build id in *data*, its note section.

    None also where a note is cut off, and for more than 64 KiB of notes.
    """
    if len(data) == _USUAL_BYTES and data.startswith(_USUAL[order]):
        return data[16:]
    if len(data) > _MOST_BYTES:
        return None
    try:
        notes = parse_notes(data, order)
    except FormatError:
        return None
    gnu = [note for note in notes if note.name == "GNU" and note.type == NT_GNU_BUILD_ID]
    return gnu[0].description if gnu else None
