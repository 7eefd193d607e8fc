"""Signatures and what is wrong with them; each errno and log line is what 6.1 and 6.12 answered."""

from __future__ import annotations

import errno
import hashlib
import sys
from collections.abc import Callable
from random import Random

import pytest

from lkm.loader.facts import KernelFacts
from lkm.loader.file.given import GivenFile
from lkm.loader.findings import Finding
from lkm.loader.options import KernelOptions
from lkm.loader.signatures.checks import signature
from lkm.module.file import decompress
from lkm.module.signature import MAGIC
from lkm.vmlinux.config import read_config_file
from lkm.vmlinux.facts import read_facts
from tests.builders.pkcs7 import (
    CONTENT_TYPE,
    DATA,
    ECDSA_SHA256,
    MESSAGE_DIGEST,
    NULL,
    SIGNED_DATA,
    ASigner,
    a_certificate,
    a_key,
    a_message,
    a_signer,
    algorithm,
    appended,
    oid,
    sign,
    signed,
    tlv,
)
from tests.conftest import missing
from tests.debian import NotHere
from tests.vmlinux.kernels import real_kernel

MODULE = b"a module, as far as this check goes; " * 3
KEY, STRANGER = a_key("rsa1024"), a_key("rsa1024", 1)
CERTIFICATE, STRANGERS = a_certificate(KEY), a_certificate(STRANGER, "E")
EC_KEY = a_key("p256")
EC_CERTIFICATE = a_certificate(EC_KEY, "C")
OPTIONS_6_12 = KernelOptions(crypto_ecdsa=True, crypto_sha512=True, crypto_sha3=True)

Seen = tuple[int | str, list[str]]


def a_6_1(**parts: object) -> KernelFacts:
    defaults: dict[str, object] = {"release": "6.1.0-56-amd64", "certificates": (CERTIFICATE,)}
    return KernelFacts(**(defaults | parts))  # type: ignore[arg-type]  # KernelFacts' own fields


def a_6_12(**parts: object) -> KernelFacts:
    return a_6_1(**({"release": "6.12.117+deb12-amd64", "options": OPTIONS_6_12} | parts))


def examined(data: bytes, kernel: KernelFacts, flags: int = 0) -> tuple[GivenFile, list[Finding]]:
    file = GivenFile(data, kernel, flags, by_descriptor=True)
    return file, list(signature(file))


def seen(data: bytes, kernel: KernelFacts) -> Seen:
    file, findings = examined(data, kernel)
    refusing = [finding.errno for finding in findings if finding.errno]
    log = [f"{line.level} {line.text}" for finding in findings for line in finding.log]
    return refusing[0] if refusing else "signed" if file.signed else "unsigned", log


def by(signer: ASigner, certificates: tuple[bytes, ...] = (), version: int = 1) -> bytes:
    return appended(MODULE, a_message(signer, certificates=certificates, version=version))


def stranger(**parts: bytes) -> ASigner:
    return a_signer(STRANGER, STRANGERS, MODULE).but(**parts)


def attributes(*pairs: tuple[str, bytes]) -> bytes:
    return tlv(0xA0, *[tlv(0x30, oid(kind), tlv(0x31, value)) for kind, value in pairs])


REQUIRED = (CONTENT_TYPE, oid(DATA)), (MESSAGE_DIGEST, tlv(4, hashlib.sha256(MODULE).digest()))
UNSUPPORTED_DIGEST = by(stranger(digest=algorithm("1.2.3.4.5")))
OLD = appended(MODULE, b"x", record=bytes(8))

