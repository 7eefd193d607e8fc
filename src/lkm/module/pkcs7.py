"""Read a PKCS#7 (CMS) message with signed data, as a module's signature is one.

    ContentInfo     type, [0] SignedData
    SignedData      version, digest algorithms, content (type, [0] data), [0] certificates,
                    [1] revocation lists, signers
    signer          version, issuer and serial number or [0] key id, digest algorithm,
                    [0] attributes that are signed, algorithm of the signature, the signature,
                    [1] attributes that are not

The form is the kernel's, which also takes what PKCS#7 once had: sequences for sets, by other tags.
Nothing is verified, and no algorithm is looked up.

Source: crypto/asymmetric_keys/pkcs7.asn1; RFC 2315, RFC 5652.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lkm.module import ber
from lkm.module.ber import Piece, Reader

_WHAT = "PKCS#7"
_CONTEXT_0, _CONTEXT_1, _CONTEXT_2, _CONTEXT_3 = 0xA0, 0xA1, 0xA2, 0xA3
_KEY_ID = 0x80


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """One signature, and whose it is.

    *version* is one byte as a rule. *issuer* is the contents of the name in DER, *serial* the
    bytes of the number as they stand there; *key_id* identifies the key instead. What a signer
    does not state is empty. *digest_algorithm* and *algorithm* are object identifiers, encoded.
    *attributes* are those that are signed, without the tag, None where there are none.
    """

    version: bytes
    issuer: bytes = b""
    serial: bytes = b""
    key_id: bytes = b""
    digest_algorithm: bytes
    attributes: bytes | None = None
    algorithm: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedData:
    """A message: who signed what. *content* is the data, None where it is elsewhere.

    *content_type* is an object identifier, encoded; *certificates* are in DER. Of a message that
    is only a type, or states none, there are no signers.
    """

    content_type: bytes = b""
    content: bytes | None = None
    certificates: tuple[bytes, ...] = ()
    signers: tuple[Signer, ...] = ()


class Steps:
    """What is told while a message is read, in its order; whatever a step raises ends that.

    A reader with rules of its own overrides what it has rules for.
    """

    def identifier(self, piece: Piece) -> None:
        """Take note of an object identifier."""

    def message_type(self, identifier: bytes) -> None:
        """Take note of the type of the whole message."""

    def version(self, number: bytes) -> None:
        """Take note of the message's version."""

    def content_type(self, identifier: bytes) -> None:
        """Take note of the type of what is signed; its last identifier, as the kernel does."""

    def certificate(self, piece: Piece, data: bytes) -> None:
        """Take note of a certificate, or whatever stands there; *data* is all of it."""

    def signer_version(self, number: bytes) -> None:
        """Take note of a signer's version."""

    def digest_algorithm(self, identifier: bytes) -> None:
        """Take note of the algorithm of a signer's digest."""

    def attribute(self, identifier: bytes, value: Piece) -> None:
        """Take note of one value of an attribute that is signed."""

    def attributes(self) -> None:
        """Take note that a set of attributes that are signed has ended."""

    def algorithm(self, identifier: bytes) -> None:
        """Take note of the algorithm of a signature."""

    def signer(self, signer: Signer) -> None:
        """Take note of a whole signer."""


def parse_message(data: bytes, steps: Steps | None = None) -> SignedData:
    """Return the message that *data* begins with; what follows it is left out.

    *steps* are told on the way. Raises ``FormatError`` for anything else, and what a step raises.
    """
    return _Message(Reader(data, _WHAT), steps or Steps()).read()


