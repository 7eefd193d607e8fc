"""Find the X.509 certificates that a kernel trusts from the start: those compiled into it.

    the list    certificates, one after the other, then zeros up to a multiple of 8 (or more: room
                that is kept for one more certificate), then a word: the list's length; since 5.13,
                at the next multiple of 8, another: the length of the first certificate, which
                belongs to the key that modules are signed with. Where assemblers count alignment
                in bits (arm64, powerpc), read 256 for 8

Only certificates in such a list are believed. A kernel may hold others: to test itself, for
wireless regulations, or, since 5.13 too, a list of revoked ones, which has the first word only.

    Certificate     SEQUENCE: the part that is signed, algorithm, signature
    that part       [0] version, INTEGER serial, algorithm, issuer, validity, subject, public key,
                    ... [3] extensions: OBJECT IDENTIFIER, OCTET STRING

Source: certs/system_certificates.S; RFC 5280, section 4.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lkm.errors import FormatError
from lkm.module import der
from lkm.module.signature import common_name
from lkm.vmlinux.answers import CouldNotTell
from lkm.vmlinux.image import KernelImage

_WHAT = "certificate"
_VERSION_3 = b"\xa0\x03\x02\x01\x02"
_EXTENSIONS = 0xA3
_SUBJECT_KEY_ID = "2.5.29.14"
# From a certificate's first byte to its version: two headers of 2 to 4 bytes.
_DISTANCES = (8, 7, 6, 4)
_LARGEST = 1 << 16
_MOST_PLACES = 2000
_MOST_IN_LIST = 1000
_LARGEST_ROOM = 1 << 16
_ALIGNMENTS = (8, 256)
_REVOKED_SINCE = (5, 13)
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate: whose it is, who vouches for it, and what signatures call it.

    *subject* and *issuer* are common names. *serial* is a number's bytes, big endian, which
    modinfo prints of a signature as ``sig_key``; *key_id* is the identifier of its public key,
    empty where it states none. *data* is all of it, in DER.
    """

    subject: str
    issuer: str
    serial: bytes
    key_id: bytes
    data: bytes = field(repr=False)


def read_certificates(image: KernelImage) -> tuple[Certificate, ...] | CouldNotTell:
    """Return the certificates compiled into the kernel in *image*, in its order.

    Could not tell where no list is found, for the kernel may have no keyring, or an empty one; nor
    where one is found that may as well be of revoked certificates.
    """
    revocable = image.release is None or _version(image.release) >= _REVOKED_SINCE
    lists: list[tuple[Certificate, ...]] = []
    end = 0
    for start in _places(image.data):
        if start < end:
            continue  # inside the one before
        certificates = tuple(_certificates(image.data, start))
        size = sum([len(each.data) for each in certificates])
        end = start + size
        first = len(certificates[0].data) if certificates else 0
        if first and _is_list(image, start, size, first if revocable else None):
            lists.append(certificates)
    if not lists:
        return CouldNotTell("no list of trusted certificates was found in the image")
    if len(lists) > 1:
        return CouldNotTell("the image has several lists that may be of trusted certificates")
    return lists[0]


def parse_certificate(data: bytes) -> Certificate:
    """Return the certificate that *data* begins with; what follows it is left out of its data.

    Raises ``FormatError`` for anything else. Nothing is verified.
    """
    outer, end = der.parse_element(data)
    parts = der.parse_elements(_in(outer, der.SEQUENCE))
    if len(parts) != 3:
        raise FormatError(_WHAT, f"{len(parts)} parts instead of 3")
    fields = der.parse_elements(_in(parts[0], der.SEQUENCE))
    if fields and fields[0].tag == der.CONTEXT_0:  # version 1 has no field for it
        fields = fields[1:]
    if len(fields) < 6:
        raise FormatError(_WHAT, f"{len(fields)} fields, of 6 that it must have")
    serial, _algorithm, issuer, _validity, subject = fields[:5]
    extensions = [each for each in fields[6:] if each.tag == _EXTENSIONS]
    return Certificate(
        subject=common_name(subject),
        issuer=common_name(issuer),
        serial=der.integer_magnitude(serial),
        key_id=_key_id(extensions[0]) if extensions else b"",
        data=data[:end],
    )


def _key_id(extensions: der.Element) -> bytes:
    listed, _end = der.parse_element(extensions.contents)
    for extension in der.parse_elements(_in(listed, der.SEQUENCE)):
        parts = der.parse_elements(_in(extension, der.SEQUENCE))
        if parts and der.object_identifier(parts[0]) == _SUBJECT_KEY_ID:
            inner, _end = der.parse_element(_in(parts[-1], der.OCTET_STRING))
            return _in(inner, der.OCTET_STRING)
    return b""


def _places(data: bytes) -> Iterator[int]:
    """Yield the offsets where something begins that looks like a certificate."""
    found = -1
    for _turn in range(_MOST_PLACES):
        found = data.find(_VERSION_3, found + 1)
        if found < 0:
            return
        for distance in _DISTANCES:
            if found >= distance and data[found - distance] == der.SEQUENCE:
                yield found - distance


def _certificates(data: bytes, start: int) -> Iterator[Certificate]:
    """Yield the certificates that follow each other from *start* on."""
    for _turn in range(_MOST_IN_LIST):
        try:
            certificate = parse_certificate(data[start : start + _LARGEST])
        except FormatError:
            return
        yield certificate
        start += len(certificate.data)


def _is_list(image: KernelImage, start: int, size: int, first: int | None) -> bool:
    """Tell whether the word of the list's length, *size*, stands after what began at *start*.

    If *first* is given, so must the word of the first certificate's length.
    """
    width = 8 if image.is_64bit else 4

    def word(number: int) -> bytes:
        return number.to_bytes(width, "little" if image.order == "<" else "big")

    end = start + size
    rest = image.data[end : end + _LARGEST_ROOM]
    zeros = len(rest) - len(rest.lstrip(b"\0"))
    for align in _ALIGNMENTS:
        padding = -end % align
        if start % align or zeros < padding:
            continue
        place = padding + (zeros - padding) // align * align  # of the first byte that is not zero
        if rest[place : place + width] == word(size):
            other = rest[place + align : place + align + width]
            if first is None or other == word(first):
                return True
    return False


def _version(release: str) -> tuple[int, int]:
    match = _VERSION.match(release)
    return (int(match[1]), int(match[2])) if match else _REVOKED_SINCE


def _in(element: der.Element, tag: int) -> bytes:
    if element.tag != tag:
        raise FormatError(_WHAT, f"tag {element.tag:#x} where {tag:#x} belongs")
    return element.contents