# A file, and what both kernels made of it.
BOTH: dict[str, tuple[bytes, Seen]] = {
    "none": (MODULE, ("unsigned", [])),
    "an unknown key": (by(stranger()), ("unsigned", [])),
    "a mark alone": (MODULE[:3] + MAGIC, (errno.EBADMSG, [])),
    "a length too long": (appended(MODULE, b"x", size=1 << 30), (errno.EBADMSG, [])),
    "no length": (appended(MODULE, b""), (errno.EBADMSG, [])),
    "an old type": (OLD, ("unsigned", ["3 module: not signed with expected PKCS#7 message"])),
    "an old type, too long": (
        appended(MODULE, b"", record=bytes(8), size=1 << 30),
        (errno.EBADMSG, []),
    ),
    "a field that is not zero": (
        appended(MODULE, b"x", record=b"\0\4\2\0\0\0\0\0"),
        (errno.EBADMSG, ["3 module: PKCS#7 signature info has unexpected non-zero params"]),
    ),
    "no message": (appended(MODULE, b"S" * 40), (errno.EBADMSG, [])),
    "a message too large": (appended(MODULE, b"0" * 65536), (errno.EMSGSIZE, [])),
    "a message and more": (
        appended(MODULE, a_message(a_signer(KEY, CERTIFICATE, MODULE)) + b"more"),
        ("signed", []),
    ),
    "another type": (
        appended(MODULE, a_message(stranger(), kind=DATA)),
        (errno.EINVAL, ["4 PKCS7: Only support pkcs7_signedData type"]),
    ),
    "a type alone": (
        appended(MODULE, tlv(0x30, oid(SIGNED_DATA))),
        (errno.EINVAL, ["4 PKCS7: Inconsistently supplied authAttrs"]),
    ),
    "nobody": (appended(MODULE, a_message()), (errno.EBADMSG, [])),
    "version 2": (
        by(stranger(), version=2),
        (errno.EINVAL, ["4 PKCS7: Unsupported SignedData version"]),
    ),
    "a signer of another version": (
        by(stranger(), version=3),
        (errno.EBADMSG, ["4 PKCS7: SignedData-SignerInfo version mismatch"]),
    ),
    "no key named": (
        by(stranger(version=tlv(2, b"\3")), version=3),
        (errno.EINVAL, []),
    ),
    "the data inside": (
        appended(MODULE, a_message(stranger(), content=tlv(0xA0, tlv(4, b"x")))),
        (
            errno.EBADMSG,
            [
                "4 PKCS7: Data already supplied",
                "3 PKCS#7 signature with non-detached data",
            ],
        ),
    ),
    "attributes": (
        by(stranger(attributes=attributes(*REQUIRED))),
        (errno.EKEYREJECTED, ["4 PKCS7: Invalid module sig (has authattrs)"]),
    ),
    "attributes that lack one": (
        by(stranger(attributes=attributes(REQUIRED[0]))),
        (errno.EBADMSG, ["4 PKCS7: Missing required AuthAttr"]),
    ),
    "attributes of mail": (
        by(stranger(attributes=attributes(("1.2.840.113549.1.9.15", NULL)))),
        (errno.EKEYREJECTED, ["4 PKCS7: S/MIME Caps only allowed with Authenticode"]),
    ),
    "attributes of one signer": (
        appended(MODULE, a_message(stranger(attributes=attributes(*REQUIRED)), stranger())),
        (errno.EINVAL, ["4 PKCS7: Inconsistently supplied authAttrs"]),
    ),
    "an unknown name in the issuer": (
        by(
            stranger(
                identity=tlv(
                    0x30,
                    tlv(0x30, tlv(0x31, tlv(0x30, oid("2.5.4.5"), tlv(0x0C, b"x")))),
                    tlv(2, b"\1"),
                )
            )
        ),
        # By its own keyring and by the firmware's: everything is said twice.
        ("unsigned", ["4 PKCS7: Unknown OID: [72] 2.5.4.5"] * 2),
    ),
    "an own certificate": (by(stranger(), (STRANGERS.data,)), ("unsigned", [])),
    "an own certificate, damaged": (
        by(stranger(), (tlv(0x30, b"x"),)),
        (errno.EBADMSG, []),
    ),
    "an own certificate, and another algorithm": (
        by(stranger(encryption=algorithm(ECDSA_SHA256)), (STRANGERS.data,)),
        (errno.EKEYREJECTED, []),
    ),
    "an own certificate, and a short signature": (
        by(stranger(signature=tlv(4, b"\1" * 127)), (STRANGERS.data,)),
        (errno.EINVAL, []),
    ),
    "an own certificate, and another digest": (
        by(stranger(signature=tlv(4, sign(STRANGER, MODULE, "sha1"))), (STRANGERS.data,)),
        (errno.EBADMSG, []),
    ),
    "an own certificate, and another module": (
        by(stranger(signature=tlv(4, sign(STRANGER, b"other"))), (STRANGERS.data,)),
        (errno.EKEYREJECTED, []),
    ),
}


@pytest.mark.parametrize("kernel", [a_6_1, a_6_12])
@pytest.mark.parametrize("case", BOTH)
def test_every_kernel_answers_so(case: str, kernel: Callable[[], KernelFacts]) -> None:
    data, answer = BOTH[case]

    assert seen(data, kernel()) == answer


