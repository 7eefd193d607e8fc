"""The types of a module while the kernel's BPF verifier looks at them, and what it logs of them.

Each piece of a message is a line of its own in the kernel's log: the verifier writes its messages
in parts, which for a program's author it would put together again.

Source: kernel/bpf/btf.c, btf_verifier_log and the functions NAME_log; kernel/bpf/log.c,
bpf_verifier_vlog.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from types import MappingProxyType

from lkm import _text

ENOTSUPP = 524
"""An errno of the kernel's own, which user space has no name for."""

LARGEST_NAME_OFFSET = 0x00FF_FFFF
LARGEST_TYPE = 0x000F_FFFF

MODIFIERS = frozenset({8, 9, 10, 11, 18})
TYPE_TAG = 18

_REFERENCES = MODIFIERS | {2, 12}  # with pointers and functions

_NAMES = (
    *("UNKNOWN", "INT", "PTR", "ARRAY", "STRUCT", "UNION", "ENUM", "FWD", "TYPEDEF", "VOLATILE"),
    *("CONST", "RESTRICT", "FUNC", "FUNC_PROTO", "VAR", "DATASEC", "FLOAT", "DECL_TAG"),
    *("TYPE_TAG", "ENUM64"),
)
_HEAD_WORDS = 3
ENCODINGS: Mapping[int, str] = MappingProxyType({0: "(none)", 1: "SIGNED", 2: "CHAR", 4: "BOOL"})
"""What an integer may be, by the bits that say so."""

# The kernel's isalpha and isprint know the letters of Latin-1. A name ends within 512 bytes.
_LETTER = rb"A-Za-z\xc0-\xd6\xd8-\xf6\xf8-\xff_."
_IDENTIFIER = re.compile(rb"[" + _LETTER + rb"][0-9" + _LETTER + rb"]{0,511}\0")
_PRINTABLE = re.compile(rb"[ -~\xa0-\xff]{1,512}\0")
# Where the verifier's buffer, and a line of the log, end is not far beyond.
_LONGEST_PIECE = 900


class BtfRefusedError(Exception):
    """The verifier refuses: with *errno*, after *pieces* of log. It never leaves this package."""

    def __init__(self, errno: int, pieces: tuple[bytes, ...] = ()) -> None:
        super().__init__(errno, pieces)
        self.errno = errno
        self.pieces = pieces


class UnknownBtfError(Exception):
    """What could not be told, and why. It never leaves this package."""


