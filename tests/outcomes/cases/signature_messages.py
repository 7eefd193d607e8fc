"""The messages that signatures are: PKCS#7 that is damaged, odd, or not what modules have."""

from __future__ import annotations

from tests.builders.pkcs7 import (
    CONTENT_TYPE,
    DATA,
    DIGESTS,
    MESSAGE_DIGEST,
    NULL,
    SIGNED_DATA,
    a_message,
    algorithm,
    endless,
    oid,
    tlv,
)
from tests.outcomes.cases.signatures import of
from tests.outcomes.signing import attributes, digests, stranger, with_attributes

WINDOWS = "1.3.6.1.4.1.311.2.1.4"
_SHA256 = algorithm(DIGESTS["sha256"])
_NO_SIGNERS = tlv(0x30, tlv(2, b"\1"), tlv(0x31, _SHA256), tlv(0x30, oid(DATA)))
_SERIAL_OF = "2.5.4.5"


def _name(*parts: bytes) -> bytes:
    """Return a signer's name of *parts*, and its number."""
    return tlv(0x30, tlv(0x30, *parts), tlv(2, b"\1"))


def _all_endless(data: bytes) -> bytes:
    inside = endless(
        0x30,
        tlv(2, b"\1"),
        endless(0x31, _SHA256),
        endless(0x30, oid(DATA)),
        endless(0x31, stranger(data).encoded()),
    )
    return endless(0x30, oid(SIGNED_DATA), endless(0xA0, inside))


PARTS = (
    of("type-data", "a message of plain data", lambda d: a_message(stranger(d), kind=DATA)),
    of("type-unknown", "an unknown type", lambda d: a_message(stranger(d), kind="1.2.3.4.5")),
    of("type-only", "a type, and nothing else", lambda _data: tlv(0x30, oid(SIGNED_DATA))),
    of(
        "no-signers-field",
        "the signers are left out",
        lambda _data: tlv(0x30, oid(SIGNED_DATA), tlv(0xA0, _NO_SIGNERS)),
    ),
    of("no-signers", "no signer", lambda _data: a_message()),
    of("no-digests", "no digest", lambda d: a_message(stranger(d), digests=tlv(0x31))),
    of(
        "digests-sequence",
        "the digests are in a sequence, not in a set",
        lambda d: a_message(stranger(d), digests=tlv(0x30, _SHA256)),
    ),
    of(
        "digests-unknown",
        "a digest that is not known, which no signer uses",
        lambda d: a_message(stranger(d), digests=digests(oid("1.2.3.4.5"))),
    ),
    of("version-2", "version 2", lambda d: a_message(stranger(d), version=2)),
    of("version-3", "version 3, signers of 1", lambda d: a_message(stranger(d), version=3)),
    of(
        "signer-version-3",
        "version 1, a signer of 3",
        lambda d: a_message(stranger(d, version=tlv(2, b"\3"))),
    ),
    of(
        "signer-version-2",
        "a signer of version 2",
        lambda d: a_message(stranger(d, version=tlv(2, b"\2"))),
    ),
    of(
        "signer-version-long",
        "a signer's version in two bytes",
        lambda d: a_message(stranger(d, version=tlv(2, b"\0\1"))),
    ),
    of(
        "key-id",
        "a signer that a key's identifier tells",
        lambda d: a_message(
            stranger(d, version=tlv(2, b"\3"), identity=tlv(0x80, b"other-id")), version=3
        ),
    ),
    of(
        "key-id-version-1",
        "the same in version 1, which does not have that",
        lambda d: a_message(stranger(d, identity=tlv(0x80, b"key-id"))),
    ),
    of(
        "serial-version-3",
        "name and number in version 3, which does not have those",
        lambda d: a_message(stranger(d, version=tlv(2, b"\3")), version=3),
    ),
    of(
        "content",
        "the signed data is in the message",
        lambda d: a_message(stranger(d), content=tlv(0xA0, tlv(4, b"x"))),
    ),
    of(
        "content-type-unknown",
        "the data is of an unknown type",
        lambda d: a_message(stranger(d), content_type="1.2.3.4.5"),
    ),
    of(
        "content-type-signed",
        "the data is a signed message itself",
        lambda d: a_message(stranger(d), content_type=SIGNED_DATA),
    ),
    of(
        "content-type-windows",
        "the data is of a type of Windows",
        lambda d: a_message(stranger(d), content_type=WINDOWS),
    ),
    of(
        "issuer-unknown",
        "a part of a name that is not known",
        lambda d: a_message(
            stranger(
                d,
                identity=_name(tlv(0x31, tlv(0x30, oid(_SERIAL_OF), tlv(0x0C, b"x")))),
            )
        ),
    ),
    of("issuer-empty", "no name", lambda d: a_message(stranger(d, identity=_name()))),
    of(
        "signer-trailing",
        "a signer has more",
        lambda d: a_message(stranger(d, others=tlv(4, b"x"))),
    ),
)

