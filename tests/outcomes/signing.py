"""Messages that sign modules, by keys that no kernel knows.

Keys are made anew in each run: no answer may depend on their bytes, only on their kinds.
"""

from __future__ import annotations

import hashlib
import struct

from lkm.vmlinux.certificates import Certificate
from tests.builders.pkcs7 import (
    CONTENT_TYPE,
    DATA,
    MESSAGE_DIGEST,
    ASigner,
    a_certificate,
    a_key,
    a_message,
    a_signer,
    algorithm,
    oid,
    sign,
    tlv,
)
from tests.outcomes.patching import Patch

_MARK = b"~Module signature appended~\n"
_SMALL = "rsa1024"  # quickly made, for keys that nobody gets to see

Attribute = tuple[str, tuple[bytes, ...]]


def stranger(data: bytes, number: int = 0, **parts: bytes) -> ASigner:
    """Return a signer of *data* whose certificate nobody has, with other *parts*."""
    key = a_key(_SMALL, number)
    return a_signer(key, a_certificate(key), data).but(**parts)


def digests(identifier: bytes) -> bytes:
    """Return a message's digest algorithms, of which there is one."""
    return tlv(0x31, tlv(0x30, identifier))


def own(kind: str = "rsa2048", digest: str = "sha256") -> Certificate:
    """Return a certificate that a message can bring along, of a key that no message signs else."""
    return a_certificate(a_key(kind, 1), "E", digest=digest)


def with_certificate(
    data: bytes, kind: str = "rsa2048", *, digest: str = "sha256", flip: int | None = None
) -> bytes:
    """Return a message that brings its signer's certificate, signed by itself with *digest*.

    *flip* is a byte of the certificate in which one bit is wrong.
    """
    certificate = own(kind, digest)
    brought = bytearray(certificate.data)
    if flip is not None:
        brought[flip] ^= 1
    signer = a_signer(a_key(kind, 1), certificate, data)
    return a_message(signer, certificates=[bytes(brought)])


def own_signer(data: bytes, digest: str = "sha256") -> ASigner:
    """Return the signer that ``own`` is the certificate of."""
    return a_signer(a_key("rsa2048", 1), own(), data, digest)


def with_chain(data: bytes, *, root: bool = True, broken: bool = False) -> bytes:
    """Return a message with the signer's certificate, and that of who issued it."""
    issuer, other = a_key(_SMALL, 2), a_key(_SMALL, 3)
    leaf = a_certificate(
        a_key(_SMALL, 4),
        "leaf",
        issuer="K",
        issuer_key=other if broken else issuer,
        serial=99,
        key_id=b"leafid",
        authority_key_id=b"key-id",
    )
    brought = [leaf.data, a_certificate(issuer).data] if root else [leaf.data]
    return a_message(a_signer(a_key(_SMALL, 4), leaf, data), certificates=brought)


def attributes(*pairs: Attribute, tag: int = 0xA0) -> bytes:
    """Return signed attributes: of each the type and the values."""
    return tlv(tag, *[tlv(0x30, oid(name), tlv(0x31, *values)) for name, values in pairs])


def with_attributes(data: bytes, *more: Attribute, digest: bytes = b"") -> ASigner:
    """Return a signer who signs attributes, of which the digest of *data* is one."""
    found = digest or hashlib.sha256(data).digest()
    given = attributes((CONTENT_TYPE, (oid(DATA),)), (MESSAGE_DIGEST, (tlv(4, found),)), *more)
    signature = sign(a_key(_SMALL), b"\x31" + given[1:])
    return stranger(data, attributes=given, signature=tlv(4, signature))


def by_digest(data: bytes, identifier: str) -> bytes:
    """Return a message whose signer names that digest."""
    return a_message(stranger(data, digest=algorithm(identifier)))


def by_algorithm(data: bytes, identifier: str) -> bytes:
    """Return a message whose signer names that algorithm."""
    return a_message(stranger(data, encryption=algorithm(identifier)))


def message_at(data: bytes) -> int:
    """Return where the message of a signed module begins."""
    end = len(data) - len(_MARK) - 12
    (size,) = struct.unpack(">I", data[end + 8 : end + 12])
    return end - int(size)


def message_cut(size: int) -> Patch:
    """Keep *size* bytes of the message at the end; a negative number takes as many from its end."""

    def patch(data: bytes) -> bytes:
        start, end = message_at(data), len(data) - len(_MARK) - 12
        message = data[start:end][:size]
        return (
            data[:start] + message + data[end : end + 8] + struct.pack(">I", len(message)) + _MARK
        )

    return patch
