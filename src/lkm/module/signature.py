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
    from collections.abc import Callable
    from typing import Final, Literal

    from lkm.elf.file import Sliceable

    IdType = Literal["PGP", "X509", "PKCS#7"]

MAGIC = b"~Module signature appended~\n"

_RECORD = struct.Struct(">5B3xI")
_TAIL_SIZE = _RECORD.size + len(MAGIC)
_ALGORITHM_COUNT = 2
_HASHES = ("md4", "md5", "sha1", "rmd160", "sha256", "sha384", "sha512", "sha224", "sm3")
_ID_TYPES: tuple[IdType, ...] = ("PGP", "X509", "PKCS#7")

_WHAT = "PKCS#7"
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
    "2.16.840.1.101.3.4.2.5": "sha512-224",
    "2.16.840.1.101.3.4.2.6": "sha512-256",
    "2.16.840.1.101.3.4.2.7": "sha3-224",
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


_UNREADABLE = Signature("PKCS#7", "", b"", "unknown", b"")


class Signatures:
    """Reads one module's signature after the other, most of which one key has made.

    A message that differs from the last one only in the digest at its end says the same of all
    else, so it is not parsed again: that takes longer than all else that modinfo shows.
    """

    def __init__(self) -> None:
        self._head = b""
        self._like = _UNREADABLE

    def read(self, data: Sliceable) -> Signature | None:
        """Return what ``read_signature`` does."""
        return _read(data, self._from_pkcs7)

    def _from_pkcs7(self, message: bytes) -> Signature:
        head, like = self._head, self._like
        if head and len(message) == len(head) + len(like.signature) and message.startswith(head):
            digest = message[len(head) :]
            return Signature(like.id_type, like.signer, like.key_id, like.hash_algorithm, digest)
        found = _from_pkcs7(message)
        # A digest that stands at the end, and nowhere else, is the one that was found.
        start = len(message) - len(found.signature)
        if found.signature and message.find(found.signature) == start:
            self._head, self._like = message[:start], found
        return found


def read_signature(data: Sliceable) -> Signature | None:
    """Return the signature at the end of the module *data*, None if there is none.

    A record with values out of range, or lengths that do not fit, counts as none. A PKCS#7
    message that cannot be read gives a ``Signature`` with empty fields and the hash ``unknown``.
    """
    return _read(data, _from_pkcs7)


def _read(data: Sliceable, from_pkcs7: Callable[[bytes], Signature]) -> Signature | None:
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
        return from_pkcs7(signature)
    start = end - size - key_size - name_size
    identity = data[start : end - size]
    signer = _text.decode(identity[:name_size].partition(b"\0")[0])
    return Signature(_ID_TYPES[id_type], signer, identity[name_size:], _HASHES[digest], signature)


def _from_pkcs7(message: bytes) -> Signature:
    try:
        return _first_signer(message)
    except FormatError:
        return _UNREADABLE


def _first_signer(message: bytes) -> Signature:
    # ContentInfo: contentType, [0] content. SignedData: version, digestAlgorithms, contentInfo,
    # [0] certificates, [1] crls, signerInfos. SignerInfo: version, issuerAndSerialNumber,
    # digestAlgorithm, [0] attributes, digestEncryptionAlgorithm, encryptedDigest, [1] attributes.
    outer, _end = der.parse_element(message)
    kind, content = _parts(outer, der.SEQUENCE, 2)[:2]
    if der.object_identifier(kind) != _SIGNED_DATA:
        raise FormatError(_WHAT, "no signed data")
    signed = _parts(content, der.CONTEXT_0, 1)[0]
    signers = _parts(signed, der.SEQUENCE, 4, passed_over=(der.CONTEXT_0, der.CONTEXT_1))[3]
    signer = _parts(signers, der.SET, 1)[0]
    _version, identity, digest, _encryption, encrypted = _parts(
        signer, der.SEQUENCE, 5, passed_over=(der.CONTEXT_0,)
    )[:5]
    issuer, serial = _parts(identity, der.SEQUENCE, 2)[:2]
    algorithm = der.object_identifier(_parts(digest, der.SEQUENCE, 1)[0])
    if encrypted.tag != der.OCTET_STRING:
        raise FormatError(_WHAT, "no encrypted digest")
    return Signature(
        "PKCS#7",
        common_name(issuer),
        der.integer_magnitude(serial),
        _DIGESTS.get(algorithm, algorithm),
        encrypted.contents,
    )


def common_name(name: der.Element) -> str:
    """Return the common name of an X.501 name, or else what stands last in it.

    As modinfo shows it: as far as its first NUL. Raises ``FormatError`` for what is no name.
    """
    value = b""
    for part in _parts(name, der.SEQUENCE):
        for attribute in _parts(part, der.SET):
            kind, text = _parts(attribute, der.SEQUENCE, 2)[:2]
            value = _checked(text).partition(b"\0")[0]
            if der.object_identifier(kind) == _COMMON_NAME:
                return _text.decode(value)
    return _text.decode(value)


def _checked(text: der.Element) -> bytes:
    """Return a name's text; one that calls itself UTF-8 and is not makes the message unreadable."""
    if text.tag == der.UTF8_STRING:
        try:
            text.contents.decode("utf-8")
        except UnicodeDecodeError as error:
            raise FormatError(_WHAT, "a name that is not UTF-8") from error
    return text.contents


def _parts(
    element: der.Element, tag: int, least: int = 0, passed_over: tuple[int, ...] = ()
) -> tuple[der.Element, ...]:
    """Return the parts of *element*, which must have that *tag* and so many parts at *least*."""
    if element.tag != tag:
        raise FormatError(_WHAT, f"tag {element.tag:#x} where {tag:#x} belongs")
    parts = der.parse_elements(element.contents)
    kept = tuple([part for part in parts if part.tag not in passed_over])
    if len(kept) < least:
        raise FormatError(_WHAT, f"{len(kept)} parts where {least} belong")
    return kept
