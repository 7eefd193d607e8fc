"""Verify a PKCS#7 message by the certificates that a kernel trusts, with the kernel's answers.

First the message is verified by the certificates in it, as far as it has any; then it is looked
whether the kernel trusts one of them, or the signer itself.

Source: crypto/asymmetric_keys/pkcs7_verify.c, pkcs7_trust.c, asymmetric_type.c;
certs/system_keyring.c.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass

from lkm.errors import FormatError
from lkm.loader.signatures.asked_kernel import AskedKernel, RefusedError, UnverifiedError
from lkm.loader.signatures.certificate_rules import KeyCertificate, read_certificate
from lkm.loader.signatures.digests import digest
from lkm.loader.signatures.identifiers import DATA
from lkm.loader.signatures.message_rules import Message, SignerInfo
from lkm.loader.signatures.public_keys import Signed, verify


@dataclass(frozen=True, slots=True)
class _Chain:
    """A signer whose digest the kernel could make, and the certificates in the message for it.

    Each certificate signs the one before it, the first the signer's signature. *rooted* tells
    that the last has signed itself.
    """

    signer: SignerInfo
    signed: Signed
    certificates: tuple[KeyCertificate, ...]
    rooted: bool


class Keyring:
    """The certificates that a kernel trusts, each read when one is looked for."""

    def __init__(self, kernel: AskedKernel) -> None:
        known = kernel.facts.certificates
        self.is_whole = known is not None
        self._certificates = (*(known or ()), *kernel.facts.enrolled)
        # What is not readable was left out when the kernel started, where nobody saw it.
        self._boot = AskedKernel(kernel.facts)
        self._read: dict[int, KeyCertificate | None] = {}

    def find(self, identity: bytes | None, key_id: bytes | None) -> KeyCertificate | None:
        """Return the certificate with that *identity* (serial and issuer, or key id).

        If there is a *key_id* too, it must have that as well; it alone will do where there is no
        identity. Raises ``RefusedError`` for one that has another, and for an empty identity.
        """
        wanted = key_id if identity is None else identity
        if not wanted:
            raise RefusedError(errno.EINVAL, "its signature names no key")
        for found in self._each():
            if wanted in {found.id, found.key_id}:
                if identity is not None and key_id is not None and found.key_id != key_id:
                    raise RefusedError(errno.EKEYREJECTED, "a key with another id")
                return found
        return None

    def _each(self) -> Iterator[KeyCertificate]:
        for place, certificate in enumerate(self._certificates):
            if place not in self._read:
                self._read[place] = self._loaded(certificate.data)
            found = self._read[place]
            if found is not None:
                yield found

    def _loaded(self, data: bytes) -> KeyCertificate | None:
        try:
            return read_certificate(data, self._boot, trusted=True)
        except (FormatError, RefusedError):
            return None


def verify_message(message: Message, data: bytes, keyring: Keyring, kernel: AskedKernel) -> int:
    """Return 0 if a key of *keyring* has signed *data* in *message*, or else the kernel's errno.

    Raises ``UnverifiedError`` where that hangs on certificates that are not known, and where
    verifying cannot be done here.
    """
    if message.with_content:
        kernel.says("PKCS7: Data already supplied")
        kernel.says("PKCS#7 signature with non-detached data", level=3)
        return errno.EBADMSG
    if message.content_type != DATA:
        kernel.says("PKCS7: Invalid module sig (not pkcs7-data)")
        return errno.EKEYREJECTED
    if message.signers[0].with_attributes:
        kernel.says("PKCS7: Invalid module sig (has authattrs)")
        return errno.EKEYREJECTED
    chains: list[_Chain] = []
    for number, signer in enumerate(message.signers, 1):
        made = digest(signer.digest_name, data, kernel)
        if made is not None:
            chains.append(_verified(message, signer, made, number, kernel))
    if not chains:
        return errno.ENOPKG
    unsupported = len(chains) < len(message.signers)
    answer = _trusted(chains, keyring, kernel, errno.ENOPKG if unsupported else errno.ENOKEY)
    if answer in {errno.ENOPKG, errno.ENOKEY} and not keyring.is_whole:
        raise UnverifiedError("which certificates the kernel trusts is not known")
    return answer


def _verified(
    message: Message, signer: SignerInfo, made: bytes, number: int, kernel: AskedKernel
) -> _Chain:
    """Verify *signer* by the certificates in the message; raises ``RefusedError``."""
    signed = Signed(
        algorithm=signer.algorithm,
        digest_name=signer.digest_name,
        digest=made,
        value=signer.value,
    )
    own = next((each for each in message.certificates if each.id == signer.id), None)
    if own is None:
        return _Chain(signer, signed, (), rooted=False)
    if signer.signed_at is not None and not own.valid_from <= signer.signed_at <= own.valid_to:
        text = "PKCS7: Message signed outside of X.509 validity window"
        raise kernel.refuses(errno.EKEYREJECTED, text)
    _check(own, signed, kernel, "the signature does not verify by the certificate in it")
    return _chain(message, signer, signed, own, (number, kernel))


def _check(by: KeyCertificate, signed: Signed, kernel: AskedKernel, why: str) -> None:
    answer = verify(by.key, signed, kernel)
    if answer:
        raise RefusedError(answer, why)


def _chain(
    message: Message,
    signer: SignerInfo,
    signed: Signed,
    own: KeyCertificate,
    asked: tuple[int, AskedKernel],  # the signer's number, and the kernel
) -> _Chain:
    number, kernel = asked
    chain = [own]
    while True:
        last = chain[-1]
        if last.self_signed:
            return _Chain(signer, signed, tuple(chain), rooted=True)
        issuer = _issuer(message, last, number, kernel)
        if issuer is None:
            break
        if issuer in chain:
            kernel.says(f"PKCS7: Sig {number}: X.509 chain contains loop")
            break
        _check(issuer, last.signed, kernel, "a certificate in the message does not verify")
        chain.append(issuer)
    return _Chain(signer, signed, tuple(chain), rooted=False)


def _issuer(
    message: Message, certificate: KeyCertificate, number: int, kernel: AskedKernel
) -> KeyCertificate | None:
    every = message.certificates
    if certificate.authority_id is not None:
        for each in every:
            if each.id == certificate.authority_id:
                wanted = certificate.authority_key_id
                if wanted is not None and each.key_id != wanted:
                    places = every.index(certificate) + 1, every.index(each) + 1
                    text = "PKCS7: Sig {}: X.509 chain contains auth-skid nonmatch ({}->{})"
                    raise kernel.refuses(errno.EKEYREJECTED, text.format(number, *places))
                return each
    elif certificate.authority_key_id is not None:
        for each in every:
            if each.key_id == certificate.authority_key_id:
                return each
    return None


def _trusted(chains: list[_Chain], keyring: Keyring, kernel: AskedKernel, otherwise: int) -> int:
    """Return 0 if *keyring* trusts one of *chains*, *otherwise* if none; EKEYREJECTED is final."""
    answer = otherwise
    for chain in chains:
        found = _signing_key(chain, keyring)
        if found is not None:
            key, signed = found
            if verify(key.key, signed, kernel):
                return errno.EKEYREJECTED
            answer = 0
    return answer


def _signing_key(chain: _Chain, keyring: Keyring) -> tuple[KeyCertificate, Signed] | None:
    """Return the trusted certificate that *chain* leads to, and what it must have signed."""
    signed = chain.signed
    for certificate in chain.certificates:
        try:
            found = keyring.find(certificate.id, certificate.key_id)
        except RefusedError:
            found = None  # as if it were not there
        if found is not None:
            return found, signed
        signed = certificate.signed
    if chain.rooted:
        return None
    if chain.certificates:
        last = chain.certificates[-1]
        if last.authority_id is not None or last.authority_key_id is not None:
            found = keyring.find(last.authority_id, last.authority_key_id)
            if found is not None:
                return found, last.signed
    found = keyring.find(chain.signer.id, None)
    return None if found is None else (found, chain.signed)
