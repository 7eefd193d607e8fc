"""Read the part of DER that module signatures use: definite lengths, one-byte tags.

Every read is bounded by the element that it is in, so lengths that lie give ``FormatError``; the
reader calls nothing recursively, so nesting costs nothing.

Source: ITU-T X.690.
"""

from __future__ import annotations

from lkm._value import Value
from lkm.errors import FormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

INTEGER, OCTET_STRING, OBJECT_IDENTIFIER = 0x02, 0x04, 0x06
UTF8_STRING = 0x0C
SEQUENCE, SET = 0x30, 0x31
CONTEXT_0, CONTEXT_1 = 0xA0, 0xA1  # constructed

_WHAT = "DER"
_LONGEST_LENGTH = 4  # bytes; nothing in a module file needs more
_MOST_CHILDREN = 1000
_LONGEST_IDENTIFIER = 64  # bytes


class Element(Value):
    """One element: its *tag* byte, and its *contents*."""

    __slots__ = ("contents", "tag")

    def __init__(self, tag: int, contents: bytes) -> None:
        self.tag: Final = tag
        self.contents: Final = contents


def parse_element(data: bytes, offset: int = 0) -> tuple[Element, int]:
    """Return the element at *offset* of *data*, and the offset after it.

    Raises ``FormatError`` for one that reaches past the end, for a tag of several bytes, and for
    an indefinite or absurd length.
    """
    if offset + 2 > len(data):
        raise FormatError(_WHAT, "cut off", offset=offset)
    tag, length = data[offset], data[offset + 1]
    start = offset + 2
    if tag & 0x1F == 0x1F:
        raise FormatError(_WHAT, "a tag of several bytes", offset=offset)
    if length & 0x80:
        count = length & 0x7F
        if not 0 < count <= _LONGEST_LENGTH or start + count > len(data):
            raise FormatError(_WHAT, "bad length", offset=offset + 1)
        length = int.from_bytes(data[start : start + count], "big")
        start += count
    if start + length > len(data):
        raise FormatError(_WHAT, f"{length} bytes wanted, {len(data) - start} left", offset=start)
    return Element(tag, data[start : start + length]), start + length


def parse_elements(data: bytes) -> tuple[Element, ...]:
    """Return the elements that *data*, the contents of a sequence or set, is made of.

    Raises ``FormatError`` as ``parse_element``, and for more than 1000 of them.
    """
    elements: list[Element] = []
    offset = 0
    while offset < len(data):
        element, offset = parse_element(data, offset)
        elements.append(element)
        if len(elements) > _MOST_CHILDREN:
            raise FormatError(_WHAT, "too many elements", offset=offset)
    return tuple(elements)


def object_identifier(element: Element) -> str:
    """Return the dotted numbers of an object identifier.

    Raises ``FormatError`` for an element of another type, for a number that has no end, and for
    more than 64 bytes.
    """
    data = element.contents
    if element.tag != OBJECT_IDENTIFIER or not 0 < len(data) <= _LONGEST_IDENTIFIER:
        raise FormatError(_WHAT, "no object identifier")
    if data[-1] & 0x80:
        raise FormatError(_WHAT, "an object identifier without end")
    numbers: list[int] = []
    number = 0
    for byte in data:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def integer_magnitude(element: Element) -> bytes:
    """Return the bytes of an integer's magnitude, big endian, without leading zeros.

    Raises ``FormatError`` for an element of another type.
    """
    if element.tag != INTEGER or not element.contents:
        raise FormatError(_WHAT, "no integer")
    number = abs(int.from_bytes(element.contents, "big", signed=True))
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
