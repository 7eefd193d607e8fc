"""What the kernel asks of a PKCS#7 message while it reads it: its errno, and its log lines.

Source: crypto/asymmetric_keys/pkcs7_parser.c.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

from lkm.errors import FormatError
from lkm.loader.releases import NO_SM2_SIGNATURES, SHA3_SIGNATURES
from lkm.loader.signatures import identifiers
from lkm.loader.signatures.asked_kernel import AskedKernel, RefusedError
from lkm.loader.signatures.certificate_parts import Moment, read_time
from lkm.loader.signatures.certificate_rules import KeyCertificate, read_certificate
from lkm.loader.signatures.digests import digest_name
from lkm.loader.signatures.identifiers import as_text, known, number
from lkm.module import ber
from lkm.module.ber import Piece
from lkm.module.pkcs7 import SignedData, Signer, Steps, parse_message

_LARGEST = 65535  # the decoder's offsets have 16 bits
_ALGORITHMS = {
    "1.2.840.113549.1.1.1": "rsa",
    "1.2.840.10045.4.1": "ecdsa",
    "1.2.840.10045.4.3.1": "ecdsa",
    "1.2.840.10045.4.3.2": "ecdsa",
    "1.2.840.10045.4.3.3": "ecdsa",
    "1.2.840.10045.4.3.4": "ecdsa",
    "1.2.643.7.1.1.1.1": "ecrdsa",
    "1.2.643.7.1.1.1.2": "ecrdsa",
}
_WITH_SHA3 = {
    "2.16.840.1.101.3.4.3.10": "ecdsa",
    "2.16.840.1.101.3.4.3.11": "ecdsa",
    "2.16.840.1.101.3.4.3.12": "ecdsa",
}
_WITH_SM2 = {"1.2.156.10197.1.501": "sm2"}
# Attributes that may stand there once, and those that only Windows programs' signatures have.
_ONCE = frozenset(
    {
        identifiers.CONTENT_TYPE,
        identifiers.SIGNING_TIME,
        identifiers.MESSAGE_DIGEST,
        identifiers.SMIME_CAPABILITIES,
        identifiers.PROGRAM_NAME,
        identifiers.STATEMENT_TYPE,
    }
)
_OF_WINDOWS = frozenset({identifiers.PROGRAM_NAME, identifiers.STATEMENT_TYPE})


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerInfo:
    """A signer as the kernel keeps it.

    *id* is serial and issuer, or the key's id; *algorithm* is ``rsa`` or the like; *signed_at* is
    the time that is signed too, None without one.
    """

    id: bytes
    digest_name: str
    algorithm: str
    value: bytes
    with_attributes: bool
    signed_at: Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message that the kernel has read. *content_type* is an object identifier it knows."""

    content_type: str
    with_content: bool
    certificates: tuple[KeyCertificate, ...]
    signers: tuple[SignerInfo, ...]


def read_message(data: bytes, kernel: AskedKernel) -> Message:
    """Return the message that *data* begins with.

    Raises ``FormatError`` (EBADMSG) for what is none, ``RefusedError`` for one that the kernel
    does not take, ``UnverifiedError`` where it takes verifying a certificate to know that.
    """
    if len(data) > _LARGEST:
        raise RefusedError(errno.EMSGSIZE, f"its PKCS#7 message has more than {_LARGEST} bytes")
    rules = _Rules(kernel)
    parsed = parse_message(data, rules)
    with_attributes = {signer.with_attributes for signer in rules.signers}
    if len(with_attributes) != 1:
        raise kernel.refuses(errno.EINVAL, "PKCS7: Inconsistently supplied authAttrs")
    return Message(
        content_type=rules.kind,
        with_content=_has_content(parsed),
        certificates=tuple(rules.certificates),
        signers=tuple(rules.signers),
    )


def _has_content(parsed: SignedData) -> bool:
    return parsed.content is not None