@pytest.mark.parametrize(
    ("kernel", "data", "answer"),
    [
        (
            a_6_1(),
            UNSUPPORTED_DIGEST,
            ("unsigned", ["4 PKCS7: Unknown OID: [86] 1.2.3.4.5", "4 Unsupported digest algo: 98"]),
        ),
        (
            a_6_12(),
            UNSUPPORTED_DIGEST,
            (
                "unsigned",
                ["4 PKCS7: Unknown OID: [86] 1.2.3.4.5", "4 Unsupported digest algo: 103"],
            ),
        ),
        (a_6_1(), by(a_signer(KEY, CERTIFICATE, MODULE, "md5")), ("signed", [])),
        (a_6_1(), by(a_signer(KEY, CERTIFICATE, MODULE, "sha1")), ("signed", [])),
        (a_6_12(), by(a_signer(KEY, CERTIFICATE, MODULE, "sha1")), ("signed", [])),
        (a_6_12(), by(a_signer(KEY, CERTIFICATE, MODULE, "sha512")), ("signed", [])),
        (a_6_12(), by(a_signer(KEY, CERTIFICATE, MODULE, "sha3-256")), ("signed", [])),
        (a_6_1(), by(a_signer(KEY, CERTIFICATE, MODULE, "sha512")), ("unsigned", [])),
        (
            a_6_12(certificates=(EC_CERTIFICATE,)),
            signed(MODULE, EC_KEY, EC_CERTIFICATE),
            ("signed", []),
        ),
        (
            a_6_1(certificates=(EC_CERTIFICATE,)),
            signed(MODULE, EC_KEY, EC_CERTIFICATE),
            ("unsigned", []),
        ),
        (
            a_6_1(),
            by(a_signer(EC_KEY, EC_CERTIFICATE, MODULE), (EC_CERTIFICATE.data,)),
            (errno.ENOENT, []),
        ),
        (
            a_6_12(),
            by(a_signer(EC_KEY, EC_CERTIFICATE, MODULE), (EC_CERTIFICATE.data,)),
            ("unsigned", []),
        ),
        (
            a_6_1(),
            by(stranger(signature=tlv(4, bytes(128))), (STRANGERS.data,)),
            (errno.EBADMSG, []),
        ),
        (
            a_6_12(),
            by(stranger(signature=tlv(4, bytes(128))), (STRANGERS.data,)),
            (errno.EINVAL, []),
        ),
    ],
)
def test_kernels_differ_in_their_algorithms(kernel: KernelFacts, data: bytes, answer: Seen) -> None:
    assert seen(data, kernel) == answer


def test_a_signature_by_key_id_is_found() -> None:
    signer = a_signer(KEY, CERTIFICATE, MODULE).but(
        version=tlv(2, b"\3"), identity=tlv(0x80, CERTIFICATE.key_id)
    )

    assert seen(by(signer, version=3), a_6_1()) == ("signed", [])


def test_a_chain_that_ends_at_a_trusted_key_is_trusted_and_no_other() -> None:
    leaf = {
        issuer: a_certificate(
            STRANGER,
            "leaf",
            issuer="K",
            issuer_key=key,
            serial=99,
            key_id=b"leaf",
            authority_key_id=CERTIFICATE.key_id,
        )
        for issuer, key in (("trusted", KEY), ("another", a_key("rsa1024", 2)))
    }

    for issuer, answer in (("trusted", "signed"), ("another", errno.EKEYREJECTED)):
        data = by(a_signer(STRANGER, leaf[issuer], MODULE), (leaf[issuer].data,))
        assert seen(data, a_6_1()) == (answer, [])


def test_one_good_signature_is_enough_and_one_wrong_is_too_many() -> None:
    good = a_signer(KEY, CERTIFICATE, MODULE)
    wrong = a_signer(KEY, CERTIFICATE, b"other")

    assert seen(appended(MODULE, a_message(stranger(), good)), a_6_1())[0] == "signed"
    assert seen(appended(MODULE, a_message(good, wrong)), a_6_1())[0] == errno.EKEYREJECTED


@pytest.mark.parametrize("place", range(0, len(MODULE), 10))
def test_a_byte_changed_anywhere_in_the_module_is_rejected(place: int) -> None:
    data = bytearray(signed(MODULE, KEY, CERTIFICATE))
    data[place] ^= 1

    assert seen(bytes(data), a_6_1()) == (errno.EKEYREJECTED, [])


def test_a_message_cut_anywhere_is_a_bad_message() -> None:
    message = a_message(a_signer(KEY, CERTIFICATE, MODULE))

    for size in range(1, len(message)):
        answer, log = seen(appended(MODULE, message[:size]), a_6_1())
        assert (answer, log) == (errno.EBADMSG, []), size


