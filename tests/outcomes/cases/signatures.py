"""Signatures: what is behind the module, whose key it is, and which algorithms."""

from __future__ import annotations

from collections.abc import Callable

from tests.builders.pkcs7 import (
    DATA,
    DIGESTS,
    ECDSA_SHA256,
    a_certificate,
    a_key,
    a_message,
    a_signer,
    algorithm,
    appended,
    tlv,
)
from tests.outcomes.case import MODS, TAINT, Case, debian, iload, load, single, tiny
from tests.outcomes.patching import Patch, cut_signature, flipped
from tests.outcomes.patching import appended as behind
from tests.outcomes.signing import (
    by_algorithm,
    by_digest,
    message_at,
    message_cut,
    own,
    own_signer,
    stranger,
    with_certificate,
    with_chain,
)

MARK = b"~Module signature appended~\n"
_PKCS7 = b"\0\0\2\0\0\0\0\0"


def of(id: str, what: str, make: Callable[[bytes], bytes]) -> Case:  # noqa: A002  # it is one
    """Return the case of tm_ok behind which is the message that *make* makes of it."""
    file = tiny("tm_ok", lambda data: appended(data, make(data)))
    return single(f"signature-{id}", what, file)


def record(id: str, what: str, fields: bytes = _PKCS7, *, size: int | None = None) -> Case:  # noqa: A002
    """Return the case of tm_ok with 20 bytes that are no message, and the record behind it.

    A *size* that is negative is that of the whole file and one more.
    """

    def make(data: bytes) -> bytes:
        told = len(data) + 21 if size is not None and size < 0 else size
        return appended(data, b"x" * 20, record=fields, size=told)

    return single(f"signature-{id}", what, tiny("tm_ok", make))


def own_module(id: str, what: str, *patches: Patch) -> Case:  # noqa: A002
    """Return the case of the distribution's own module, patched."""
    return single(f"signature-own-{id}", what, debian("crc8", *patches))


def _of_other_data(kind: str) -> Callable[[bytes], bytes]:
    return lambda data: with_certificate(data + b"x", kind)


def _body_longer(data: bytes) -> bytes:
    at = message_at(data)
    return data[:at] + b"\0" + data[at:]


END = (
    single(
        "signature-mark-only", "the mark without record and message", tiny("tm_ok", behind(MARK))
    ),
    record("length-zero", "a message of no bytes", size=0),
    record("length-too-long", "a message longer than the file", size=-1),
    record("length-huge", "a message of 1 GiB", size=1 << 30),
    record("record-pgp", "the record tells of PGP", b"\0\0\0\0\0\0\0\0"),
    record("record-x509", "the record tells of X.509", b"\0\0\1\0\0\0\0\0"),
    record("record-pgp-too-long", "of PGP, and too long", b"\0\0\0\0\0\0\0\0", size=1 << 30),
    record("record-algorithm", "the record names an algorithm", b"\1\0\2\0\0\0\0\0"),
    record("record-key", "the record names a key's size", b"\0\0\2\0\1\0\0\0"),
    record("record-padding", "the record's padding is no zero", b"\0\0\2\0\0\0\0\1"),
    record("no-der", "a message that is no DER"),
    of("too-large", "a message of 64 KiB", lambda _data: b"0" * 65536),
    of("trailing", "bytes behind the message", lambda data: a_message(stranger(data)) + b"more"),
)

OWN = (
    own_module("first-byte", "the ELF magic changed under the signature", flipped(0)),
    own_module("header-byte", "the ELF header changed", flipped(0x30)),
    own_module(
        "last-byte", "the last byte changed", lambda data: flipped(message_at(data) - 1)(data)
    ),
    own_module("signature-byte", "the signature changed", flipped(-len(MARK) - 13)),
    own_module("mark-byte", "the mark changed: no signature", flipped(-2)),
    own_module("byte-behind", "a byte behind the mark: no signature", behind(b"\0")),
    own_module("longer", "a byte more in front of the signature", _body_longer),
    own_module(
        "twice",
        "signed again, with a key that is not known: the last one counts",
        lambda data: appended(data, a_message(stranger(data))),
    ),
    own_module(
        "replaced",
        "signed with another key instead",
        cut_signature,
        lambda data: appended(data, a_message(stranger(data))),
    ),
    own_module("cut", "the message is cut off", message_cut(0)),
    own_module("cut-1", "one byte of the message is left", message_cut(1)),
    own_module("cut-100", "100 bytes of it are left", message_cut(100)),
    own_module("cut-end", "its last byte is missing", message_cut(-1)),
    own_module("changed-and-cut", "cut, and the module changed", flipped(0), message_cut(100)),
    Case(
        id="signature-own-between",
        what="good and bad ones in a row, by either call",
        files={"s": debian("crc8"), "b": debian("crc8", flipped(-100)), "u": tiny("tm_ok")},
        steps=(iload("b"), iload("s"), MODS, load("b"), iload("u"), MODS, TAINT),
    ),
)