@dataclass(slots=True)
class _Message:
    reader: Reader
    steps: Steps
    content: bytes | None = None
    certificates: list[bytes] = field(default_factory=list)
    signers: list[Signer] = field(default_factory=list)

    def read(self) -> SignedData:
        reader = self.reader
        content_type = b""
        reader.enter(ber.SEQUENCE)
        self.steps.message_type(self._identifier())
        if reader.next_is(_CONTEXT_0):
            reader.enter(_CONTEXT_0)
            content_type = self._signed_data()
            reader.leave()
        reader.leave()
        return SignedData(
            content_type=content_type,
            content=self.content,
            certificates=tuple(self.certificates),
            signers=tuple(self.signers),
        )

    def _identifier(self) -> bytes:
        piece = self.reader.leaf(ber.OBJECT_IDENTIFIER)
        self.steps.identifier(piece)
        return piece.contents

    def _signed_data(self) -> bytes:
        reader = self.reader
        reader.enter(ber.SEQUENCE)
        self.steps.version(reader.leaf(ber.INTEGER).contents)
        self._enter_either(ber.SET, ber.SEQUENCE)
        self._each(lambda: self._algorithm(ber.SEQUENCE))
        content_type = self._content()
        self.steps.content_type(content_type)
        self._certificates()
        self._revocations()
        if not reader.at_end():  # only where they would come too early are signers missed
            self._enter_either(ber.SET, ber.SEQUENCE)
            self._each(self._signer)
        reader.leave()
        return content_type

    def _enter_either(self, tag: int, other: int) -> None:
        self.reader.enter(tag if self.reader.next_is(tag) else other)

    def _each(self, one: Callable[[], object]) -> None:
        """Read the parts of the element that was entered, at least one, and leave it."""
        one()
        while self.reader.more():
            one()
        self.reader.leave()

    def _algorithm(self, tag: int) -> bytes:
        """Read an algorithm and its parameters, which may be missing."""
        reader = self.reader
        reader.enter(tag)
        identifier = self._identifier()
        if not reader.at_end():
            reader.any()
        reader.leave()
        return identifier

    def _content(self) -> bytes:
        reader = self.reader
        reader.enter(ber.SEQUENCE)
        piece = reader.leaf(ber.OBJECT_IDENTIFIER)
        # The kernel's form names this step twice here, and so the kernel logs it twice.
        self.steps.identifier(piece)
        self.steps.identifier(piece)
        if reader.next_is(_CONTEXT_0):
            reader.enter(_CONTEXT_0)
            self.content = reader.any().contents
            reader.leave()
        reader.leave()
        return piece.contents

    def _certificates(self) -> None:
        reader = self.reader
        if reader.next_is(_CONTEXT_0):
            reader.enter(_CONTEXT_0)
            if reader.at_end():  # as the one set that may be empty
                reader.leave()
            else:
                self._each(self._certificate)
        elif reader.next_is(_CONTEXT_2):
            reader.enter(_CONTEXT_2)
            self._each(self._certificate)

    def _certificate(self) -> None:
        piece = self.reader.any()
        data = self.reader.data[piece.start - piece.header : self.reader.offset]
        self.steps.certificate(piece, data)
        self.certificates.append(data)

    def _revocations(self) -> None:
        reader = self.reader
        for tag in (_CONTEXT_1, _CONTEXT_3):
            if reader.next_is(tag):
                reader.enter(tag)
                self._each(self._revocation_list)
                return

    def _revocation_list(self) -> None:
        # The kernel takes what is in such a list for certificates.
        self.reader.enter(ber.SEQUENCE)
        self._each(self._certificate)

    def _signer(self) -> None:
        reader, steps = self.reader, self.steps
        reader.enter(ber.SEQUENCE)
        version = reader.leaf(ber.INTEGER).contents
        steps.signer_version(version)
        issuer = serial = key_id = b""
        if reader.next_is(ber.SEQUENCE):
            issuer, serial = self._issuer_and_serial()
        else:
            key_id = reader.leaf(_KEY_ID).contents
        digest_algorithm = self._algorithm(ber.SEQUENCE)
        steps.digest_algorithm(digest_algorithm)
        attributes = self._attributes()
        algorithm = self._algorithm(ber.SEQUENCE)
        steps.algorithm(algorithm)
        signature = reader.leaf(ber.OCTET_STRING).contents
        for tag in (_CONTEXT_1, _CONTEXT_3):
            if reader.next_is(tag):
                reader.enter(tag)
                self._each(self._unsigned_attribute)
                break
        reader.leave()
        signer = Signer(
            version=version,
            issuer=issuer,
            serial=serial,
            key_id=key_id,
            digest_algorithm=digest_algorithm,
            attributes=attributes,
            algorithm=algorithm,
            signature=signature,
        )
        steps.signer(signer)
        self.signers.append(signer)

    def _issuer_and_serial(self) -> tuple[bytes, bytes]:
        reader = self.reader
        reader.enter(ber.SEQUENCE)
        issuer = read_name(reader, self.steps.identifier)
        serial = reader.leaf(ber.INTEGER).contents
        reader.leave()
        return issuer, serial

    def _attributes(self) -> bytes | None:
        reader = self.reader
        if reader.next_is(_CONTEXT_0):
            reader.enter(_CONTEXT_0)
            self._attribute()
            while reader.more():
                self._attribute()
            set_of = reader.leave()
            self.steps.attributes()
            return set_of.contents
        if reader.next_is(_CONTEXT_2):
            # The kernel reads these, and takes the signer for one without attributes.
            reader.enter(_CONTEXT_2)
            reader.enter(ber.SEQUENCE)
            self._each(self._attribute)
            reader.leave()
        return None

    def _attribute(self) -> None:
        reader = self.reader
        reader.enter(ber.SEQUENCE)
        identifier = self._identifier()
        reader.enter(ber.SET)
        self._each(lambda: self.steps.attribute(identifier, reader.any()))
        reader.leave()

    def _unsigned_attribute(self) -> None:
        reader = self.reader
        reader.enter(ber.SEQUENCE)
        reader.leaf(ber.OBJECT_IDENTIFIER)
        reader.enter(ber.SET)
        self._each(reader.any)
        reader.leave()


def read_name(reader: Reader, identifier: Callable[[Piece], None]) -> bytes:
    """Return the contents of the X.501 name that follows; *identifier* is told of each in it."""
    reader.enter(ber.SEQUENCE)
    while True:
        reader.enter(ber.SET)
        while True:
            reader.enter(ber.SEQUENCE)
            identifier(reader.leaf(ber.OBJECT_IDENTIFIER))
            reader.any()
            reader.leave()
            if not reader.more():
                break
        reader.leave()
        if not reader.more():
            return reader.leave().contents
