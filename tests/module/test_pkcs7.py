from __future__ import annotations

import subprocess
from pathlib import Path
from random import Random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs7

from lkm.errors import FormatError
from lkm.module.ber import OBJECT_IDENTIFIER, Piece
from lkm.module.pkcs7 import Steps, parse_message
from tests.builders.pkcs7 import (
    A_NAME_AND_SERIAL,
    DATA,
    DIGESTS,
    RSA,
    SIGNED_DATA,
    ASigner,
    a_certificate,
    a_key,
    a_message,
    algorithm,
    endless,
    oid,
    tlv,
)

MESSAGE = a_message(ASigner(identity=A_NAME_AND_SERIAL))


def contents(identifier: str) -> bytes:
    return oid(identifier)[2:]


def test_a_message_tells_its_signer_part_by_part() -> None:
    parsed = parse_message(MESSAGE)

    (signer,) = parsed.signers
    assert (parsed.content_type, parsed.content) == (contents(DATA), None)
    assert (signer.version, signer.serial, signer.key_id) == (b"\1", b"\1", b"")
    assert signer.issuer == tlv(0x31, tlv(0x30, oid("2.5.4.3"), tlv(0x0C, b"N")))
    assert signer.digest_algorithm == contents(DIGESTS["sha256"])
    assert signer.algorithm == contents(RSA)
    assert (signer.attributes, signer.signature) == (None, bytes(256))


def test_a_signer_may_be_known_by_its_key_and_have_attributes() -> None:
    attribute = tlv(0x30, oid(DATA), tlv(0x31, tlv(4, b"x")))
    signer = ASigner(identity=tlv(0x80, b"key"), attributes=tlv(0xA0, attribute))

    (found,) = parse_message(a_message(signer)).signers

    assert (found.key_id, found.issuer, found.serial) == (b"key", b"", b"")
    assert found.attributes == attribute


def test_certificates_and_content_are_told() -> None:
    certificate = tlv(0x30, b"\5\0")
    message = a_message(
        ASigner(identity=A_NAME_AND_SERIAL),
        content=tlv(0xA0, tlv(4, b"inside")),
        certificates=[certificate, certificate],
    )

    parsed = parse_message(message)

    assert (parsed.content, parsed.certificates) == (b"inside", (certificate, certificate))


def test_what_follows_a_message_is_left_out() -> None:
    assert parse_message(MESSAGE + b"more") == parse_message(MESSAGE)


def test_zeros_may_end_what_has_no_length() -> None:
    signer = ASigner(identity=A_NAME_AND_SERIAL)
    digests = endless(0x31, algorithm(DIGESTS["sha256"]))
    signed = endless(
        0x30, tlv(2, b"\1"), digests, endless(0x30, oid(DATA)), endless(0x31, signer.encoded())
    )

    assert parse_message(endless(0x30, oid(SIGNED_DATA), endless(0xA0, signed))) == parse_message(
        MESSAGE
    )


@pytest.mark.parametrize("size", range(len(MESSAGE)))
def test_a_message_cut_anywhere_is_a_format_error(size: int) -> None:
    with pytest.raises(FormatError, match="PKCS#7"):
        parse_message(MESSAGE[:size])


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"\x3f" + MESSAGE[1:], id="a tag of several bytes"),
        pytest.param(b"\x30\x83\0" + MESSAGE[2:], id="a length of three bytes"),
        pytest.param(a_message(), id="an empty set of signers"),
        pytest.param(a_message(ASigner(version=tlv(0x22, b"\1"))), id="a constructed number"),
        pytest.param(
            a_message(ASigner(identity=tlv(0x30, tlv(0x30), tlv(2, b"\1")))), id="no name"
        ),
        pytest.param(
            a_message(ASigner(identity=A_NAME_AND_SERIAL, others=tlv(4, b"x"))), id="one too many"
        ),
    ],
)
def test_what_the_kernels_decoder_does_not_take_is_a_format_error(message: bytes) -> None:
    with pytest.raises(FormatError):
        parse_message(message)


def test_a_step_that_refuses_ends_the_reading_there() -> None:
    class Refusing(Steps):
        seen = 0

        def identifier(self, piece: Piece) -> None:
            self.seen += piece.tag == OBJECT_IDENTIFIER

        def digest_algorithm(self, identifier: bytes) -> None:
            raise FormatError("test", identifier.hex())

    steps = Refusing()

    with pytest.raises(FormatError, match=contents(DIGESTS["sha256"]).hex()):
        parse_message(MESSAGE, steps)
    assert steps.seen == 6, "type, digest, content's type (twice), part of the name, digest"


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_message_is_read_or_a_format_error(seed: int) -> None:
    chance = Random(seed)
    for _turn in range(100):
        damaged = bytearray(MESSAGE)
        for _byte in range(chance.randint(1, 4)):
            damaged[chance.randrange(120)] = chance.randrange(256)
        try:
            parsed = parse_message(bytes(damaged))
        except FormatError:
            continue
        assert all(signer.signature in damaged for signer in parsed.signers)


def test_a_message_of_the_library_cryptography_is_read() -> None:
    key, certificate = a_key(), a_certificate(a_key())
    builder = pkcs7.PKCS7SignatureBuilder().set_data(b"data")
    loaded = x509.load_der_x509_certificate(certificate.data)
    message = builder.add_signer(loaded, key, hashes.SHA512()).sign(
        serialization.Encoding.DER,
        [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.NoAttributes],
    )

    parsed = parse_message(message)

    (signer,) = parsed.signers
    assert parsed.certificates == (certificate.data,)
    assert signer.serial == certificate.serial
    assert (signer.digest_algorithm, signer.attributes) == (contents(DIGESTS["sha512"]), None)


@pytest.mark.oracle
@pytest.mark.parametrize("options", [[], ["-noattr"], ["-nocerts"], ["-keyid"], ["-md", "sha384"]])
def test_a_message_of_openssl_is_read(tmp_path: Path, options: list[str]) -> None:
    certificate = a_certificate(a_key())
    pem = x509.load_der_x509_certificate(certificate.data)
    (tmp_path / "c").write_bytes(pem.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "k").write_bytes(
        a_key().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (tmp_path / "d").write_bytes(b"data")
    words = ["openssl", "cms", "-sign", "-in", "d", "-signer", "c", "-inkey", "k", "-binary"]
    subprocess.run(
        [*words, "-outform", "DER", "-out", "m", *options], cwd=tmp_path, check=True, timeout=60
    )

    parsed = parse_message((tmp_path / "m").read_bytes())

    (signer,) = parsed.signers
    assert parsed.certificates == (() if "-nocerts" in options else (certificate.data,))
    assert (signer.attributes is None) == ("-noattr" in options)
    assert (signer.key_id == certificate.key_id) == ("-keyid" in options)
    wanted = "sha384" if "sha384" in options else "sha256"
    assert signer.digest_algorithm == contents(DIGESTS[wanted])