def test_no_damage_makes_a_signature_of_a_stranger_good() -> None:
    chance = Random(20)
    message = a_message(stranger(), certificates=[STRANGERS.data])
    for _turn in range(1000):
        damaged = bytearray(message)
        for _byte in range(chance.randint(1, 3)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        file, findings = examined(appended(MODULE, bytes(damaged)), a_6_1())
        assert not file.signed or findings[0].could_not_tell


def test_the_file_is_cut_as_far_as_the_kernel_looks_at_it() -> None:
    good = signed(MODULE, KEY, CERTIFICATE)

    assert examined(good, a_6_1())[0].data == MODULE
    assert examined(by(stranger()), a_6_1())[0].data == MODULE, "by an unknown key"
    assert examined(OLD, a_6_1())[0].data == OLD[: -len(MAGIC)], "the record stays"
    for flags in (1, 2):
        file, findings = examined(good, a_6_1(), flags)
        assert (file.data, file.signed, findings) == (good, False, [])
    without = a_6_1(options=KernelOptions(module_sig=False))
    assert examined(good, without)[0].data == good


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (MODULE, "unsigned module"),
        (by(stranger()), "module with unavailable key"),
        (OLD, "module with unsupported crypto"),
    ],
)
def test_where_signatures_are_enforced_and_under_lockdown_none_is_refused(
    data: bytes, reason: str
) -> None:
    enforced = seen(data, a_6_1(signatures_enforced=True, locked_down=True))
    locked_down = seen(data, a_6_1(locked_down=True))

    assert (enforced[0], enforced[1][-1]) == (
        errno.EKEYREJECTED,
        f"5 Loading of {reason} is rejected",
    )
    assert (locked_down[0], locked_down[1][-1]) == (
        errno.EPERM,
        "5 Lockdown: modprobe: unsigned module loading is restricted; see man kernel_lockdown.7",
    )
    good = signed(MODULE, KEY, CERTIFICATE)
    assert seen(good, a_6_1(signatures_enforced=True, locked_down=True)) == ("signed", [])


def test_without_the_library_it_could_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)

    file, (finding,) = examined(signed(MODULE, KEY, CERTIFICATE), a_6_1())

    assert (file.signed, finding.errno, finding.could_not_tell) == (True, 0, True)
    assert "needs the Python library cryptography" in finding.evidence
    assert seen(by(stranger()), a_6_1()) == ("unsigned", []), "nothing is to be verified there"
    assert seen(appended(MODULE, b"S"), a_6_1()) == (errno.EBADMSG, [])


@pytest.mark.parametrize(
    ("kernel", "number"),
    [({"signatures_enforced": True}, errno.EKEYREJECTED), ({"locked_down": True}, errno.EPERM)],
)
def test_what_cannot_be_verified_decides_where_only_signed_modules_are_let_in(
    kernel: dict[str, object], number: int
) -> None:
    data = signed(MODULE, KEY, CERTIFICATE)

    _file, findings = examined(data, a_6_1(certificates=None, **kernel))

    assert [(each.errno, each.could_not_tell) for each in findings] == [(number, True)]


def test_where_the_certificates_are_not_known_it_could_not_tell_but_of_those_enrolled() -> None:
    kernel = a_6_1(certificates=None, enrolled=(CERTIFICATE,))

    file, (finding,) = examined(by(stranger()), kernel)

    assert (file.signed, finding.could_not_tell) == (True, True)
    assert "not known" in finding.evidence
    assert seen(signed(MODULE, KEY, CERTIFICATE), kernel) == ("signed", [])
    assert examined(signed(MODULE, KEY, CERTIFICATE), kernel)[1] == []
    data = bytearray(signed(MODULE, KEY, CERTIFICATE))
    data[0] ^= 1
    assert seen(bytes(data), kernel) == (errno.EKEYREJECTED, [])


def test_an_algorithm_may_come_as_a_module() -> None:
    data = by(a_signer(KEY, CERTIFICATE, MODULE, "sha512"))

    _file, (finding,) = examined(data, a_6_1())
    loaded = seen(data, a_6_1(loaded={"sha512_generic": "live"}))

    assert finding.could_not_tell
    assert "asks modprobe for a module that does sha512" in finding.evidence
    assert loaded == ("signed", [])


@pytest.mark.debian
@pytest.mark.parametrize("version", ["6.1", "6.12"])
def test_debians_modules_verify_and_no_longer_with_a_byte_changed(version: str) -> None:
    try:
        real = real_kernel(version)
    except NotHere as reason:
        missing("debian", str(reason))
        return
    certificates = read_facts(str(real.image)).certificates
    assert isinstance(certificates, tuple)
    kernel = KernelFacts(
        release=real.release,
        certificates=certificates,
        options=KernelOptions.from_config(read_config_file(str(real.config))),
    )
    chance = Random(6)
    for path in real.modules(70):
        data = decompress(path.read_bytes())[1]
        assert seen(data, kernel) == ("signed", []), path.name
        changed = bytearray(data)
        changed[chance.randrange(len(data) - 2000)] ^= 1 << chance.randrange(8)
        assert seen(bytes(changed), kernel) == (errno.EKEYREJECTED, []), path.name