class Types:
    """The types of a module while they are looked at.

    *words* are all its types, *at* where the one looked at begins, *number* its number. *base* are
    the kernel's strings, which *own* ones follow. *quiet* leaves out what is said of a single type
    or member; *free_sections* allows every printable character in a section's name.
    """

    def __init__(
        self, words: tuple[int, ...], base: bytes, own: bytes, *, quiet: bool, free_sections: bool
    ) -> None:
        self.words = words
        self.at = 0
        self.number = 0
        self.quiet = quiet
        self._base = base
        self._own = own
        self._split = len(base)
        self._known: dict[int, bool] = {0: False}
        self._section_name = _PRINTABLE if free_sections else _IDENTIFIER

    @property
    def kind(self) -> int:
        """Its kind."""
        return self.words[self.at + 1] >> 24 & 31

    @property
    def vlen(self) -> int:
        """How many members, parameters, values it has."""
        return self.words[self.at + 1] & 0xFFFF

    @property
    def flag(self) -> int:
        """The highest bit of the info: for some kinds it says how to read the rest."""
        return self.words[self.at + 1] >> 31

    @property
    def size(self) -> int:
        """The size in bytes, or the type referred to."""
        return self.words[self.at + 2]

    def has_string(self, offset: int) -> bool:
        """Tell whether there are strings at *offset*."""
        return offset <= LARGEST_NAME_OFFSET and offset < self._split + len(self._own)

    def is_identifier(self, offset: int) -> bool:
        """Tell whether a name of C begins at *offset*; no name, at 0, is none."""
        known = self._known.get(offset)
        if known is None:
            # Thousands a module: no call for each.
            if offset < self._split:
                found = _IDENTIFIER.match(self._base, offset)
            else:
                found = _IDENTIFIER.match(self._own, offset - self._split)
            known = found is not None and offset <= LARGEST_NAME_OFFSET
            self._known[offset] = known
        return known

    def is_section_name(self, offset: int) -> bool:
        """Tell whether a section's name begins at *offset*; no name, at 0, is none."""
        strings, start = self._place(offset)
        return bool(offset) and self._section_name.match(strings, start) is not None

    def _place(self, offset: int) -> tuple[bytes, int]:
        if offset < self._split:
            return self._base, offset
        return self._own, offset - self._split

    def name(self, offset: int) -> bytes:
        """Return the text at *offset* as the log has it."""
        if not offset:
            return b"(anon)"
        strings, start = self._place(offset)
        if start >= len(strings):
            return b"(invalid-name-offset)"
        return strings[start : strings.find(b"\0", start)]

    def refuse(self, text: str, number: int = errno.EINVAL) -> BtfRefusedError:
        """Return the refusal that is told always."""
        return refused(number, text.encode())

    def refuse_type(
        self, text: str, number: int = errno.EINVAL, *, details: bool = True
    ) -> BtfRefusedError:
        """Return the refusal that is told with the type, and its *details*."""
        if self.quiet:
            return BtfRefusedError(number)
        name = self.name(self.words[self.at])
        head = b"[%d] %s %s" % (self.number, _NAMES[self.kind].encode(), name)
        shown = (head + b" ", *self._details()) if details else (head,)
        return refused(number, *shown, b" ", text.encode(), b"\n")

    def refuse_member(self, at: int, text: str) -> BtfRefusedError:
        """Return the refusal that is told with the member of a structure, whose words are *at*."""
        if self.quiet:
            return BtfRefusedError(errno.EINVAL)
        name, kind, offset = self.words[at : at + 3]
        head = b"\t%s type_id=%d" % (self.name(name), kind)
        if self.flag:
            head += b" bitfield_size=%d bits_offset=%d" % (offset >> 24, offset & 0xFF_FFFF)
        else:
            head += b" bits_offset=%d" % offset
        return refused(errno.EINVAL, head, b" ", text.encode(), b"\n")

    def refuse_variable(self, at: int, text: str) -> BtfRefusedError:
        """Return the refusal that is told with the variable of a section, whose words are *at*."""
        head = b"\t type_id=%d offset=%d size=%d" % self.words[at : at + 3]
        return refused(errno.EINVAL, head, b" ", text.encode(), b"\n")

    def _details(self) -> list[bytes]:
        words, at, kind = self.words, self.at, self.kind
        if kind == 1:
            encoding = ENCODINGS.get(words[at + 3] >> 24 & 15, "UNKN")
            bits, start = words[at + 3] & 0xFF, words[at + 3] >> 16 & 0xFF
            text = f"size={self.size} bits_offset={start} nr_bits={bits} encoding={encoding}"
        elif kind in _REFERENCES:
            text = f"type_id={self.size}"
        elif kind == 3:
            element, index, count = words[at + 3 : at + 6]
            text = f"type_id={element} index_type_id={index} nr_elems={count}"
        elif kind == 7:
            text = "union" if self.flag else "struct"
        elif kind == 13:
            return self._prototype()
        elif kind == 14:
            text = f"type_id={self.size} linkage={words[at + 3]}"
        elif kind == 16:
            text = f"size={self.size}"
        elif kind == 17:
            text = f"type={self.size} component_idx={signed(words[at + 3])}"
        else:
            text = f"size={self.size} vlen={self.vlen}"
        return [text.encode()]

    def _prototype(self) -> list[bytes]:
        start, count = self.at + _HEAD_WORDS, self.vlen
        parameters = self.words[start : start + 2 * count]
        pieces = [b"return=%d args=(" % self.size]
        if not count:
            pieces.append(b"void")
        elif count == 1 and not parameters[1]:
            pieces.append(b"vararg")
        else:
            for number, (name, kind) in enumerate(
                zip(parameters[::2], parameters[1::2], strict=True)
            ):
                comma = b", " if number else b""
                last = number and number == count - 1
                shown = b"vararg" if last and not kind else b"%d %s" % (kind, self.name(name))
                pieces.append(comma + shown)
        return [*pieces, b")"]


def refused(number: int, *pieces: bytes) -> BtfRefusedError:
    """Return the refusal that is told by *pieces*, each a line of the log.

    Raises ``UnknownBtfError`` for a piece so long that the kernel cuts it, and complains.
    """
    if any(len(piece) > _LONGEST_PIECE for piece in pieces):
        raise UnknownBtfError("a name is so long that the kernel cuts it in its log")
    return BtfRefusedError(number, pieces)


def lines(refusal: BtfRefusedError) -> tuple[str, ...]:
    """Return the texts that the kernel logs, all of level 3."""
    return tuple(["BPF: " + _text.decode(piece).removesuffix("\n") for piece in refusal.pieces])


def signed(word: int) -> int:
    """Return the word as the signed number that it is."""
    return word - (1 << 32) if word >> 31 else word
