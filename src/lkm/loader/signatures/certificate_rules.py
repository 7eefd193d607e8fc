"""Read an X.509 certificate as the kernel does: what it takes, and what it makes of the rest.

    Certificate     the part that is signed, algorithm, BIT STRING signature
    that part       [0] version, serial, algorithm, issuer, validity, subject, public key,
                    [1] [2] unique ids, [3] extensions

Source: crypto/asymmetric_keys/x509_cert_parser.c, x509_public_key.c, x509.asn1.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

from lkm.errors import FormatError
from lkm.loader.releases import (
    CERTIFICATE_USAGE,
    NO_SM2_SIGNATURES,
    P521_KEYS,
    SHA3_SIGNATURES,
)
from lkm.loader.signatures.asked_kernel import AskedKernel, RefusedError
from lkm.loader.signatures.certificate_parts import (
    Moment,
    is_sound,
    read_authority,
    read_time,
    whole_bytes,
)
from lkm.loader.signatures.digests import digest
from lkm.loader.signatures.identifiers import known, number
from lkm.loader.signatures.public_keys import PublicKey, Signed, usable, verify
from lkm.module import ber
from lkm.module.ber import Reader
from lkm.module.pkcs7 import read_name

_WHAT = "certificate"
_CONTEXT_0, _CONTEXT_3 = 0xA0, 0xA3
_UNIQUE_IDS = (0x81, 0x82)

_SUBJECT_KEY_ID, _AUTHORITY_KEY_ID = "2.5.29.14", "2.5.29.35"
_RSA_KEY, _EC_KEY = "1.2.840.113549.1.1.1", "1.2.840.10045.2.1"
_SM2_KEY = "1.2.156.10197.1.301"
_ALGORITHMS = {
    "1.2.840.113549.1.1.5": ("rsa", "sha1"),
    "1.2.840.113549.1.1.11": ("rsa", "sha256"),
    "1.2.840.113549.1.1.12": ("rsa", "sha384"),
    "1.2.840.113549.1.1.13": ("rsa", "sha512"),
    "1.2.840.113549.1.1.14": ("rsa", "sha224"),
    "1.2.840.10045.4.1": ("ecdsa", "sha1"),
    "1.2.840.10045.4.3.1": ("ecdsa", "sha224"),
    "1.2.840.10045.4.3.2": ("ecdsa", "sha256"),
    "1.2.840.10045.4.3.3": ("ecdsa", "sha384"),
    "1.2.840.10045.4.3.4": ("ecdsa", "sha512"),
    "1.2.643.7.1.1.3.2": ("ecrdsa", "streebog256"),
    "1.2.643.7.1.1.3.3": ("ecrdsa", "streebog512"),
}
_BEFORE_SHA3 = {"1.2.840.113549.1.1.4": ("rsa", "md4")}
_WITH_SM2 = {"1.2.156.10197.1.501": ("sm2", "sm3")}
_WITH_SHA3 = {
    "2.16.840.1.101.3.4.3.10": ("ecdsa", "sha3-256"),
    "2.16.840.1.101.3.4.3.11": ("ecdsa", "sha3-384"),
    "2.16.840.1.101.3.4.3.12": ("ecdsa", "sha3-512"),
    "2.16.840.1.101.3.4.3.14": ("rsa", "sha3-256"),
    "2.16.840.1.101.3.4.3.15": ("rsa", "sha3-384"),
    "2.16.840.1.101.3.4.3.16": ("rsa", "sha3-512"),
}
_CURVES = {
    "1.2.840.10045.3.1.1": "ecdsa-nist-p192",
    "1.2.840.10045.3.1.7": "ecdsa-nist-p256",
    "1.3.132.0.34": "ecdsa-nist-p384",
}
_P521 = {"1.3.132.0.35": "ecdsa-nist-p521"}
_GOST_KEYS = frozenset({"1.2.643.7.1.1.1.1", "1.2.643.7.1.1.1.2"})


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCertificate:
    """A certificate that the kernel can use.

    *id* is serial and issuer, *key_id* the subject's key id, None without one; *authority_id* and
    *authority_key_id* are the same of who signed it. *signed* is its own signature.
    *unsupported* tells that the kernel lacks the digest of that; *self_signed* that it verified.
    """

    id: bytes
    key_id: bytes | None
    authority_id: bytes | None
    authority_key_id: bytes | None
    key: PublicKey
    signed: Signed
    unsupported: bool
    self_signed: bool
    valid_from: Moment
    valid_to: Moment


def read_certificate(data: bytes, kernel: AskedKernel, *, trusted: bool = False) -> KeyCertificate:
    """Return the certificate that *data* begins with; one *trusted* need not verify by itself.

    Raises ``FormatError`` (EBADMSG) for what is none, ``RefusedError`` for one that the kernel
    does not take, ``UnverifiedError`` where it takes verifying to know that.
    """
    return _Certificate(data, kernel, trusted=trusted).read()


class _Certificate:
    """A certificate while it is read; the fields are those of ``KeyCertificate``."""

    def __init__(self, data: bytes, kernel: AskedKernel, *, trusted: bool) -> None:
        self.trusted = trusted
        self.reader = Reader(data, _WHAT)
        self.kernel = kernel
        self.subject = self.issuer = self.serial = b""
        self.key_id: bytes | None = None
        self.authority: bytes | None = None
        self.authority_id: bytes | None = None
        self.authority_key_id: bytes | None = None
        self.parameters = b""
        self.key = PublicKey("", b"")
        self.algorithm = ""
        self.validity: list[Moment] = []

    def read(self) -> KeyCertificate:
        reader = self.reader
        reader.enter(ber.SEQUENCE)
        begin = reader.offset
        self._signed_part()
        body = reader.data[begin : reader.offset]
        algorithm = self._algorithm()
        bits = reader.leaf(ber.BIT_STRING).contents
        if algorithm != self.algorithm:
            numbers = (
                number(algorithm, self.kernel.facts),
                number(self.algorithm, self.kernel.facts),
            )
            text = "signatureAlgorithm ({}) differs from tbsCertificate.signature ({})"
            raise self.kernel.refuses(errno.EINVAL, "X.509: " + text.format(*numbers))
        value = whole_bytes(bits)
        reader.leave()
        if self.authority is not None:
            self._read_authority(self.authority)
        kind, digest_name = self._algorithms()[self.algorithm]
        made = digest(digest_name, body, self.kernel)
        signed = Signed(algorithm=kind, digest_name=digest_name, digest=made or b"", value=value)
        return KeyCertificate(
            id=self.serial + self.issuer,
            key_id=self.key_id,
            authority_id=self.authority_id,
            authority_key_id=self.authority_key_id,
            key=self.key,
            signed=signed,
            unsupported=made is None,
            self_signed=self._is_self_signed(signed, unsupported=made is None),
            valid_from=self.validity[0],
            valid_to=self.validity[1],
        )

    def _is_self_signed(self, signed: Signed, *, unsupported: bool) -> bool:
        if self.subject != self.issuer:
            return False
        if self.authority_id is not None or self.authority_key_id is not None:
            same_key = self.key_id is not None and self.key_id == self.authority_key_id
            same_id = self.serial + self.issuer == self.authority_id
            if not same_key and not same_id:
                return False
            both = self.authority_id is not None and self.authority_key_id is not None
            if same_key != same_id and both:
                raise RefusedError(errno.EKEYREJECTED, "a certificate whose issuer is two")
        if unsupported:
            return False
        answer = (usable if self.trusted else verify)(self.key, signed, self.kernel)
        if answer:
            raise RefusedError(
                answer, "a certificate is not signed by its own key, or that is of no use"
            )
        return True

    def _algorithms(self) -> dict[str, tuple[str, str]]:
        kernel = self.kernel.facts
        found = dict(_ALGORITHMS)
        found |= _WITH_SHA3 if kernel.has(SHA3_SIGNATURES) else _BEFORE_SHA3
        return found if kernel.has(NO_SM2_SIGNATURES) else found | _WITH_SM2

    def _identifier(self) -> str:
        return known(self.reader.leaf(ber.OBJECT_IDENTIFIER).contents, self.kernel.facts)

    def _algorithm(self) -> str:
        reader = self.reader
        reader.enter(ber.SEQUENCE)
        identifier = self._identifier()
        self.parameters = b""
        if not reader.at_end():
            begin = reader.offset
            reader.any()
            self.parameters = reader.data[begin : reader.offset]
        reader.leave()
        return identifier

    def _signed_part(self) -> None:
        reader = self.reader
        reader.enter(ber.SEQUENCE)
        if reader.next_is(_CONTEXT_0):
            reader.enter(_CONTEXT_0)
            reader.leaf(ber.INTEGER)
            reader.leave()
        self.serial = reader.leaf(ber.INTEGER).contents
        self.algorithm = self._algorithm()
        if self.algorithm not in self._algorithms():
            raise RefusedError(errno.ENOPKG, "a certificate signed by an unknown algorithm")
        self.issuer = read_name(reader, lambda _piece: None)
        self._validity()
        self.subject = read_name(reader, lambda _piece: None)
        self._public_key()
        for tag in _UNIQUE_IDS:
            if reader.next_is(tag):
                reader.leaf(tag)
        if reader.next_is(_CONTEXT_3):
            self._extensions()
        reader.leave()

    def _validity(self) -> None:
        reader = self.reader
        reader.enter(ber.SEQUENCE)
        first = self._time()
        # Of one time the kernel makes two.
        self.validity = [first, first if reader.at_end() else self._time()]
        reader.leave()

    def _time(self) -> Moment:
        universal = self.reader.next_is(ber.UTC_TIME)
        piece = self.reader.leaf(ber.UTC_TIME if universal else ber.GENERALIZED_TIME)
        return read_time(piece)

    def _public_key(self) -> None:
        reader = self.reader
        reader.enter(ber.SEQUENCE)
        identifier = self._algorithm()
        bits = reader.leaf(ber.BIT_STRING).contents
        name = self._key_algorithm(identifier)
        if not name:
            raise RefusedError(errno.ENOPKG, "a certificate with a key of an unknown kind")
        self.key = PublicKey(name, whole_bytes(bits))
        reader.leave()

    def _key_algorithm(self, identifier: str) -> str:
        kernel = self.kernel.facts
        if identifier == _RSA_KEY:
            return "rsa"
        if identifier in _GOST_KEYS:
            return "ecrdsa"
        if identifier == _EC_KEY:
            data = self.parameters
            if len(data) < 3 or data[0] != ber.OBJECT_IDENTIFIER or data[1] != len(data) - 2:
                raise FormatError(_WHAT, "a key without a curve")
            curves = _CURVES | _P521 if kernel.has(P521_KEYS) else _CURVES
            curve = known(data[2:], kernel)
            return curves.get(curve) or self._sm2(curve)
        return self._sm2(identifier)

    def _sm2(self, identifier: str) -> str:
        gone = self.kernel.facts.has(NO_SM2_SIGNATURES)
        return "sm2" if identifier == _SM2_KEY and not gone else ""

    def _extensions(self) -> None:
        reader = self.reader
        reader.enter(_CONTEXT_3)
        reader.enter(ber.SEQUENCE)
        while True:
            reader.enter(ber.SEQUENCE)
            identifier = self._identifier()
            if reader.next_is(ber.BOOLEAN):
                reader.leaf(ber.BOOLEAN)
            self._extension(identifier, reader.leaf(ber.OCTET_STRING).contents)
            reader.leave()
            if not reader.more():
                break
        reader.leave()
        reader.leave()

    def _extension(self, identifier: str, value: bytes) -> None:
        if identifier == _SUBJECT_KEY_ID:
            short = len(value) < 3 or value[0] != ber.OCTET_STRING or value[1] != len(value) - 2
            if self.key_id is not None or short:
                raise FormatError(_WHAT, "no key id")
            self.key_id = value[2:]
        elif identifier == _AUTHORITY_KEY_ID:
            self.authority = value
        elif self.kernel.facts.has(CERTIFICATE_USAGE) and not is_sound(identifier, value):
            raise FormatError(_WHAT, "a malformed extension")

    def _read_authority(self, data: bytes) -> None:
        try:
            self.authority_key_id, self.authority_id = read_authority(data)
        except FormatError:
            self.kernel.says("X.509: Couldn't decode AuthKeyIdentifier")
            raise
