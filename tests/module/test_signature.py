from __future__ import annotations

import pytest

from lkm.module.signature import Signature, Signatures, read_signature
from tests.module.modules import (
    COMMON_NAME,
    MAGIC,
    ORGANIZATION,
    a_name,
    a_pkcs7,
    a_record,
    der,
)

BODY = b"\x7fELF and so on"
UNKNOWN = Signature("PKCS#7", "", b"", "unknown", b"")


def test_a_module_without_the_magic_has_no_signature() -> None:
    for data in (b"", BODY, MAGIC, BODY + a_record(signature=a_pkcs7()) + b"\n"):
        assert read_signature(data) is None


def test_pkcs7_gives_issuer_serial_digest_and_signature() -> None:
    assert read_signature(BODY + a_record(signature=a_pkcs7())) == Signature(
        "PKCS#7", "The key", b"\x12\x34", "sha256", b"\xab" * 30
    )


@pytest.mark.parametrize("id_type", ["PGP", "X509"])
def test_older_signatures_have_their_fields_in_the_file(id_type: str) -> None:
    number = ["PGP", "X509"].index(id_type)
    data = BODY + a_record(
        id_type=number, algorithm=1, digest=3, name=b"Fedora: key", key=b"\1\2", signature=b"sig"
    )

    signature = read_signature(data)
    assert signature is not None
    assert signature.id_type == id_type
    assert signature == Signature(signature.id_type, "Fedora: key", b"\1\2", "rmd160", b"sig")


@pytest.mark.parametrize(
    "record",
    [
        a_record(algorithm=2, signature=b"x"),
        a_record(digest=9, signature=b"x"),
        a_record(id_type=3, signature=b"x"),
        a_record(signature=b""),
        a_record(claimed=1 << 31, signature=b"x"),
        a_record(id_type=0, name=b"n" * 200, claimed=100, signature=b"x"),
    ],
)
def test_a_record_out_of_range_counts_as_none(record: bytes) -> None:
    assert read_signature(record) is None


def test_without_a_common_name_the_signer_is_the_last_part_of_the_issuer() -> None:
    issuer = a_name((ORGANIZATION, b"First"), (ORGANIZATION, b"Last"))
    signature = read_signature(a_record(signature=a_pkcs7(issuer=issuer)))

    assert signature is not None
    assert signature.signer == "Last"


def test_the_common_name_may_stand_before_other_parts() -> None:
    issuer = a_name((COMMON_NAME, b"Key"), (ORGANIZATION, b"Makers"))
    signature = read_signature(a_record(signature=a_pkcs7(issuer=issuer)))

    assert signature is not None
    assert signature.signer == "Key"


def test_a_serial_number_loses_the_zero_that_makes_it_positive() -> None:
    signature = read_signature(a_record(signature=a_pkcs7(serial=b"\0\x80\x01")))

    assert signature is not None
    assert signature.key_id == b"\x80\x01"


def test_an_unknown_digest_is_shown_by_its_numbers() -> None:
    signature = read_signature(a_record(signature=a_pkcs7(digest=b"\x2a\x03\x04")))

    assert signature is not None
    assert signature.hash_algorithm == "1.2.3.4"


def test_signed_attributes_are_passed_over() -> None:
    attributes = der(0xA0, der(0x30, der(6, b"\x2a\x03"), der(0x31, der(4, b"x"))))
    signature = read_signature(a_record(signature=a_pkcs7(attributes=attributes)))

    assert signature is not None
    assert signature.signature == b"\xab" * 30


def test_a_message_cut_anywhere_has_unknown_fields() -> None:
    message = a_pkcs7()
    for size in range(1, len(message)):
        assert read_signature(BODY + a_record(signature=message[:size])) == UNKNOWN


def test_a_message_with_any_byte_changed_is_read_or_unknown() -> None:
    message = a_pkcs7()
    for index in range(len(message)):
        for byte in (0, 0x30, 0x80, 0xFF):
            changed = message[:index] + bytes([byte]) + message[index + 1 :]
            signature = read_signature(BODY + a_record(signature=changed))
            assert signature is not None
            assert signature.id_type == "PKCS#7"


def test_a_signer_named_by_its_key_has_unknown_fields() -> None:
    message = a_pkcs7(identity=der(0x80, b"\1\2\3"))

    assert read_signature(a_record(signature=message)) == UNKNOWN


def test_a_file_cut_anywhere_has_no_signature_or_none_that_reads() -> None:
    data = BODY + a_record(signature=a_pkcs7())
    assert [read_signature(data[:size]) for size in range(len(data))] == [None] * len(data)


@pytest.mark.parametrize(
    ("identifier", "name"),
    [
        ("608648016503040203", "sha512"),
        ("608648016503040209", "sha3-384"),
        ("2b24030201", "ripemd160"),
        ("2a811ccf55018311", "sm3"),
    ],
)
def test_digests_have_the_names_of_openssl(identifier: str, name: str) -> None:
    message = a_pkcs7(digest=bytes.fromhex(identifier))
    signature = read_signature(a_record(signature=message))

    assert signature is not None
    assert signature.hash_algorithm == name


def test_many_signatures_are_read_as_each_would_be_alone() -> None:
    digests = [bytes([number]) * 30 for number in (1, 2)] + [b"", b"z", b"\x12\x34", bytes(300)]
    messages = [a_pkcs7(signature=digest) for digest in digests]
    # The second of each pair has another digest, or something else behind it.
    messages += [a_pkcs7(serial=b"\x56", signature=digests[0]), messages[0][:-1], messages[0]]
    messages += [messages[0] + b"\x01" * 30, messages[1] + b"\x02" * 30, b"", messages[0]]
    for index in range(len(messages[0])):
        changed = bytearray(messages[0])
        changed[index] ^= 0xFF
        messages.append(bytes(changed))
    signatures = Signatures()

    for message in messages:
        data = BODY + a_record(signature=message)
        assert signatures.read(data) == read_signature(data)


def test_a_digest_that_stands_elsewhere_too_is_looked_for_each_time() -> None:
    # The digest of the first stands before its last bytes, which are the same.
    first = a_pkcs7(signature=b"\xcd" * 8) + b"\xcd" * 8
    second = first[:-8] + b"\xee" * 8
    signatures = Signatures()

    for message in (first, second):
        data = BODY + a_record(signature=message)
        found = signatures.read(data)
        assert found == read_signature(data)
        assert found is not None
        assert found.signature == b"\xcd" * 8
