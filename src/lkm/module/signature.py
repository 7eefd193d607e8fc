"""Read the signature that is appended to a module file.

    [signer's name] [key id] [signature] [12-byte record] [28-byte magic]

    record  u8 algorithm, u8 hash, u8 id type, u8 length of the name, u8 length of the key id,
            3 zeros, u32 length of the signature (big endian)

Since Linux 4.3 (commit 3f1e1bea34, "MODSIGN: Use PKCS#7 messages as module signatures") the id
type is PKCS#7, name and key id are empty, and the facts stand in the message. Nothing is verified
here.

Source: include/linux/module_signature.h; kmod, libkmod-signature.c; RFC 2315.
"""

from __future__ import annotations

import struct

from lkm import _text
from lkm._value import Value
from lkm.errors import FormatError
from lkm.module import der

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Literal

    from lkm.elf.file import Sliceable

    IdType = Literal["PGP", "X509", "PKCS#7"]

MAGIC = b"~Module signature appended~\n"

_RECORD = struct.Struct(">5B3xI")
_TAIL_SIZE = _RECORD.size + len(MAGIC)
_ALGORITHM_COUNT = 2
_HASHES = ("md4", "md5", "sha1", "rmd160", "sha256", "sha384", "sha512", "sha224", "sm3")
_ID_TYPES: tuple[IdType, ...] = ("PGP", "X509", "PKCS#7")

_SIGNED_DATA = "1.2.840.113549.1.7.2"
_COMMON_NAME = "2.5.4.3"
# The long names that OpenSSL prints.
_DIGESTS = {
    "1.2.840.113549.2.4": "md4",
    "1.2.840.113549.2.5": "md5",
    "1.3.14.3.2.26": "sha1",
    "1.3.36.3.2.1": "ripemd160",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.8": "sha3-256",
    "2.16.840.1.101.3.4.2.9": "sha3-384",
    "2.16.840.1.101.3.4.2.10": "sha3-512",
    "1.2.156.10197.1.401": "sm3",
}


class Signature(Value):
    """What modinfo prints of a signature.

    *signer* is the name of the signing key's issuer, *key_id* its serial number (or, before
    PKCS#7, its identifier), *hash_algorithm* such as ``sha256``, *signature* the encrypted digest.
    """

    __slots__ = ("hash_algorithm", "id_type", "key_id", "signature", "signer")

    def __init__(
        self, id_type: IdType, signer: str, key_id: bytes, hash_algorithm: str, signature: bytes
    ) -> None:
        self.id_type: Final = id_type
        self.signer: Final = signer
        self.key_id: Final = key_id
        self.hash_algorithm: Final = hash_algorithm
        self.signature: Final = signature


def read_signature(data: Sliceable) -> Signature | None:
    """Return the signature at the end of the module *data*, None if there is none.

    A record with values out of range, or lengths that do not fit, counts as none. A PKCS#7
    message that cannot be read gives a ``Signature`` with empty fields and the hash ``unknown``.
    """
    end = len(data) - _TAIL_SIZE
    if end < 0:
        return None
    tail = data[end : end + _TAIL_SIZE]
    if not tail.endswith(MAGIC):
        return None
    algorithm, digest, id_type, name_size, key_size, size = _RECORD.unpack_from(tail)
    known = algorithm < _ALGORITHM_COUNT and digest < len(_HASHES) and id_type < len(_ID_TYPES)
    if not known or not size or name_size + key_size + size > end:
        return None
    signature = data[end - size : end]
    if _ID_TYPES[id_type] == "PKCS#7":
        return _from_pkcs7(signature)
    start = end - size - key_size - name_size
    identity = data[start : end - size]
    signer = _text.decode(identity[:name_size])
    return Signature(_ID_TYPES[id_type], signer, identity[name_size:], _HASHES[digest], signature)


def _from_pkcs7(message: bytes) -> Signature:
    try:
        return _first_signer(message)
    except (FormatError, IndexError):  # IndexError: an element that must be there is not
        return Signature("PKCS#7", "", b"", "unknown", b"")


def _first_signer(message: bytes) -> Signature:
    # ContentInfo: contentType, [0] content. SignedData: version, digestAlgorithms, contentInfo,
    # [0] certificates, [1] crls, signerInfos. SignerInfo: version, issuerAndSerialNumber,
    # digestAlgorithm, [0] attributes, digestEncryptionAlgorithm, encryptedDigest, [1] attributes.
    outer, _end = der.parse_element(message)
    kind, content = der.parse_elements(_in(outer, der.SEQUENCE))[:2]
    if der.object_identifier(kind) != _SIGNED_DATA:
        raise FormatError("PKCS#7", "no signed data")
    (signed,) = der.parse_elements(_in(content, der.CONTEXT_0))
    parts = der.parse_elements(_in(signed, der.SEQUENCE))
    signers = [part for part in parts[3:] if part.tag == der.SET]
    signer, _end = der.parse_element(_in(signers[-1], der.SET))
    fields = der.parse_elements(_in(signer, der.SEQUENCE))
    issuer, serial = der.parse_elements(_in(fields[1], der.SEQUENCE))[:2]
    digest = der.parse_elements(_in(fields[2], der.SEQUENCE))[0]
    rest = [field for field in fields[3:] if field.tag != der.CONTEXT_0]
    oid = der.object_identifier(digest)
    return Signature(
        "PKCS#7",
        _common_name(issuer),
        der.integer_magnitude(serial),
        _DIGESTS.get(oid, oid),
        _in(rest[1], der.OCTET_STRING),
    )


def _common_name(name: der.Element) -> str:
    value = b""
    for part in der.parse_elements(_in(name, der.SEQUENCE)):
        for attribute in der.parse_elements(_in(part, der.SET)):
            kind, text = der.parse_elements(_in(attribute, der.SEQUENCE))[:2]
            value = text.contents
            if der.object_identifier(kind) == _COMMON_NAME:
                return _until_nul(value)
    return _until_nul(value)


def _until_nul(value: bytes) -> str:
    return _text.decode(value.partition(b"\0")[0])


def _in(element: der.Element, tag: int) -> bytes:
    if element.tag != tag:
        raise FormatError("PKCS#7", f"tag {element.tag:#x} where {tag:#x} belongs")
    return element.contents