class _Rules(Steps):
    """The kernel's rules, step by step; what they come to is kept."""

    def __init__(self, kernel: AskedKernel) -> None:
        self.kernel = kernel
        self.kind = ""
        self.certificates: list[KeyCertificate] = []
        self.signers: list[SignerInfo] = []
        self._version = 0
        self._by_key_id = False
        # What was read of one signer stands there for the next that does not state it.
        self._issuer_and_serial = self._key_id = b""
        self._begin_signer()

    def _begin_signer(self) -> None:
        self._digest_name = self._algorithm = ""
        self._seen: set[str] = set()
        self._signed_at: Moment | None = None

    def identifier(self, piece: Piece) -> None:
        """Log an unknown one."""
        if not known(piece.contents, self.kernel.facts):
            self.kernel.says(f"PKCS7: Unknown OID: [{piece.start}] {as_text(piece.contents)}")

    def _known(self, identifier: bytes) -> str:
        return known(identifier, self.kernel.facts)

    def _number(self, identifier: str) -> int:
        return number(identifier, self.kernel.facts)

    def message_type(self, identifier: bytes) -> None:
        """Refuse what is no signed data."""
        if self._known(identifier) != identifiers.SIGNED_DATA:
            raise self.kernel.refuses(errno.EINVAL, "PKCS7: Only support pkcs7_signedData type")

    def version(self, number: bytes) -> None:
        """Refuse all but 1 and 3."""
        if number not in {b"\1", b"\3"}:
            raise self.kernel.refuses(errno.EINVAL, "PKCS7: Unsupported SignedData version")
        self._version = number[0]

    def content_type(self, identifier: bytes) -> None:
        """Refuse what is neither data nor a Windows program."""
        self.kind = self._known(identifier)
        if self.kind not in {identifiers.DATA, identifiers.INDIRECT_DATA}:
            text = f"PKCS7: Unsupported data type {self._number(self.kind)}"
            raise self.kernel.refuses(errno.EINVAL, text)

    def certificate(self, piece: Piece, data: bytes) -> None:
        """Read the certificate."""
        if piece.tag != ber.SEQUENCE:
            raise FormatError("PKCS#7", "no certificate", offset=piece.start)
        self.certificates.append(read_certificate(data, self.kernel))

    def signer_version(self, number: bytes) -> None:
        """Refuse one that does not go with the message's."""
        if number not in {b"\1", b"\3"}:
            raise self.kernel.refuses(errno.EINVAL, "PKCS7: Unsupported SignerInfo version")
        if number[0] != self._version:
            text = "PKCS7: SignedData-SignerInfo version mismatch"
            raise self.kernel.refuses(errno.EBADMSG, text)
        self._by_key_id = number == b"\3"

    def digest_algorithm(self, identifier: bytes) -> None:
        """Refuse a digest that the kernel has no name for."""
        text = self._known(identifier)
        self._digest_name = digest_name(text, self.kernel)
        if not self._digest_name:
            said = f"Unsupported digest algo: {self._number(text)}"
            raise self.kernel.refuses(errno.ENOPKG, said)

    def attribute(self, identifier: bytes, value: Piece) -> None:
        """Look at those that the kernel knows."""
        kind = self._known(identifier)
        if kind in _ONCE and kind in self._seen:
            text = "PKCS7: Repeated/multivalue AuthAttrs not permitted"
            raise self.kernel.refuses(errno.EKEYREJECTED, text)
        self._seen.add(kind)
        windows = self.kind == identifiers.INDIRECT_DATA
        if kind == identifiers.CONTENT_TYPE:
            self._check_kind(self._known(value.contents))
        elif kind == identifiers.SIGNING_TIME:
            self._signed_at = read_time(value)
        elif kind == identifiers.MESSAGE_DIGEST:
            if value.tag != ber.OCTET_STRING:
                raise FormatError("PKCS#7", "no digest", offset=value.start)
        elif kind == identifiers.SMIME_CAPABILITIES and not windows:
            text = "PKCS7: S/MIME Caps only allowed with Authenticode"
            raise self.kernel.refuses(errno.EKEYREJECTED, text)
        elif kind in _OF_WINDOWS and not windows:
            text = "PKCS7: Authenticode AuthAttrs only allowed with Authenticode"
            raise self.kernel.refuses(errno.EKEYREJECTED, text)

    def _check_kind(self, kind: str) -> None:
        if kind != self.kind:
            index = 0  # the signer gets its own only when it is whole
            numbers = self._number(self.kind), index, self._number(kind)
            text = "PKCS7: Mismatch between global data type ({}) and sinfo {} ({})"
            raise self.kernel.refuses(errno.EBADMSG, text.format(*numbers))

    def attributes(self) -> None:
        """Refuse a set that lacks what it must have."""
        if not {identifiers.CONTENT_TYPE, identifiers.MESSAGE_DIGEST} <= self._seen:
            raise self.kernel.refuses(errno.EBADMSG, "PKCS7: Missing required AuthAttr")

    def algorithm(self, identifier: bytes) -> None:
        """Refuse an algorithm that the kernel has no name for."""
        text = self._known(identifier)
        kernel = self.kernel.facts
        names = _ALGORITHMS | _WITH_SHA3 if kernel.has(SHA3_SIGNATURES) else _ALGORITHMS
        if not kernel.has(NO_SM2_SIGNATURES):
            names = names | _WITH_SM2
        if text not in names:
            raise self.kernel.refuses(errno.ENOPKG, f"Unsupported pkey algo: {self._number(text)}")
        self._algorithm = names[text]

    def signer(self, signer: Signer) -> None:
        """Keep the signer."""
        if signer.issuer or signer.serial:
            self._issuer_and_serial = signer.serial + signer.issuer
        else:
            self._key_id = signer.key_id
        if self.kind == identifiers.INDIRECT_DATA and signer.attributes is None:
            raise self.kernel.refuses(errno.EBADMSG, "PKCS7: Authenticode requires AuthAttrs")
        info = SignerInfo(
            id=self._key_id if self._by_key_id else self._issuer_and_serial,
            digest_name=self._digest_name,
            algorithm=self._algorithm,
            value=signer.signature,
            with_attributes=signer.attributes is not None,
            signed_at=self._signed_at,
        )
        self.signers.append(info)
        self._begin_signer()
