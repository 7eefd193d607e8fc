"""Signatures as a case names them, sound and otherwise."""

from __future__ import annotations

from functools import partial

from tests.module.modules import COMMON_NAME, ORGANIZATION, a_name, a_pkcs7, a_record, der

_NAME, _KEY, _TEXT = b"A maker: key", bytes(range(20)), bytes(range(200, 256))
_record = partial(a_record, name=_NAME, key=_KEY, signature=_TEXT)
_DIGESTS = {
    "md4": "2a864886f70d0204",
    "md5": "2a864886f70d0205",
    "sha1": "2b0e03021a",
    "rmd160": "2b24030201",
    "sha256": "608648016503040201",
    "sha384": "608648016503040202",
    "sha512": "608648016503040203",
    "sha224": "608648016503040204",
    "sha512-256": "608648016503040206",
    "sha3-256": "608648016503040208",
    "sha3-384": "608648016503040209",
    "sha3-512": "60864801650304020a",
    "sm3": "2a811ccf55018311",
    "unheard of": "2a0304050607",
}


def signature(kind: str) -> bytes:
    """Return what *kind* appends to a module: ``FORM`` or ``FORM WORD``; empty for no kind.

    The forms are pkcs7, pgp and x509. Behind pkcs7 a word of ``_DIGESTS``, or what is special
    about the message; behind the others about the record.
    """
    form, _, word = kind.partition(" ")
    if form == "pkcs7":
        message = _message(word)
        return a_record(id_type=2, signature=message, algorithm=1 if word == "RSA" else 0)
    return _old(0 if form == "pgp" else 1, word) if form else b""


def _message(word: str) -> bytes:
    if word in _DIGESTS:
        return a_pkcs7(digest=bytes.fromhex(_DIGESTS[word]))
    message = a_pkcs7()
    other = {
        "": message,
        "RSA": message,
        "without name": a_pkcs7(issuer=a_name()),
        "without common name": a_pkcs7(
            issuer=a_name((ORGANIZATION, b"One"), (ORGANIZATION, b"Two"))
        ),
        "of two names": a_pkcs7(issuer=a_name((COMMON_NAME, b"One"), (COMMON_NAME, b"Two"))),
        "not UTF-8": a_pkcs7(issuer=a_name((COMMON_NAME, b"\xff\xfe"))),
        "of control characters": a_pkcs7(issuer=a_name((COMMON_NAME, b"\xc3\xa4\n\x01"))),
        "of a name with NUL": a_pkcs7(issuer=a_name((COMMON_NAME, b"One\0Two"))),
        "negative serial": a_pkcs7(serial=b"\x80\x01"),
        "long serial": a_pkcs7(serial=b"\0" + bytes(range(129, 160))),
        "serial 0": a_pkcs7(serial=b"\0"),
        "key identifier": a_pkcs7(identity=der(0x80, bytes(range(20)))),
        "signature of 20": a_pkcs7(signature=bytes(range(20))),
        "signature of 21": a_pkcs7(signature=bytes(range(21))),
        "signature of 0": a_pkcs7(signature=b""),
        "attributes": a_pkcs7(attributes=der(0xA0, der(0x30, der(6, COMMON_NAME), der(0x31)))),
        "broken": message[:40],
        "tail": message + b"behind",
        "rubbish": b"no DER at all",
        "one byte": b"0",
        "huge": a_pkcs7(signature=bytes(range(256)) * 200),
    }
    return other[word]


def _old(id_type: int, word: str) -> bytes:
    if word.startswith("hash "):
        return _record(id_type=id_type, digest=int(word.removeprefix("hash ")))
    other = {
        "": _record(id_type=id_type, algorithm=1, digest=4),
        "algorithm 2": _record(id_type=id_type, algorithm=2),
        "type 3": _record(id_type=3),
        "empty": _record(id_type=id_type, signature=b""),
        "too long": _record(id_type=id_type, claimed=1 << 30),
        "longest": _record(id_type=id_type, claimed=0xFFFFFFFF),
        "nameless": a_record(id_type=id_type, digest=4, signature=_TEXT),
        "odd": _record(id_type=id_type, name=b"\xff\0x\n", key=b"k"),
        "tail": _record(id_type=id_type) + b"x",
    }
    return other[word]
