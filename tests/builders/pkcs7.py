"""Keys, certificates, and PKCS#7 messages in every part of which a test may put something else."""

from __future__ import annotations

import datetime
import functools
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from lkm.module.signature import MAGIC
from lkm.vmlinux.certificates import Certificate, parse_certificate

DATA = "1.2.840.113549.1.7.1"
SIGNED_DATA = "1.2.840.113549.1.7.2"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
DIGESTS = {
    "md4": "1.2.840.113549.2.4",
    "md5": "1.2.840.113549.2.5",
    "sha1": "1.3.14.3.2.26",
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
    "sha224": "2.16.840.1.101.3.4.2.4",
    "sha3-256": "2.16.840.1.101.3.4.2.8",
    "sha3-512": "2.16.840.1.101.3.4.2.10",
}
HASHES: dict[str, hashes.HashAlgorithm] = {
    "md5": hashes.MD5(),
    "sha1": hashes.SHA1(),
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
    "sha3-256": hashes.SHA3_256(),
    "sha3-512": hashes.SHA3_512(),
}
RSA, ECDSA_SHA256 = "1.2.840.113549.1.1.1", "1.2.840.10045.4.3.2"
NULL = b"\x05\0"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def tlv(tag: int, *parts: bytes) -> bytes:
    """Return an element in DER."""
    contents = b"".join(parts)
    size = len(contents)
    if size < 0x80:
        return bytes((tag, size)) + contents
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + contents


def endless(tag: int, *parts: bytes) -> bytes:
    """Return an element that zeros end, as BER has them."""
    return bytes((tag, 0x80)) + b"".join(parts) + b"\0\0"


def oid(text: str) -> bytes:
    """Return the object identifier with these dotted numbers."""
    first, second, *rest = map(int, text.split("."))
    contents = bytearray()
    for number in (40 * first + second, *rest):
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(number & 0x7F | 0x80)
        contents += bytes(reversed(groups))
    return tlv(6, bytes(contents))


@functools.cache
def a_key(kind: str = "rsa2048", number: int = 0) -> PrivateKey:  # noqa: ARG001  # of a kind
    """Return a key; the same for the same *kind* (rsa2048, p256) and *number*."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    curves: dict[str, ec.EllipticCurve] = {
        "p192": ec.SECP192R1(),
        "p256": ec.SECP256R1(),
        "p384": ec.SECP384R1(),
        "p521": ec.SECP521R1(),
    }
    return ec.generate_private_key(curves[kind])


@functools.cache
def a_certificate(
    key: PrivateKey,
    name: str = "K",
    *,
    issuer: str = "",
    issuer_key: PrivateKey | None = None,
    serial: int = 0x1234,
    digest: str = "sha256",
    key_id: bytes | None = b"key-id",
    authority_key_id: bytes | None = None,
    padding_bytes: int = 0,
) -> Certificate:
    """Return a certificate of *key*, signed by itself where no *issuer_key* signs it."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer or name))
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(datetime.datetime(2020, 1, 1))
        .not_valid_after(datetime.datetime(2040, 1, 1))
    )
    if key_id is not None:
        builder = builder.add_extension(x509.SubjectKeyIdentifier(key_id), critical=False)
    if authority_key_id is not None:
        authority = x509.AuthorityKeyIdentifier(authority_key_id, None, None)
        builder = builder.add_extension(authority, critical=False)
    if padding_bytes:
        other = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.4.3"), bytes(padding_bytes))
        builder = builder.add_extension(other, critical=False)
    algorithm = HASHES[digest]
    made = builder.sign(issuer_key or key, algorithm)  # type: ignore[arg-type]  # of those it takes
    return parse_certificate(made.public_bytes(serialization.Encoding.DER))


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def sign(key: PrivateKey, data: bytes, digest: str = "sha256") -> bytes:
    """Return the signature of *data* by *key*: PKCS#1 1.5, or two numbers in DER."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), HASHES[digest])
    return key.sign(data, ec.ECDSA(HASHES[digest]))


def name_and_serial(certificate: Certificate) -> bytes:
    """Return issuer and serial number of *certificate*, as a signer states them."""
    parsed = x509.load_der_x509_certificate(certificate.data)
    serial = parsed.serial_number
    number = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
    return tlv(0x30, parsed.issuer.public_bytes(), tlv(2, number))


A_NAME_AND_SERIAL = tlv(
    0x30, tlv(0x30, tlv(0x31, tlv(0x30, oid("2.5.4.3"), tlv(0x0C, b"N")))), tlv(2, b"\1")
)


def algorithm(identifier: str, parameters: bytes = NULL) -> bytes:
    """Return an algorithm with its parameters."""
    return tlv(0x30, oid(identifier), parameters)


@dataclass(frozen=True, kw_only=True)
class ASigner:
    """A signer, part by part; each is encoded."""

    version: bytes = tlv(2, b"\1")
    identity: bytes = b""
    digest: bytes = algorithm(DIGESTS["sha256"])
    attributes: bytes = b""
    encryption: bytes = algorithm(RSA)
    signature: bytes = tlv(4, bytes(256))
    others: bytes = b""

    def encoded(self) -> bytes:
        """Return it in DER."""
        return tlv(
            0x30,
            self.version,
            self.identity,
            self.digest,
            self.attributes,
            self.encryption,
            self.signature,
            self.others,
        )

    def but(self, **parts: bytes) -> ASigner:
        """Return it with other *parts*."""
        return replace(self, **parts)


def a_signer(
    key: PrivateKey, certificate: Certificate, data: bytes, digest: str = "sha256"
) -> ASigner:
    """Return the signer of *data*, known by the issuer and serial of *certificate*."""
    encryption = RSA if isinstance(key, rsa.RSAPrivateKey) else ECDSA_SHA256
    return ASigner(
        identity=name_and_serial(certificate),
        digest=algorithm(DIGESTS[digest]),
        encryption=algorithm(encryption),
        signature=tlv(4, sign(key, data, digest)),
    )


def a_message(
    *signers: ASigner,
    version: int = 1,
    kind: str = SIGNED_DATA,
    content: bytes = b"",
    content_type: str = DATA,
    certificates: Iterable[bytes] = (),
    digests: bytes = tlv(0x31, algorithm(DIGESTS["sha256"])),
) -> bytes:
    """Return a message of *signers*."""
    inside = tlv(0xA0, *certificates) if certificates else b""
    data = tlv(
        0x30,
        tlv(2, bytes((version,))),
        digests,
        tlv(0x30, oid(content_type), content),
        inside,
        tlv(0x31, *[signer.encoded() for signer in signers]),
    )
    return tlv(0x30, oid(kind), tlv(0xA0, data))


def appended(
    data: bytes, message: bytes, *, record: bytes = b"\0\0\2\0\0\0\0\0", size: int | None = None
) -> bytes:
    """Return *data* with *message* behind it, the record of *size*, and the mark."""
    return (
        data + message + record + struct.pack(">I", len(message) if size is None else size) + MAGIC
    )


def signed(data: bytes, key: PrivateKey, certificate: Certificate, digest: str = "sha256") -> bytes:
    """Return *data* signed as the kernel's build does it."""
    return appended(data, a_message(a_signer(key, certificate, data, digest)))
