"""Parts of an X.509 certificate as the kernel reads them: times, extensions, who signed it.

Source: crypto/asymmetric_keys/x509_cert_parser.c, x509_akid.asn1.
"""

from __future__ import annotations

from lkm.errors import FormatError
from lkm.module import ber
from lkm.module.ber import Piece, Reader
from lkm.module.pkcs7 import read_name

Moment = tuple[int, ...]
"""Year, month, day, hour, minute, second."""

_WHAT = "certificate"
_KEY_USAGE, _BASIC_CONSTRAINTS = "2.5.29.15", "2.5.29.19"
_KEY_ID, _NAMES, _SERIAL = 0x80, 0xA1, 0x82
_DIRECTORY_NAME = 4
_STRINGS = {1: ber.IA5_STRING, 2: ber.IA5_STRING, 6: ber.IA5_STRING}
_INSIDE = _STRINGS | {7: ber.OCTET_STRING, 8: ber.OBJECT_IDENTIFIER}
_KINDS_OF_NAMES = 9
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def whole_bytes(bits: bytes) -> bytes:
    """Return what a BIT STRING holds, which must be whole bytes."""
    if not bits or bits[0]:
        raise FormatError(_WHAT, "bits that are no bytes")
    return bits[1:]


def read_time(piece: Piece) -> Moment:
    """Return the moment that *piece* states; raises ``FormatError`` for what is none."""
    text = piece.contents
    digits = {ber.UTC_TIME: 12, ber.GENERALIZED_TIME: 14}.get(piece.tag, -1)
    if len(text) != digits + 1 or not text.endswith(b"Z") or not _is_number(text[:-1]):
        raise FormatError(_WHAT, "no time")
    year = int(text[: digits - 10])
    if piece.tag == ber.UTC_TIME:
        year += 1900 if year >= 50 else 2000
    elif 1950 <= year <= 2049:
        raise FormatError(_WHAT, "a time that belongs in the shorter form")
    rest = text[digits - 10 : digits]
    month, day, hour, minute, second = [int(rest[place : place + 2]) for place in range(0, 10, 2)]
    if year < 1970 or not 1 <= month <= 12:
        raise FormatError(_WHAT, "no such time")
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    # Midnight may be the end of a day, and a minute may have a second more.
    if not 1 <= day <= _DAYS[month - 1] + leap or hour > 24 or minute > 59 or second > 60:
        raise FormatError(_WHAT, "no such time")
    return year, month, day, hour, minute, second


def _is_number(text: bytes) -> bool:
    return text.isdigit()  # of bytes: ASCII only


def is_sound(identifier: str, value: bytes) -> bool:
    """Tell whether the kernel takes an extension of the two whose *value* it looks into."""
    if identifier == _KEY_USAGE:
        return len(value) >= 4 and value[0] == ber.BIT_STRING and value[2] < 8
    if identifier == _BASIC_CONSTRAINTS:
        if len(value) < 2 or value[0] != ber.SEQUENCE or value[1] != len(value) - 2:
            return False
        return not value[1] or value[2:5] == b"\x01\x01\xff"
    return True


def read_authority(data: bytes) -> tuple[bytes | None, bytes | None]:
    """Return what an authority key id names: the key id, and serial and issuer; None for neither.

    Raises ``FormatError`` for what is none.
    """
    reader = Reader(data, _WHAT)
    key_id = issuer = both = None
    reader.enter(ber.SEQUENCE)
    if reader.next_is(_KEY_ID):
        key_id = reader.leaf(_KEY_ID).contents
    if reader.next_is(_NAMES):
        reader.enter(_NAMES)
        if not reader.at_end():
            issuer = _general_name(reader)
            while reader.more():
                issuer = _general_name(reader) or issuer
        reader.leave()
    if reader.next_is(_SERIAL):
        serial = reader.leaf(_SERIAL).contents
        both = None if issuer is None else serial + issuer
    reader.leave()
    return key_id, both


def _general_name(reader: Reader) -> bytes | None:
    """Read a name of whatever kind; return it if it is a directory's."""
    for kind in range(_KINDS_OF_NAMES):
        tag = 0xA0 + kind
        if not reader.next_is(tag):
            continue
        reader.enter(tag)
        name = None
        if kind == _DIRECTORY_NAME:
            name = read_name(reader, lambda _piece: None)
        elif kind in _INSIDE:
            reader.leaf(_INSIDE[kind])
        else:
            reader.any()
        reader.leave()
        return name
    raise FormatError(_WHAT, "a name of no kind", offset=reader.offset)