ATTRIBUTES = (
    of("attributes", "attributes, all good", lambda d: a_message(with_attributes(d))),
    of(
        "attributes-digest",
        "the digest among them is wrong: nobody gets so far",
        lambda d: a_message(with_attributes(d, digest=bytes(32))),
    ),
    of(
        "attributes-missing",
        "the digest is missing",
        lambda d: a_message(stranger(d, attributes=attributes((CONTENT_TYPE, (oid(DATA),))))),
    ),
    of(
        "attributes-other-type",
        "they tell of another type than the message",
        lambda d: a_message(
            stranger(d, attributes=attributes((CONTENT_TYPE, (oid(SIGNED_DATA),))))
        ),
    ),
    of(
        "attributes-repeated",
        "a type with two values",
        lambda d: a_message(
            stranger(d, attributes=attributes((CONTENT_TYPE, (oid(DATA), oid(DATA)))))
        ),
    ),
    of(
        "attributes-smime",
        "S/MIME capabilities",
        lambda d: a_message(with_attributes(d, ("1.2.840.113549.1.9.15", (NULL,)))),
    ),
    of(
        "attributes-statement",
        "a statement of Windows",
        lambda d: a_message(with_attributes(d, ("1.3.6.1.4.1.311.2.1.11", (NULL,)))),
    ),
    of(
        "attributes-unknown",
        "one that is not known",
        lambda d: a_message(with_attributes(d, ("1.2.3.4.5", (NULL,)))),
    ),
    of(
        "attributes-time",
        "the time of signing",
        lambda d: a_message(
            with_attributes(d, ("1.2.840.113549.1.9.5", (tlv(0x17, b"220101000000Z"),)))
        ),
    ),
    of(
        "attributes-time-bad",
        "a time that there is not",
        lambda d: a_message(
            with_attributes(d, ("1.2.840.113549.1.9.5", (tlv(0x17, b"991399000000Z"),)))
        ),
    ),
    of(
        "attributes-one",
        "one of two signers has some",
        lambda d: a_message(with_attributes(d), stranger(d)),
    ),
    of(
        "attributes-windows",
        "attributes as Windows wants them",
        lambda d: a_message(
            stranger(
                d,
                attributes=attributes(
                    (CONTENT_TYPE, (oid(WINDOWS),)), (MESSAGE_DIGEST, (tlv(4, bytes(32)),))
                ),
            ),
            content_type=WINDOWS,
        ),
    ),
    of(
        "attributes-unsigned",
        "attributes that are not signed",
        lambda d: a_message(
            stranger(d, others=tlv(0xA1, tlv(0x30, oid("1.2.3.4.5"), tlv(0x31, NULL))))
        ),
    ),
    of(
        "attributes-unsigned-none",
        "of these, none",
        lambda d: a_message(stranger(d, others=tlv(0xA1))),
    ),
)

IDENTIFIERS = (
    of(
        "identifier-long",
        "an identifier longer than a log line has room for",
        lambda d: a_message(
            stranger(d), digests=digests(tlv(6, b"\x2a" + b"\xff\xff\xff\x7f" * 8))
        ),
    ),
    of(
        "identifier-cut",
        "an identifier that ends within a number",
        lambda d: a_message(stranger(d), digests=digests(tlv(6, b"\x2a\x03\x84"))),
    ),
    of(
        "identifier-empty",
        "an identifier of no bytes",
        lambda d: a_message(stranger(d), digests=digests(tlv(6))),
    ),
    of(
        "identifier-padded",
        "SHA-256, one of its numbers written longer than need be",
        lambda d: a_message(
            stranger(d), digests=digests(tlv(6, b"\x60\x86\x48\x01\x65\x03\x04\x02\x80\x01"))
        ),
    ),
)

ENCODING = (
    of("endless", "lengths that zeros end", _all_endless),
    of("endless-cut", "the same, the last zero missing", lambda d: _all_endless(d)[:-1]),
    of(
        "endless-content",
        "the data in pieces",
        lambda d: a_message(stranger(d), content=endless(0xA0, endless(0x24, tlv(4, b"x")))),
    ),
    of(
        "primitive-sequence",
        "a sequence that claims to be primitive",
        lambda d: b"\x10" + a_message(stranger(d))[1:],
    ),
    of(
        "constructed-integer",
        "a number that claims to have parts",
        lambda d: a_message(stranger(d, version=tlv(0x22, b"\1"))),
    ),
    of("long-length", "a length of 3 bytes", lambda d: b"\x30\x83\0" + a_message(stranger(d))[2:]),
    of("long-tag", "a tag of more than a byte", lambda d: b"\x3f" + a_message(stranger(d))[1:]),
)

CASES = (*PARTS, *ATTRIBUTES, *IDENTIFIERS, *ENCODING)