KEYS = (
    of("unknown-key", "a key that is not known", lambda data: a_message(stranger(data))),
    of(
        "unknown-key-ecdsa",
        "a key for ECDSA that is not known",
        lambda data: a_message(a_signer(a_key("p256"), a_certificate(a_key("p256")), data)),
    ),
    of(
        "two-signers",
        "two of them",
        lambda data: a_message(stranger(data), stranger(data, 5)),
    ),
    of(
        "two-signers-unsupported",
        "one of two by a digest that kernels do not have",
        lambda data: a_message(
            stranger(data), stranger(data, digest=algorithm("1.2.643.7.1.1.2.2"))
        ),
    ),
    of("certificate", "it brings the certificate, signed by itself", with_certificate),
    of(
        "certificate-other-data",
        "the same, but of other data",
        _of_other_data("rsa2048"),
    ),
    of(
        "certificate-flipped",
        "the certificate's own signature is wrong",
        lambda data: with_certificate(data, flip=-1),
    ),
    of("certificate-1024", "its key has 1024 bits", lambda data: with_certificate(data, "rsa1024")),
    of("certificate-1280", "its key has 1280 bits", lambda data: with_certificate(data, "rsa1280")),
    of("certificate-p256", "its key is for ECDSA", lambda data: with_certificate(data, "p256")),
    of("certificate-p384", "the same, P-384", lambda data: with_certificate(data, "p384")),
    of("certificate-p521", "the same, P-521", lambda data: with_certificate(data, "p521")),
    of(
        "certificate-p256-flipped",
        "the same of P-256, the certificate's own signature wrong",
        lambda data: with_certificate(data, "p256", flip=-1),
    ),
    of("certificate-p256-other-data", "the same, of other data", _of_other_data("p256")),
    of(
        "certificate-sha512",
        "the certificate is signed by SHA-512",
        lambda data: with_certificate(data, digest="sha512"),
    ),
    of(
        "certificate-sha512-flipped",
        "the same, and wrong",
        lambda data: with_certificate(data, digest="sha512", flip=-1),
    ),
    of(
        "certificate-of-another",
        "it brings a certificate that is not its signer's",
        lambda data: a_message(stranger(data), certificates=[own().data]),
    ),
    of(
        "certificate-same-name",
        "it brings one with its signer's name and number, of another key",
        lambda data: a_message(
            stranger(data), certificates=[a_certificate(a_key("rsa2048", 1)).data]
        ),
    ),
    of(
        "certificate-empty",
        "certificates, of which there are none",
        lambda data: a_message(stranger(data), certificates=[b""]),
    ),
    of(
        "certificate-no-der",
        "a certificate that is none",
        lambda data: a_message(stranger(data), certificates=[tlv(4, b"x")]),
    ),
    of(
        "certificate-damaged",
        "a certificate that is damaged",
        lambda data: a_message(stranger(data), certificates=[tlv(0x30, b"x")]),
    ),
    of("chain", "it brings its signer's certificate, and the issuer's", with_chain),
    of("chain-no-root", "without the issuer's", lambda data: with_chain(data, root=False)),
    of(
        "chain-broken",
        "the issuer did not sign that certificate",
        lambda data: with_chain(data, broken=True),
    ),
)

NUMBERS = (
    of(
        "algorithm-not-the-keys",
        "ECDSA by a key for RSA",
        lambda data: a_message(
            own_signer(data).but(encryption=algorithm(ECDSA_SHA256)), certificates=[own().data]
        ),
    ),
    of(
        "number-short",
        "a signature that is a byte too short",
        lambda data: a_message(
            own_signer(data).but(signature=tlv(4, b"\1" * 255)), certificates=[own().data]
        ),
    ),
    of(
        "number-zero",
        "a signature of zeros",
        lambda data: a_message(
            own_signer(data).but(signature=tlv(4, bytes(256))), certificates=[own().data]
        ),
    ),
    of(
        "number-large",
        "a signature larger than the key",
        lambda data: a_message(
            own_signer(data).but(signature=tlv(4, b"\xff" * 256)), certificates=[own().data]
        ),
    ),
    of(
        "number-other-digest",
        "a signature by SHA-1 that claims to be of SHA-256",
        lambda data: a_message(
            own_signer(data, "sha1").but(digest=algorithm(DIGESTS["sha256"])),
            certificates=[own().data],
        ),
    ),
)

ALGORITHMS = (
    of("digest-md4", "the digest MD4", lambda data: by_digest(data, DIGESTS["md4"])),
    of("digest-md5", "the digest MD5", lambda data: by_digest(data, DIGESTS["md5"])),
    of("digest-sha1", "the digest SHA-1", lambda data: by_digest(data, DIGESTS["sha1"])),
    of("digest-sha512", "the digest SHA-512", lambda data: by_digest(data, DIGESTS["sha512"])),
    of("digest-sha3", "the digest SHA3-256", lambda data: by_digest(data, DIGESTS["sha3-256"])),
    of("digest-sm3", "the digest SM3", lambda data: by_digest(data, "1.2.156.10197.1.401")),
    of("digest-unknown", "no digest that is known", lambda data: by_digest(data, "1.2.3.4.5")),
    of("digest-no-digest", "what is no digest", lambda data: by_digest(data, DATA)),
    of("algorithm-pss", "RSA-PSS", lambda data: by_algorithm(data, "1.2.840.113549.1.1.10")),
    of(
        "algorithm-rsa-sha256",
        "RSA together with SHA-256",
        lambda data: by_algorithm(data, "1.2.840.113549.1.1.11"),
    ),
    of("algorithm-ed25519", "Ed25519", lambda data: by_algorithm(data, "1.3.101.112")),
    of("algorithm-sm2", "SM2", lambda data: by_algorithm(data, "1.2.156.10197.1.501")),
    of(
        "algorithm-ecdsa-sha3",
        "ECDSA together with SHA3-256",
        lambda data: by_algorithm(data, "2.16.840.1.101.3.4.3.10"),
    ),
)

CASES = (*END, *OWN, *KEYS, *NUMBERS, *ALGORITHMS)
